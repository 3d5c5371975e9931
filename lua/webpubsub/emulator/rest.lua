--- The REST interface: from a request to the operation it names, through the checks all operations share.

local auth = require "webpubsub.emulator.auth"
local operations = require "webpubsub.emulator.operations"
local parameters = require "webpubsub.emulator.parameters"
local responses = require "webpubsub.emulator.responses"

local rest = {}

-- method, path below /api/hubs/{hub}, operation. `{…}` stands for one segment.
local ROUTES = {
  { "POST", "/:closeConnections", "close_all_connections" },
  { "POST", "/users/{user}/:closeConnections", "close_user_connections" },
  { "POST", "/groups/{group}/:closeConnections", "close_group_connections" },
  { "DELETE", "/connections/{connection}", "close_connection" },
  { "HEAD", "/connections/{connection}", "connection_exists" },
  { "HEAD", "/users/{user}", "user_exists" },
  { "HEAD", "/groups/{group}", "group_exists" },
  { "POST", "/:send", "send_to_all" },
  { "POST", "/users/{user}/:send", "send_to_user" },
  { "POST", "/groups/{group}/:send", "send_to_group" },
  { "POST", "/connections/{connection}/:send", "send_to_connection" },
  { "PUT", "/groups/{group}/connections/{connection}", "add_connection_to_group" },
  { "DELETE", "/groups/{group}/connections/{connection}", "remove_connection_from_group" },
  { "DELETE", "/connections/{connection}/groups", "remove_connection_from_all_groups" },
  { "PUT", "/users/{user}/groups/{group}", "add_user_to_group" },
  { "DELETE", "/users/{user}/groups/{group}", "remove_user_from_group" },
  { "DELETE", "/users/{user}/groups", "remove_user_from_all_groups" },
  { "POST", "/:addToGroups", "add_connections_to_groups" },
  { "POST", "/:removeFromGroups", "remove_connections_from_groups" },
  { "GET", "/groups/{group}/connections", "list_connections_in_group" },
  { "PUT", "/permissions/{permission}/connections/{connection}", "grant_permission" },
  { "DELETE", "/permissions/{permission}/connections/{connection}", "revoke_permission" },
  { "HEAD", "/permissions/{permission}/connections/{connection}", "check_permission" },
  { "POST", "/:generateToken", "generate_client_token" },
}

-- The operations that have a body, and so need its length up front.
local WITH_BODY = parameters.set {
  "send_to_all", "send_to_user", "send_to_group", "send_to_connection",
  "add_connections_to_groups", "remove_connections_from_groups",
}

-- Routes by their number of segments, each segment a literal or the name of an id.
local routes_by_length = {}

local function add_route(method, template, operation)
  local segments = {}
  for segment in template:gmatch("/([^/]+)") do
    segments[#segments + 1] = { id = segment:match("^{(.*)}$"), literal = segment }
  end
  local routes = routes_by_length[#segments] or {}
  routes[#routes + 1] = { method = method, segments = segments, operation = operation }
  routes_by_length[#segments] = routes
end

add_route("HEAD", "/api/health", "get_service_status")
for _, route in ipairs(ROUTES) do
  add_route(route[1], "/api/hubs/{hub}" .. route[2], route[3])
end

local function match_segments(route, segments)
  local ids = {}
  for index, segment in ipairs(route.segments) do
    if segment.id then
      ids[segment.id] = segments[index]
    elseif segment.literal ~= segments[index] then
      return nil
    end
  end
  return ids
end

-- Returns the operation's name and the path's ids, or the response when there is no such operation.
local function find_operation(method, segments)
  local allowed = {}
  for _, route in ipairs(routes_by_length[#segments] or {}) do
    local ids = match_segments(route, segments)
    if ids and route.method == method then
      return route.operation, ids
    elseif ids then
      allowed[#allowed + 1] = route.method
    end
  end
  if #allowed > 0 then
    return nil, responses.empty(405, { allow = table.concat(allowed, ", ") })
  end
  return nil, responses.error(404, "Error.NotFound", "The path names no operation of the service.")
end

local function authorize(context, parsed)
  local token = (context.authorization or ""):match("^[Bb]earer +(%S+)$")
  if not token then
    return "The Authorization header has no Bearer token"
  end
  local claims, description = auth.verify(context.key, token, parsed.url)
  return not claims and description or nil
end

---@class EmulatorContext
---@field method string
---@field origin string `http://host:port` as the client addressed the server
---@field key string the access key
---@field hubs fun(name: string): table gives the hub of a name
---@field authorization string? the header
---@field content_type string? the header
---@field has_length boolean whether the request said how long its body is
---@field welcome fun() called when the request has shown a valid token
---@field read_body fun(): string|nil, EmulatorResponse|nil  reads the body; nil: how that failed, or the client is gone

local function perform(name, ids, context, parsed)
  parameters.api_version(parsed.query)
  parameters.ids(ids)
  if WITH_BODY[name] and not context.has_length then
    return responses.error(411, "Error.LengthRequired", "A Content-Length header is required.")
  end
  local body, failure = context.read_body()
  if not body then
    return failure
  end
  return operations[name] {
    hub = context.hubs(ids.hub),
    ids = ids,
    query = parsed.query,
    request = parsed,
    content_type = context.content_type,
    body = body,
    key = context.key,
    origin = context.origin,
  }
end

-- The code of an error, nil for what is none or for a client that is gone.
local function problem_of(response)
  return response and response.headers["x-ms-error-code"]
end

--- Answers one request.
---@param parsed table as request.parse() returns it
---@param context EmulatorContext
---@return EmulatorResponse
---@return table|nil about for the journal: `hub`, `text` (what was done) or `problem`
function rest.handle(parsed, context)
  local name, ids = find_operation(context.method, parsed.segments)
  if not name then
    return ids
  end
  if name == "get_service_status" then
    local response, text = operations.get_service_status()
    return response, { text = text }
  end
  local refused = authorize(context, parsed)
  if refused then
    return responses.unauthorized(refused), { problem = refused }
  end
  context.welcome()
  local performed, result, text = pcall(perform, name, ids, context, parsed)
  if performed then
    return result, { hub = ids.hub, text = text, problem = problem_of(result) }
  elseif type(result) == "table" and result.response then
    return result.response, { hub = ids.hub, problem = problem_of(result.response) }
  end
  return responses.error(500, "Error.InternalServerError", "The emulator failed; its log says why."),
    { problem = tostring(result) }
end

return rest
