--- Accepts WebSocket clients and serves their connections.

local auth = require "webpubsub.emulator.auth"
local connection = require "webpubsub.emulator.connection"
local handshake = require "webpubsub.emulator.handshake"
local responses = require "webpubsub.emulator.responses"
local websocket = require "webpubsub.emulator.websocket"

local gateway = {}

local HANDSHAKE_SECONDS = 10
local CLOSE_POLICY_VIOLATION = 1008

local UNSUPPORTED = {
  mqtt = "MQTT clients are not part of this emulator.",
  socketio = "Socket.IO clients are not part of this emulator.",
}

--- The response to clients of unsupported kinds, for any method and any path below theirs: Socket.IO clients begin with
-- polling, and their path ends with a slash.
---@param target string path and query
---@return EmulatorResponse|nil
function gateway.refuse_unsupported(target)
  local message = UNSUPPORTED[target:match("^/clients/(%a+)/")]
  return message and responses.error(501, "Error.NotImplemented", message) or nil
end

---@param segments string[] of the request's path
---@return boolean whether the path is one clients connect to
function gateway.serves(segments)
  return segments[1] == "client" or segments[1] == "clients"
end

-- Returns the WebSocket, or nil when the client is gone.
local function accept(shake, subprotocol, on_upgrade)
  if shake.upgrade:accept({ protocols = { subprotocol } }, HANDSHAKE_SECONDS) then
    on_upgrade()
    return websocket.new(shake.upgrade.socket)
  end
end

-- Runs a client's WebSocket to its end.
local function run(server, peer, client)
  server.peers[peer] = true
  local why, is_cut = peer:run(function(text, kind) client:receive(text, kind) end)
  server.peers[peer] = nil
  client:lost(peer, why, is_cut)
end

-- Serves a new client, if the event handler admits it. Returns the response to refuse it with.
local function serve_new(server, shake, on_upgrade)
  local options = {
    hub = server:hub(shake.hub),
    id = connection.new_id(),
    user = shake.user,
    roles = shake.roles,
    groups = shake.groups,
    subprotocol = shake.subprotocol,
    journal = server.journal,
    events = server.events,
    keep_seconds = server.keep_seconds,
  }
  local refused = server.events and server.events:connect(options, shake)
  if refused then
    return refused
  end
  local peer = accept(shake, options.subprotocol, on_upgrade)
  if peer then
    local client = connection.new(options)
    client:open(peer, options.groups)
    run(server, peer, client)
  elseif server.events then
    server.events:disconnected(options, websocket.CUT)
  end
end

-- The connection that a client wants to recover; nil if there is none for it.
local function find_earlier(server, shake)
  local hub = server.hubs[shake.hub]
  local client = hub and hub.connections[shake.connection_id]
  if client and client.reconnection_token and client.subprotocol == shake.subprotocol
    and auth.equal(client.reconnection_token, shake.reconnection_token) then
    return client
  end
end

-- Serves a client that recovers its connection. If that is not possible, the close code tells it so.
local function serve_recovered(server, shake, welcome, on_upgrade)
  local peer = accept(shake, shake.subprotocol, on_upgrade)
  local client = peer and find_earlier(server, shake)
  if client then
    welcome()
    client:recover(peer)
    run(server, peer, client)
  elseif peer then
    peer:close(CLOSE_POLICY_VIOLATION)
    peer:run(function() end)
  end
end

--- Serves one client until it is gone.
---@param server table
---@param stream table
---@param headers table
---@param parsed table as request.parse() returns it
---@param on_upgrade fun() called when the connection has become a WebSocket
---@return EmulatorResponse|nil response nil once the connection was a WebSocket
---@return table|nil about for the journal
function gateway.handle(server, stream, headers, parsed, on_upgrade)
  local socket = stream.connection.socket
  local function welcome()
    server.strangers:welcome(socket)
  end
  local shake, refusal, about = handshake.read(server.key, stream, headers, parsed, welcome)
  if not shake then
    return refusal, about
  elseif shake.reconnection_token then
    return serve_recovered(server, shake, welcome, on_upgrade)
  end
  return serve_new(server, shake, on_upgrade)
end

return gateway
