--- Reads and checks a client's handshake before anything else happens: the hub, the token, the sub-protocols. A
-- handshake that is not valid yields the response to refuse it with.

local http_websocket = require "http.websocket"

local auth = require "webpubsub.emulator.auth"
local connection = require "webpubsub.emulator.connection"
local parameters = require "webpubsub.emulator.parameters"
local responses = require "webpubsub.emulator.responses"

local handshake = {}

local UNSUPPORTED_SUBPROTOCOL = "^protobuf%."

local function refuse(response, problem)
  error({ response = response, problem = problem }, 0)
end

-- An empty claim counts as absent.
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

local function read_hub(segments)
  if #segments ~= 3 or segments[1] ~= "client" or segments[2] ~= "hubs" then
    refuse(responses.error(404, "Error.NotFound", "Clients connect to /client/hubs/{hub}."))
  end
  local refused = parameters.refused_hub(segments[3])
  if refused then
    refuse(refused)
  end
  return segments[3]
end

-- The sub-protocols a client offers, in its order.
local function read_offered(headers)
  local offered = {}
  for name in (headers:get_comma_separated("sec-websocket-protocol") or ""):gmatch("[^,%s]+") do
    offered[#offered + 1] = name
  end
  return offered
end

-- Returns the sub-protocol to use, nil for none. A client that offers unsupported ones is served if it also offers a
-- supported one.
local function choose_subprotocol(offers, offered)
  for _, subprotocol in ipairs(connection.SUBPROTOCOLS) do
    if offers[subprotocol] then
      return subprotocol
    end
  end
  for _, subprotocol in ipairs(offered) do
    if subprotocol:find(UNSUPPORTED_SUBPROTOCOL) then
      refuse(responses.error(501, "Error.NotImplemented", ("The sub-protocol %s is not part of this emulator; use %s.")
        :format(subprotocol, connection.SUBPROTOCOLS[2])))
    end
  end
end

local function read_claims(key, headers, parsed)
  local token = parsed.query:first("access_token") or (headers:get("authorization") or ""):match("^[Bb]earer +(%S+)$")
  local claims, problem = nil, "There is no access token"
  if token then
    claims, problem = auth.verify(key, token, parsed.base)
  end
  if not claims then
    refuse(responses.unauthorized(problem), problem)
  end
  return claims
end

local function read_groups(claims)
  local groups = list_claim(claims, "webpubsub.group")
  for _, group in ipairs(groups) do
    local refused = parameters.refused_group(group)
    if refused then
      refuse(refused)
    end
  end
  return groups
end

-- lua-http's half of a WebSocket.
local function read_upgrade(stream, headers)
  local upgrade, why = http_websocket.new_from_stream(stream, headers)
  if not upgrade then
    refuse(responses.error(400, "Error.BadRequest", ("A WebSocket handshake is expected: %s."):format(why)))
  end
  return upgrade
end

local function read(key, stream, headers, parsed, welcome)
  local offered = read_offered(headers)
  local self = {
    hub = read_hub(parsed.segments),
    query = parsed.query,
    headers = headers,
    offered = offered,
    offers = parameters.set(offered),
  }
  self.subprotocol = choose_subprotocol(self.offers, offered)
  self.reconnection_token = parsed.query:first("awps_reconnection_token")
  if self.reconnection_token then
    self.connection_id = parsed.query:first("awps_connection_id") or ""
  else
    self.claims = read_claims(key, headers, parsed)
    welcome()
    self.user, self.roles = string_claim(self.claims, "sub"), list_claim(self.claims, "role")
    self.groups = read_groups(self.claims)
  end
  self.upgrade = read_upgrade(stream, headers)
  return self
end

---@class EmulatorHandshake
---@field hub string
---@field query table
---@field headers table of lua-http
---@field upgrade table lua-http's half of the WebSocket, not accepted yet
---@field offered string[] sub-protocols, in the client's order
---@field offers table<string, boolean> the same as a set
---@field subprotocol string? the one the server would choose
---@field claims table? of a valid token; nil for a client that wants an earlier connection back
---@field user string?
---@field roles string[]?
---@field groups string[]?
---@field connection_id string? of the connection that a client wants back
---@field reconnection_token string?

--- Reads a handshake.
---@param key string the access key
---@param stream table
---@param headers table
---@param parsed table as request.parse() returns it
---@param welcome fun() called when it has shown a valid token
---@return EmulatorHandshake|nil
---@return EmulatorResponse|nil refusal
---@return table|nil about the refusal, for the journal
function handshake.read(key, stream, headers, parsed, welcome)
  if headers:get(":method") ~= "GET" then
    return nil, responses.empty(405, { allow = "GET" })
  end
  local done, result = pcall(read, key, stream, headers, parsed, welcome)
  if done then
    return result
  elseif type(result) == "table" and result.response then
    return nil, result.response, { problem = result.problem }
  end
  error(result, 0)
end

return handshake
