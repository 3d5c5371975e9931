--- What is told to a client's logger: what a call does, without secrets, and without ids unless they are asked for.
--
-- Types: "request" (an attempt leaves), "response" (it was answered), "failure" (it was not), "retry" (the call waits
-- for its next attempt), "clock" (this machine's differs from the service's, with whose time the next attempt is
-- signed), "error" (the call failed for good). What the logger raises is dropped: a log that fails must not fail the
-- call.

local ipairs, pcall, rawget, setmetatable = ipairs, pcall, rawget, setmetatable
local tonumber, tostring, type = tonumber, tostring, type
local abs, concat, date, getenv, stderr = math.abs, table.concat, os.date, os.getenv, io.stderr

local core = require "webpubsub.core"
local printable = require "webpubsub.printable"

local log = {}

local VARIABLE = "WEBPUBSUB_LOG"
local MAX_PRINTED = 500 -- bytes of one line

local emitter = {}
emitter.__index = emitter

-- Arguments that name a user, a group or a connection.
local ids = { "user", "group", "connection", "excluded" }

-- The same facts under OpenTelemetry's names, for an exporter to take as they are.
local function attributes_of(self, event)
  local attempt, server = event.attempt, self.server
  return {
    ["http.request.method"] = self.call:method(),
    ["http.request.resend_count"] = attempt > 1 and attempt - 1 or nil,
    ["http.response.status_code"] = event.status,
    ["error.type"] = event.status and event.status >= 400 and tostring(event.status) or event.code,
    ["server.address"] = server and server.address,
    ["server.port"] = server and server.port,
  }
end

local function emit(self, event)
  event.operation = self.call:operation()
  event.request_id = self.call:header("x-ms-client-request-id")
  event.traceparent, event.tracestate = self.call:header("traceparent"), self.call:header("tracestate")
  event.attempt = self.call:attempt()
  event.attributes = attributes_of(self, event)
  for _, name in ipairs(ids) do event[name] = self.arguments and core.field(self.arguments, name) end
  pcall(self.logger, event)
end

--- An emitter for one call.
---@param logger fun(event: table)
---@param arguments table|nil  the call's arguments, where their ids may be logged
---@param server { address: string, port: integer }|nil  where requests go
function log.new(logger, call, clock, arguments, server)
  return setmetatable({ logger = logger, call = call, now = clock, arguments = arguments, server = server }, emitter)
end

function emitter:request()
  self.sent = self.now()
  emit(self, { type = "request", method = self.call:method() })
end

function emitter:response(status)
  emit(self, { type = "response", status = status, elapsed = self.now() - self.sent })
end

function emitter:failure(kind, code)
  emit(self, { type = "failure", kind = kind, code = code, elapsed = self.now() - self.sent })
end

function emitter:retry()
  emit(self, { type = "retry", wait = self.call:seconds() })
end

--- `difference`: seconds that this machine's clock is behind.
function emitter:clock(difference)
  emit(self, { type = "clock", difference = difference })
end

function emitter:error(err)
  emit(self, { type = "error", kind = err.kind, code = err.code, status = err.status, elapsed = err.elapsed })
end

-- ---------------------------------------------------------------- for people

local describe = {
  request = function(event) return "request " .. event.method end,
  response = function(event) return ("response %d after %.0f ms"):format(event.status, event.elapsed * 1000) end,
  failure = function(event)
    return ("%s failure (%s) after %.0f ms"):format(event.kind, event.code, event.elapsed * 1000)
  end,
  retry = function(event) return ("next attempt in %.1f s"):format(event.wait) end,
  clock = function(event)
    return ("this machine's clock is %.0f s %s the service's"):format(abs(event.difference),
      event.difference < 0 and "ahead of" or "behind")
  end,
  error = function(event) return ("failed: %s %s"):format(event.status or event.kind, event.code) end,
}

--- An event as one line.
---@param event webpubsub.Event
---@return string
function log.line(event)
  local said = describe[event.type]
  local facts = { ("%s %s, attempt %d: %s"):format(event.request_id, event.operation, event.attempt,
    said and said(event) or event.type) }
  for _, name in ipairs(ids) do
    local id = event[name]
    if id then facts[#facts + 1] = name .. " " .. (type(id) == "table" and concat(id, ", ") or tostring(id)) end
  end
  return printable(concat(facts, "; "), MAX_PRINTED)
end

-- Inside NGINX the error log, which has the time itself.
local function write_line(event)
  local nginx = rawget(_G, "ngx")
  if nginx then
    nginx.log(nginx.NOTICE, "webpubsub: ", log.line(event))
  else
    stderr:write(date "%H:%M:%S", " webpubsub: ", log.line(event), "\n")
  end
end

--- What a client's events are told to: its logger, the environment's wish (WEBPUBSUB_LOG=debug), both or neither.
---@param logger function|nil
---@return function|nil
function log.listener(logger)
  local wanted = getenv(VARIABLE)
  if not wanted or wanted == "" then return logger end
  if wanted ~= "debug" then
    core.raise("argument", "invalid", ("%s must be debug, or not be set; it is \"%.40s\""):format(VARIABLE, wanted),
      VARIABLE, "new")
  end
  if not logger then return write_line end
  return function(event)
    write_line(event)
    logger(event)
  end
end

--- The server of an origin such as https://name.webpubsub.azure.com.
---@param origin string
function log.server(origin)
  local scheme, rest = origin:match "^(%a+)://(.*)$"
  local address, port = rest:match "^(.*):(%d+)$"
  address = address or rest
  return { address = address:match "^%[(.*)%]$" or address, port = tonumber(port) or scheme == "https" and 443 or 80 }
end

return log
