--- An HTTP server on loopback that does what a spec tells it to, well-formed or not, and remembers every request.
--- It runs in a process of its own, since the client under test blocks the process that runs the specs.
---
---     local server = scripted_server.start({ tls = certs.valid })
---     server:script({ reply({ status = 503 }), { delay(0.1), close() }, default = reply({ status = 204 }) })
---     …
---     assert.are.equal("POST", server:requests()[1].method)
---     server:stop()

local socket = require("socket")
local companion = require("spec.support.companion")
local headers = require("spec.support.headers")
local shell = require("spec.support.shell")
local steps = require("spec.support.steps")
local wire = require("spec.support.wire")

local HOST = "127.0.0.1"
local CONTROL_TIMEOUT_SECONDS = 5
local TLS_VERSIONS = { ["1.0"] = true, ["1.1"] = true, ["1.2"] = true, ["1.3"] = true }
local OPTIONS = { tls = "table", alpn = "table", tls_min = "string", tls_max = "string", client_ca = "string",
  proxy = "boolean" }

local scripted_server = {}

---@class ScriptedServer
---@field host string "127.0.0.1"
---@field port integer nothing listens there any more after `stop`
---@field origin string scheme, host and port
local ScriptedServer = {}
ScriptedServer.__index = ScriptedServer

local function check_options(options)
  for name, value in pairs(options) do
    if OPTIONS[name] ~= type(value) then
      error(("scripted_server.start: %s is %s"):format(tostring(name),
        OPTIONS[name] and "a " .. OPTIONS[name] or "not an option"), 3)
    end
  end
  for _, name in ipairs({ "alpn", "tls_min", "tls_max", "client_ca" }) do
    if options[name] and not options.tls then
      error(("scripted_server.start: %s needs tls"):format(name), 3)
    end
  end
  for _, name in ipairs({ "tls_min", "tls_max" }) do
    if options[name] and not TLS_VERSIONS[options[name]] then
      error(("scripted_server.start: %s is one of 1.0, 1.1, 1.2, 1.3"):format(name), 3)
    end
  end
end

---@class ScriptedServer.Options
---@field tls? { cert: string, key: string } paths of PEM files; plain HTTP without
---@field alpn? string[] the protocols it would speak, the preferred one first; without, ALPN is ignored
---@field tls_min? "1.0"|"1.1"|"1.2"|"1.3"
---@field tls_max? "1.0"|"1.1"|"1.2"|"1.3"
---@field client_ca? string path of a PEM file: a client certificate of this CA is required
---@field proxy? boolean requests the script has no entry for are forwarded as by a proxy

--- Starts a server on a port of its own and waits until it listens.
---@param options? ScriptedServer.Options
---@return ScriptedServer
function scripted_server.start(options)
  options = options or {}
  check_options(options)
  local child, ready = companion.start(shell.lua_program("scripted_server_child.lua"),
    { input = wire.pack(options), ready = "ready (%d+) (%d+)\n" })
  local control = assert(socket.connect(HOST, tonumber(ready[2])))
  control:settimeout(CONTROL_TIMEOUT_SECONDS)
  local port = tonumber(ready[1])
  return setmetatable({
    host = HOST,
    port = port,
    origin = ("%s://%s:%d"):format(options.tls and "https" or "http", HOST, port),
    child = child,
    control = control,
  }, ScriptedServer)
end

function ScriptedServer:call(command, argument)
  local control = self.control
  local sent, problem = control:send(wire.pack({ command = command, argument = argument }))
  local ok, answer = false, problem
  if sent then
    ok, answer = wire.read(function() return control:receive("*l") end,
      function(count) return control:receive(count) end)
  end
  if not ok then
    self.child:kill()
    error(("the scripted server did not answer %q: %s; its output: %s"):format(command, tostring(answer),
      self.child:output()), 3)
  end
  return answer
end

--- Replaces the script. A request takes the first entry that is not an `on_accept`; a new connection takes the first
--- entry if it is one. When the entries are used up, `default` is played each time; without it the answer is 501.
---@param script table a list of entries, each a step or a list of steps; `default` may be one more
function ScriptedServer:script(script)
  local entries = {}
  for i, entry in ipairs(script) do entries[i] = steps.list(entry) end
  self:call("script", { entries = entries, default = script.default and steps.list(script.default) })
end

--- How many entries of the script have not been taken yet, `default` not counted.
---@return integer
function ScriptedServer:remaining()
  return self:call("remaining")
end

---@class ScriptedServer.Request
---@field method string
---@field target string as sent
---@field version string "HTTP/1.1"
---@field headers table list of { name, value }, with get, all and has_token
---@field body string after any transfer coding
---@field raw string the whole request as received
---@field connection integer ordinal of its connection, from 1
---@field at number seconds on a monotonic clock when it was complete
---@field tls? { version: string, alpn: string?, server_name: string?, client: string? }

--- The complete requests received so far, in order.
---@return ScriptedServer.Request[]
function ScriptedServer:requests()
  local requests = self:call("requests")
  for _, request in ipairs(requests) do headers.wrap(request.headers) end
  return requests
end

--- How often each body was received, of requests whose bodies are lines of text; there may be very many.
---@return table<string, integer>
function ScriptedServer:times_seen()
  local times = {}
  for body in (self:call("times_seen") .. "\n"):gmatch("([^\n]*)\n") do times[body] = (times[body] or 0) + 1 end
  return times
end

--- How many connections have been accepted.
---@return integer
function ScriptedServer:connections()
  return self:call("connections")
end

--- How many connections are open now, from the server's side.
---@return integer
function ScriptedServer:open_connections()
  return self:call("open_connections")
end

--- Closes every connection and forgets the script, the requests and the counts.
function ScriptedServer:reset()
  self:call("reset")
end

--- Ends the server; a second time does nothing.
function ScriptedServer:stop()
  if self.stopped then return end
  self.stopped = true
  self:call("quit")
  self.control:close()
  self.child:stop()
end

return scripted_server
