--- Answers the requests with which the service tells a server what its clients do. README.md beside this file is the
--- guide.
--
-- No I/O: `handle` takes a request and returns its response. Who carries them is in nginx.lua and lua_http.lua.

local core = require "webpubsub.core"
local printable = require "webpubsub.printable"
require "webpubsub.results"

local answer = require "webpubsub.events.answer"
local check = require "webpubsub.events.check"
local event = require "webpubsub.events.event"
local headers = require "webpubsub.events.headers"
local lua_http = require "webpubsub.events.lua_http"
local nginx = require "webpubsub.events.nginx"
local options = require "webpubsub.events.options"
local protected = require "webpubsub.events.protected"

local events = { reject = answer.reject }

local MAX_LINE = 500 -- bytes of a line for the log

local handler = {}
handler.__index = handler

function handler:__tostring()
  return "webpubsub events of hub " .. self.hub
end

--- Makes a handler. Nothing is opened; every mistake in the options is raised here, as an `argument` error.
---@param given webpubsub.events.Options
---@return webpubsub.events.Handler
function events.new(given)
  return setmetatable(options.read(given), handler)
end

-- ---------------------------------------------------------------- responses

local function refuse(status, message, more)
  local fields = more or {}
  fields["Content-Type"] = "text/plain"
  return status, fields, message .. "\n"
end

-- Tells the operator, in one line, what the service is not told.
local function log(self, what, problem)
  local printed, text = pcall(tostring, problem)
  text = ("webpubsub.events: %s: %s"):format(what, printed and text or type(problem))
  local line = printable((text:gsub("%s*[\r\n]+%s*", " ")), MAX_LINE)
  local ngx = rawget(_G, "ngx")
  if self.logger then
    pcall(self.logger, line)
  elseif ngx then
    ngx.log(ngx.ERR, line)
  end
end

local function fail(self, what, problem)
  log(self, what, problem)
  return refuse(500, "The event handler failed; its log says why.")
end

-- ---------------------------------------------------------------- validation

-- Before it delivers anything to a URL, the service asks whether it may.
local function validate(self, request)
  local asked = request.headers["webhook-request-origin"]
  if not asked then return refuse(400, "The header WebHook-Request-Origin is missing.") end
  if not self.origins then return 200, { ["WebHook-Allowed-Origin"] = "*" }, "" end
  for host in asked:gmatch("[^,%s]+") do
    local allowed = self.origins[host:lower()]
    if allowed then return 200, { ["WebHook-Allowed-Origin"] = allowed }, "" end
  end
  return refuse(400, "Events of this origin are not taken.")
end

-- ---------------------------------------------------------------- events

-- Is the request the service's? Nothing, or the response that says no.
local function authenticate(self, request)
  local fields = request.headers
  if self.authorize then
    local ok, allowed = protected(self.authorize, request)
    if not ok then return fail(self, "authorize", allowed) end
    if not allowed then return refuse(401, "The request is not authorized.") end
  elseif not core.event_is_signed(self.keys, fields["ce-signature"], fields["ce-connectionid"]) then
    return refuse(401, "ce-signature does not fit ce-connectionId under any of the keys.")
  end
end

-- Is it an event for us? Nothing, or the response that says no.
local function check_attributes(self, fields)
  if fields["ce-specversion"] ~= "1.0" then return refuse(400, "ce-specversion must be 1.0.") end
  for _, name in ipairs { "ce-type", "ce-hub", "ce-connectionId" } do
    if (fields[name] or "") == "" then return refuse(400, name .. " is missing.") end
  end
  if fields["ce-hub"]:lower() ~= self.hub_key then return refuse(404, "Events of this hub are handled elsewhere.") end
end

local function too_large(self)
  return nil, 413, ("The body must have at most %d bytes."):format(self.max_body_bytes)
end

-- The body, or nil with the status and message that refuse the request.
local function read_body(self, fields, body)
  if (tonumber(fields["content-length"]) or 0) > self.max_body_bytes then return too_large(self) end
  if type(body) == "function" then
    local text, status, message = body(self.max_body_bytes)
    if not text then return nil, status or 400, message or "The body could not be read." end
    body = text
  end
  body = body or ""
  if type(body) ~= "string" then
    check.refuse("body", "type", "body must be a string, or a function that returns one; it is a " .. type(body),
      "events.handle")
  end
  if #body > self.max_body_bytes then return too_large(self) end
  return body
end

-- The function that an event goes to, its kind, and what the log calls it: clients choose the names of their events.
local function find_handler(self, type)
  local kind, name = event.kind(type)
  if kind ~= "user" then return self.handlers[kind], kind, kind end
  if self.user_events[name] then return self.user_events[name], kind, ("user_event[%q]"):format(name) end
  return self.user_events["*"], kind, "user_event[\"*\"]"
end

local function deliver(self, action, kind, what, parsed)
  local ok, returned = protected(action, parsed)
  if not ok then return fail(self, what, returned) end
  local built, status, fields, body = pcall(answer.response, kind, parsed, returned)
  if not built then return fail(self, what, type(status) == "table" and status.message or status) end
  return status, fields, body
end

local function post(self, request, body)
  local fields = request.headers
  local status, more, message = authenticate(self, request)
  if not status then status, more, message = check_attributes(self, fields) end
  if status then return status, more, message end
  local action, kind, what = find_handler(self, fields["ce-type"])
  if not action then return kind == "unknown" and 200 or 204, {}, "" end
  body, status, message = read_body(self, fields, body)
  if not body then return refuse(status, message) end
  local parsed, problem = event.read(fields, body)
  if not parsed then return refuse(400, problem) end
  return deliver(self, action, kind, what, parsed)
end

--- Answers one request: see `webpubsub.events.Handler` in library/webpubsub.lua.
---@param method string
---@param given table<string, string|string[]>  headers, their names in any case
---@param body? string|fun(limit: integer): string?, integer?, string?
---@return integer status
---@return table<string, string> headers
---@return string body
function handler:handle(method, given, body)
  local fields, twice = headers.read(given)
  if not fields then return refuse(400, ("The header %s is there twice."):format(printable(twice, MAX_LINE))) end
  local request = { method = method, headers = fields }
  if method == "OPTIONS" then return validate(self, request) end
  if method ~= "POST" then return refuse(405, "Events are POSTed.", { Allow = "OPTIONS, POST" }) end
  return post(self, request, body)
end

--- Answers the request at hand: NGINX's, or that of a stream of lua-http.
---@param stream? table  of lua-http's server
---@param given? table  the stream's headers, where they have been read already
function handler:serve(stream, given)
  if stream then return lua_http.serve(self, stream, given) end
  return nginx.serve(self)
end

return events
