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

-- The sub-protocols a client offers, in its order.
local function offered_by(headers)
  local offered = {}
  for name in (headers:get_comma_separated("sec-websocket-protocol") or ""):gmatch("[^,%s]+") do
    offered[#offered + 1] = name
  end
  return offered
end

-- Returns the sub-protocol to speak, nil for none; or the response to refuse with. A client that offers one which is
-- left out is served if it also offers one that is not.
local function choose_subprotocol(offers, offered)
  for _, subprotocol in ipairs(connection.SUBPROTOCOLS) do
    if offers[subprotocol] then
      return subprotocol
    end
  end
  for _, subprotocol in ipairs(offered) do
    if subprotocol:find(LEFT_OUT_SUBPROTOCOL) then
      return nil, responses.error(501, "Error.NotImplemented", ("The sub-protocol %s is not part of this emulator; "
        .. "use %s."):format(subprotocol, connection.SUBPROTOCOLS[2]))
    end
  end
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

-- Runs a client's connection to its end.
local function run(server, peer, client, groups)
  client:open(groups)
  server.peers[peer] = true
  local why = peer:run(function(text, kind) client:receive(text, kind) end)
  server.peers[peer] = nil
  client:lost(why)
end

-- Returns lua-http's half of a WebSocket, or nil and the response that says what is missing.
local function read_handshake(stream, headers)
  local upgrade, why = http_websocket.new_from_stream(stream, headers)
  if not upgrade then
    return nil, responses.error(400, "Error.BadRequest", ("A WebSocket handshake is expected: %s."):format(why))
  end
  return upgrade
end

-- Returns the WebSocket, or nil when the client is gone.
local function shake_hands(upgrade, subprotocol, on_upgrade)
  if upgrade:accept({ protocols = { subprotocol } }, HANDSHAKE_SECONDS) then
    on_upgrade()
    return websocket.new(upgrade.socket)
  end
end

-- Admits a client with a valid token, if the event handler agrees, and serves it. Returns the response to refuse with.
local function serve_client(server, upgrade, client, handshake, on_upgrade)
  local refused = server.events and server.events:connect(client, handshake)
  if refused then
    return refused
  end
  local peer = shake_hands(upgrade, client.subprotocol, on_upgrade)
  if peer then
    client.outlet, client.journal, client.events = peer, server.journal, server.events
    run(server, peer, connection.new(client), client.groups)
  elseif server.events then
    server.events:disconnected(client, websocket.CUT)
  end
end

-- A client that wants back into an earlier session gets the answer of a service that no longer has it.
local function refuse_recovery(upgrade, subprotocol, on_upgrade)
  local peer = shake_hands(upgrade, subprotocol, on_upgrade)
  if peer then
    peer:close(CLOSE_POLICY_VIOLATION)
    peer:run(function() end)
  end
end

-- Returns the claims of the client's token, or nil and what is wrong with it.
local function authorize(server, headers, parsed)
  local token = token_of(headers, parsed.query)
  if not token then
    return nil, "There is no access token"
  end
  return auth.verify(server.key, token, parsed.base)
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
  local offered = offered_by(headers)
  local offers = parameters.set(offered)
  local subprotocol, upgrade
  if not refusal then
    subprotocol, refusal = choose_subprotocol(offers, offered)
  end
  if refusal then
    return refusal
  end
  local recovers = parsed.query:first("awps_reconnection_token") ~= nil
  local claims, problem
  if not recovers then
    claims, problem = authorize(server, headers, parsed)
    if not claims then
      return responses.unauthorized(problem), { problem = problem }
    end
    server.strangers:welcome(stream.connection.socket)
  end
  upgrade, refusal = read_handshake(stream, headers)
  if refusal then
    return refusal
  elseif recovers then
    return refuse_recovery(upgrade, subprotocol, on_upgrade)
  end
  local groups
  groups, refusal = groups_of(claims)
  return refusal or serve_client(server, upgrade, {
    hub = server:hub(hub_name),
    id = connection.new_id(),
    user = string_claim(claims, "sub"),
    roles = list_claim(claims, "role"),
    groups = groups,
    subprotocol = subprotocol,
  }, { query = parsed.query, headers = headers, claims = claims, offered = offered, offers = offers }, on_upgrade)
end

return gateway
