--- What is told to a client's logger: what a call does, without secrets, and without ids unless they are asked for.
--
-- Types: "request" (an attempt leaves), "response" (it was answered), "failure" (it was not), "retry" (the call waits
-- for its next attempt), "clock" (this machine's differs from the service's, with whose time the next attempt is
-- signed), "error" (the call failed for good). What the logger raises is dropped: a log that fails must not fail the
-- call.

local core = require "webpubsub.core"

local log = {}

local emitter = {}
emitter.__index = emitter

-- Arguments that name a user, a group or a connection.
local ids = { "user", "group", "connection", "excluded" }

local function emit(self, event)
  event.operation = self.call:operation()
  event.request_id = self.call:header("x-ms-client-request-id")
  event.attempt = self.call:attempt()
  for _, name in ipairs(ids) do event[name] = self.arguments and core.field(self.arguments, name) end
  pcall(self.logger, event)
end

--- An emitter for one call.
---@param logger fun(event: table)
---@param arguments table|nil  the call's arguments, where their ids may be logged
function log.new(logger, call, clock, arguments)
  return setmetatable({ logger = logger, call = call, now = clock, arguments = arguments }, emitter)
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

return log
