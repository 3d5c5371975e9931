--- What each REST operation does to a hub. One function for each; it gets
--
--     call.hub      the hub (hub.lua)
--     call.ids      the path's parameters, decoded
--     call.query    the query (request.lua)
--     call.request  the whole parsed request (request.lua)
--     call.content_type, call.body
--     call.key      the access key
--     call.origin   `http://host:port` as the client addressed the server
--
-- and returns a response (responses.lua); a parameter that is not valid is raised as one (parameters.lua).

local auth = require "webpubsub.emulator.auth"
local base64 = require "webpubsub.emulator.base64"
local json = require "webpubsub.emulator.json"
local parameters = require "webpubsub.emulator.parameters"
local request = require "webpubsub.emulator.request"
local responses = require "webpubsub.emulator.responses"

local operations = {}

local DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE = 200, 200
local DEFAULT_TOKEN_MINUTES = 60
local MAX_INTEGER = 2147483647 -- of 32 bits, as the service has them

-- Path of the URL with which each type of client connects.
local CLIENT_PATHS = { default = "client", mqtt = "clients/mqtt", socketio = "clients/socketio" }

local function ok()
  return responses.empty(200)
end

local function no_content()
  return responses.empty(204)
end

function operations.get_service_status()
  return ok()
end

-- Closing -------------------------------------------------------------------------------------------------------

local function close(call, connections)
  local excluded = parameters.set(call.query:all("excluded"))
  local reason = call.query:first("reason")
  for _, connection in ipairs(connections) do
    if not excluded[connection.id] then
      connection:close(reason)
    end
  end
  return no_content()
end

function operations.close_all_connections(call)
  return close(call, call.hub:all())
end

function operations.close_user_connections(call)
  return close(call, call.hub:of_user(call.ids.user))
end

function operations.close_group_connections(call)
  return close(call, call.hub:in_group(call.ids.group))
end

function operations.close_connection(call)
  local connection = call.hub.connections[call.ids.connection]
  if connection then
    connection:close(call.query:first("reason"))
  end
  return no_content()
end

-- Existence -----------------------------------------------------------------------------------------------------

function operations.connection_exists(call)
  local id = call.ids.connection
  return call.hub.connections[id] and ok() or responses.not_existing("Connection", id, "Warning")
end

function operations.user_exists(call)
  local user = call.ids.user
  return call.hub.users[user] and ok() or responses.not_existing("User", user, "Warning")
end

function operations.group_exists(call)
  local group = call.ids.group
  return call.hub.groups[group] and ok() or responses.not_existing("Group", group, "Warning")
end

-- Sending -------------------------------------------------------------------------------------------------------

local function send(call, connections)
  local message = parameters.message(call.content_type, call.body)
  message.group = call.ids.group
  local matches = parameters.filter(call.query:first("filter"))
  local excluded = parameters.set(call.query:all("excluded"))
  parameters.integer(call.query, "messageTtlSeconds", 0, 300)
  for _, connection in ipairs(connections) do
    if not excluded[connection.id] and matches(connection) then
      connection:deliver(message)
    end
  end
  return responses.empty(202)
end

function operations.send_to_all(call)
  return send(call, call.hub:all())
end

function operations.send_to_user(call)
  return send(call, call.hub:of_user(call.ids.user))
end

function operations.send_to_group(call)
  return send(call, call.hub:in_group(call.ids.group))
end

function operations.send_to_connection(call)
  return send(call, { call.hub.connections[call.ids.connection] })
end

-- Groups --------------------------------------------------------------------------------------------------------

function operations.add_connection_to_group(call)
  local id = call.ids.connection
  local connection = call.hub.connections[id]
  if not connection then
    return responses.not_existing("Connection", id, "Error")
  end
  call.hub:join(connection, call.ids.group)
  return ok()
end

function operations.remove_connection_from_group(call)
  local connection = call.hub.connections[call.ids.connection]
  if connection then
    call.hub:leave(connection, call.ids.group)
  end
  return no_content()
end

function operations.remove_connection_from_all_groups(call)
  local connection = call.hub.connections[call.ids.connection]
  if connection then
    call.hub:leave_all(connection)
  end
  return no_content()
end

-- The connections the user has now; those that come later are not added.
function operations.add_user_to_group(call)
  local user = call.ids.user
  if not call.hub.users[user] then
    return responses.not_existing("User", user, "Warning")
  end
  for _, connection in ipairs(call.hub:of_user(user)) do
    call.hub:join(connection, call.ids.group)
  end
  return ok()
end

function operations.remove_user_from_group(call)
  for _, connection in ipairs(call.hub:of_user(call.ids.user)) do
    call.hub:leave(connection, call.ids.group)
  end
  return no_content()
end

function operations.remove_user_from_all_groups(call)
  for _, connection in ipairs(call.hub:of_user(call.ids.user)) do
    call.hub:leave_all(connection)
  end
  return no_content()
end

local function change_groups(call, change)
  local groups, filter_text = parameters.groups_and_filter(call.content_type, call.body)
  local matches = parameters.filter(filter_text, "Filter")
  for _, connection in ipairs(call.hub:all()) do
    if matches(connection) then
      for _, group in ipairs(groups) do
        change(call.hub, connection, group)
      end
    end
  end
  return ok()
end

function operations.add_connections_to_groups(call)
  return change_groups(call, call.hub.join)
end

function operations.remove_connections_from_groups(call)
  return change_groups(call, call.hub.leave)
end

local function decode_continuation(token)
  if not token then
    return 0
  end
  local text = base64.decode_url(token)
  local serial = text and math.tointeger(tonumber(text:match("^after (%d+)$")))
  if not serial then
    parameters.reject("continuationToken", "The continuation token is not one that this server has issued.")
  end
  return serial
end

local function next_link(call, page_size, remaining, last_serial)
  local query = {
    "api-version=" .. request.escape(call.query:first("api-version")),
    "maxpagesize=" .. page_size,
    "continuationToken=" .. base64.encode_url("after " .. last_serial),
  }
  if remaining then
    query[#query + 1] = "top=" .. remaining
  end
  return call.request.base .. "?" .. table.concat(query, "&")
end

function operations.list_connections_in_group(call)
  local page_size = parameters.integer(call.query, "maxpagesize", 1, MAX_PAGE_SIZE) or DEFAULT_PAGE_SIZE
  local top = parameters.integer(call.query, "top", 1, MAX_INTEGER)
  local after = decode_continuation(call.query:first("continuationToken"))
  local page, more = call.hub:page(call.ids.group, after, math.min(page_size, top or page_size))
  local remaining = top and top - #page
  local value = {}
  for index, connection in ipairs(page) do
    value[index] = json.object("connectionId", connection.id, "userId", connection.user)
  end
  local link = more and remaining ~= 0 and next_link(call, page_size, remaining, page[#page].serial) or nil
  return responses.json(200, json.object("value", json.array(value), "nextLink", link))
end

-- Permissions ---------------------------------------------------------------------------------------------------

function operations.grant_permission(call)
  local name, id = parameters.permission(call.ids.permission), call.ids.connection
  local group = parameters.target_name(call.query)
  local connection = call.hub.connections[id]
  if not connection then
    return responses.not_existing("Connection", id, "Info")
  end
  connection.permissions:grant(name, group)
  return ok()
end

function operations.revoke_permission(call)
  local name = parameters.permission(call.ids.permission)
  local group = parameters.target_name(call.query)
  if not group then
    return responses.error(400, "Error.BadRequest", "The targetName field is required.", "Request")
  end
  local connection = call.hub.connections[call.ids.connection]
  if connection then
    connection.permissions:revoke(name, group)
  end
  return no_content()
end

function operations.check_permission(call)
  local name, id = parameters.permission(call.ids.permission), call.ids.connection
  local group = parameters.target_name(call.query)
  local connection = call.hub.connections[id]
  if connection and connection.permissions:allow(name, group) then
    return ok()
  end
  return responses.not_existing("Connection", id, "Info")
end

-- Tokens --------------------------------------------------------------------------------------------------------

function operations.generate_client_token(call)
  local minutes = parameters.integer(call.query, "minutesToExpire", 1, MAX_INTEGER) or DEFAULT_TOKEN_MINUTES
  local path = CLIENT_PATHS[(call.query:first("clientType") or "default"):lower()]
  if not path then
    parameters.reject("clientType", "The clientType has to be one of Default, MQTT and socketio.")
  end
  local token = auth.client_token(call.key, {
    audience = ("%s/%s/hubs/%s"):format(call.origin, path, call.ids.hub),
    user = call.query:first("userId"),
    roles = call.query:all("role"),
    groups = parameters.groups(call.query, "group"),
    seconds = minutes * 60,
  })
  return responses.json(200, json.object("token", token))
end

return operations
