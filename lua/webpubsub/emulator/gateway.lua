--- Where WebSocket clients come in: checks who they are, shakes hands, and runs their connection to its end.

local http_websocket = require "http.websocket"

local auth = require "webpubsub.emulator.auth"
local connection = require "webpubsub.emulator.connection"
local parameters = require "webpubsub.emulator.parameters"
local responses = require "webpubsub.emulator.responses"
local websocket = require "webpubsub.emulator.websocket"

local gateway = {}

local HANDSHAKE_SECONDS = 10
local CLOSE_POLICY_VIOLATION = 1008

local LEFT_OUT = {
  mqtt = "MQTT clients are not part of this emulator.",
  socketio = "Socket.IO clients are not part of this emulator.",
}
local LEFT_OUT_SUBPROTOCOL = "^protobuf%."

--- What clients of a kind that is left out are answered, whatever their method and the rest of their path: those of
-- Socket.IO ask with a slash at the end, and by polling first.
---@param target string path and query
---@return EmulatorResponse|nil
function gateway.left_out(target)
  local message = LEFT_OUT[target:match("^/clients/(%a+)/")]
  return message and responses.error(501, "Error.NotImplemented", message) or nil
end

---@param segments string[] of the request's path
---@return boolean whether the path is one clients connect to
function gateway.serves(segments)
  return segments[1] == "client" or segments[1] == "clients"
end

-- An empty one is none.
local function string_claim(claims, name)
  return type(claims[name]) == "string" and claims[name] ~= "" and claims[name] or nil
end

-- A claim that may be one name or a list of them.
local function list_claim(claims, name)
  local value = claims[name]
  if type(value) == "table" then
    return value
  end
  return type(value) == "string" and { value } or {}
end

-- Returns the hub's name, or the response to refuse with.
local function route(segments)
  if #segments == 3 and segments[1] == "client" and segments[2] == "hubs" then
    local refused = parameters.refused_hub(segments[3])
    return not refused and segments[3] or nil, refused
  end
  return nil, responses.error(404, "Error.NotFound", "Clients connect to /client/hubs/{hub}.")
end

-- A client that offers a sub-protocol which is left out is served if it offers one that is not.
local function refuse_subprotocol(headers)
  local left_out
  for offered in (headers:get_comma_separated("sec-websocket-protocol") or ""):gmatch("[^,%s]+") do
    if connection.speaks(offered) then
      return nil
    end
    left_out = left_out or offered:find(LEFT_OUT_SUBPROTOCOL) and offered
  end
  return left_out and responses.error(501, "Error.NotImplemented",
    ("The sub-protocol %s is not part of this emulator; use %s."):format(left_out, connection.SUBPROTOCOLS[2])) or nil
end

-- Returns the groups a client joins at once, or nil and the response to refuse with.
local function groups_of(claims)
  local groups = list_claim(claims, "webpubsub.group")
  for _, group in ipairs(groups) do
    local refused = parameters.refused_group(group)
    if refused then
      return nil, refused
    end
  end
  return groups
end

local function token_of(headers, query)
  return query:first("access_token") or (headers:get("authorization") or ""):match("^[Bb]earer +(%S+)$")
end

-- A client that wants back into an earlier session gets the answer of a service that no longer has it.
local function refuse_recovery(peer)
  peer:close(CLOSE_POLICY_VIOLATION)
  peer:run(function() end)
end

-- Runs a client's connection to its end.
local function run(server, peer, client, groups)
  client:open(groups)
  server.peers[peer] = true
  local why = peer:run(function(text) client:receive(text) end)
  server.peers[peer] = nil
  client:lost(why)
end

-- Shakes hands. Returns the websocket and the sub-protocol, or nil and the response if there is one to refuse with.
local function shake_hands(stream, headers, on_upgrade)
  local upgrade, why = http_websocket.new_from_stream(stream, headers)
  if not upgrade then
    return nil, responses.error(400, "Error.BadRequest", ("A WebSocket handshake is expected: %s."):format(why))
  end
  if not upgrade:accept({ protocols = connection.SUBPROTOCOLS }, HANDSHAKE_SECONDS) then
    return nil
  end
  on_upgrade()
  return websocket.new(upgrade.socket), upgrade.protocol
end

local function serve_client(server, stream, headers, hub_name, claims, on_upgrade)
  local groups, refused = groups_of(claims)
  if not groups then
    return refused
  end
  local peer, subprotocol = shake_hands(stream, headers, on_upgrade)
  if not peer then
    return subprotocol
  end
  run(server, peer, connection.new {
    hub = server:hub(hub_name),
    user = string_claim(claims, "sub"),
    roles = list_claim(claims, "role"),
    subprotocol = subprotocol,
    outlet = peer,
    journal = server.journal,
  }, groups)
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
  if headers:get(":method") ~= "GET" then
    return responses.empty(405, { allow = "GET" })
  end
  local hub_name, refusal = route(parsed.segments)
  refusal = refusal or refuse_subprotocol(headers)
  if refusal then
    return refusal
  end
  if parsed.query:first("awps_reconnection_token") then
    local peer, refused = shake_hands(stream, headers, on_upgrade)
    if peer then
      refuse_recovery(peer)
    end
    return refused
  end
  local token = token_of(headers, parsed.query)
  local claims, refused = nil, "There is no access token"
  if token then
    claims, refused = auth.verify(server.key, token, parsed.base)
  end
  if not claims then
    return responses.unauthorized(refused), { problem = refused }
  end
  server.strangers:welcome(stream.connection.socket)
  return serve_client(server, stream, headers, hub_name, claims, on_upgrade)
end

return gateway
