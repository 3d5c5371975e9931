-- luacheck: std lua54
--- What the emulator's specs have in common: an emulator in a child process, signed REST calls, WebSocket clients.

require "webpubsub.emulator.path"

local http_request = require "http.request"
local http_websocket = require "http.websocket"

local auth = require "webpubsub.emulator.auth"
local json = require "webpubsub.emulator.json"
local launch = require "webpubsub.emulator.launch"

local API_VERSION = "2024-12-01"
local SECONDS = 5 -- for any one answer or frame
local JSON_SUBPROTOCOL = "json.webpubsub.azure.v1"

local Client = {}
Client.__index = Client

local emulator_client = {}

--- Launches an emulator and returns a client bound to a hub of it; a hub for each spec keeps them apart.
function emulator_client.launch(options)
  local emulator = launch(options)
  return setmetatable({ emulator = emulator, hub_name = "spec", stop = emulator.stop, sockets = {} }, Client)
end

--- The same emulator, another hub.
function Client:hub(name)
  return setmetatable({ emulator = self.emulator, hub_name = name, sockets = {} }, Client)
end

--- How much memory the emulator has, KiB.
function Client:memory()
  local log = assert(io.open(self.emulator.log_path))
  local status = assert(io.open(("/proc/%s/status"):format(log:read("*a"):match("^pid (%d+)"))))
  log:close()
  local text = status:read("*a")
  status:close()
  return tonumber(text:match("VmRSS:%s*(%d+)"))
end

--- One HTTP request, exactly as given.
---@param method string
---@param target string path and query
---@param options { headers: table?, body: string?, chunked: boolean?, tls_context: table? }?
---@return table response `status`, `headers` (lua-http's), `body`, `json` (decoded, if it is JSON)
function Client:http(method, target, options)
  options = options or {}
  local request = http_request.new_from_uri(self.emulator.endpoint)
  request.ctx = options.tls_context
  request.headers:upsert(":method", method)
  request.headers:upsert(":path", target)
  for name, value in pairs(options.headers or {}) do
    request.headers:upsert(name, value)
  end
  if options.chunked then
    request:set_body(function() local body = options.body; options.body = nil; return body end)
  elseif options.body then
    request:set_body(options.body)
    request.headers:delete("expect")
  elseif method == "POST" then
    request.headers:upsert("content-length", "0")
  end
  local headers, stream = assert(request:go(SECONDS))
  local status = tonumber(headers:get(":status"))
  local body = status ~= 101 and assert(stream:get_body_as_string(SECONDS)) or "" -- a WebSocket has no end to read to
  stream:shutdown()
  return {
    status = status,
    headers = headers,
    body = body,
    json = (headers:get("content-type") or ""):find("json", 1, true) and json.decode(body) or nil,
  }
end

--- A signed call below the hub; the api-version is added.
---@param method string
---@param path string for example "/users/alice/:closeConnections?reason=x"
---@param options table? as of http()
function Client:call(method, path, options)
  local target = ("/api/hubs/%s%s%sapi-version=%s"):format(
    self.hub_name, path, path:find("?", 1, true) and "&" or "?", API_VERSION)
  return self:signed(method, target, options)
end

--- A signed request for any target.
function Client:signed(method, target, options)
  options = options or {}
  options.headers = options.headers or {}
  options.headers.authorization = options.headers.authorization
    or "Bearer " .. auth.service_token(self.emulator.key, self.emulator.endpoint .. target)
  return self:http(method, target, options)
end

--- Sends a message, text unless a content type is given.
function Client:send(path, body, content_type)
  return self:call("POST", path, { body = body, headers = { ["content-type"] = content_type or "text/plain" } })
end

local Socket = {}
Socket.__index = Socket

function Client:audience()
  return ("%s/client/hubs/%s"):format(self.emulator.endpoint, self.hub_name)
end

--- Connects a WebSocket client.
---@param options table? `user`, `roles`, `groups`; `raw`; `subprotocol`; `token`; `query` (instead of the token)
---@return table socket with `id` and `greeting` for a JSON client; raises when it is refused
function Client:connect(options)
  options = options or {}
  local subprotocol = options.subprotocol or (not options.raw and JSON_SUBPROTOCOL or nil)
  local query = options.query or "access_token=" .. (options.token or auth.client_token(self.emulator.key, {
    audience = self:audience(), user = options.user, roles = options.roles, groups = options.groups,
  }))
  local url = self:audience():gsub("^http", "ws") .. "?" .. query
  local websocket = http_websocket.new_from_uri(url, subprotocol and { subprotocol } or nil)
  websocket.request.ctx = options.tls_context
  assert(websocket:connect(SECONDS))
  local socket = setmetatable({ websocket = websocket }, Socket)
  self.sockets[#self.sockets + 1] = socket -- collected, it would be closed
  if not options.raw and not options.ungreeted then
    socket.greeting = socket:receive()
    socket.id = socket.greeting.connectionId
  end
  return socket
end

--- The status with which a handshake is answered.
function Client:handshake_status(target, headers)
  headers = headers or {}
  headers.upgrade, headers.connection = "websocket", "upgrade"
  headers["sec-websocket-key"], headers["sec-websocket-version"] = "dGhlIHNhbXBsZSBub25jZQ==", "13"
  return self:http("GET", target, { headers = headers })
end

--- The next frame: its text and opcode.
function Socket:receive_text()
  local text, opcode, code = self.websocket:receive(SECONDS)
  if not text then
    error(("no frame but: %s %s"):format(tostring(opcode), tostring(code)), 2)
  end
  return text, opcode
end

--- The next frame, decoded.
function Socket:receive()
  return json.decode((self:receive_text()))
end

function Socket:send(text, opcode)
  assert(self.websocket:send(text, opcode or "text", SECONDS))
end

--- Sends a request and returns the next frame.
function Socket:ask(text)
  self:send(text)
  return self:receive()
end

--- Proves that nothing else was sent before: the next frame answers a ping made now.
function Socket:is_quiet()
  return self:ask('{"type":"ping"}').type == "pong"
end

--- Waits for the end; returns the close frame's code and reason.
function Socket:closed()
  local text, reason, code = self.websocket:receive(SECONDS)
  if text then
    error("not closed, but received " .. text, 2)
  end
  return code, reason
end

function Socket:close()
  self.websocket:close(1000, nil, SECONDS)
end

return emulator_client
