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
-- and returns a response (responses.lua) and, where it did something, a line about that; a parameter that is not valid
-- is raised as a response (parameters.lua).

local cqueues = require "cqueues"

local auth = require "webpubsub.emulator.auth"
local base64 = require "webpubsub.emulator.base64"
local json = require "webpubsub.emulator.json"
local parameters = require "webpubsub.emulator.parameters"
local request = require "webpubsub.emulator.request"
local responses = require "webpubsub.emulator.responses"

local operations = {}

local DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE = 200, 200
local DEFAULT_TOKEN_MINUTES = 60
local MAX_TTL_SECONDS = 300
local MAX_INTEGER = 2147483647 -- of 32 bits, as the service has them

-- Path of the URL with which each type of client connects.
local CLIENT_PATHS = { default = "client", mqtt = "clients/mqtt", socketio = "clients/socketio" }

local function ok(...)
  return responses.empty(200), string.format(...)
end

local function no_content(...)
  return responses.empty(204), string.format(...)
end

local function number_of(count, noun)
  return ("%d %s%s"):format(count, noun, count == 1 and "" or "s")
end

local function count_of(count, what)
  return count > 0 and (", %d %s"):format(count, what) or ""
end

local function user_of(call)
  return "user " .. call.ids.user
end

local function group_of(call)
  return "group " .. call.ids.group
end

local function connection_of(call)
  return "connection " .. call.ids.connection
end

function operations.get_service_status()
  return ok "health: ok"
end

-- Closing -------------------------------------------------------------------------------------------------------

local function close(call, connections, whom)
  local excluded = parameters.set(call.query:all("excluded"))
  local reason = call.query:first("reason")
  local closed, spared = 0, 0
  for _, connection in ipairs(connections) do
    if excluded[connection.id] then
      spared = spared + 1
    else
      connection:close(reason)
      closed = closed + 1
    end
  end
  return no_content("close %s: %d closed%s", whom, closed, count_of(spared, "excluded"))
end

function operations.close_all_connections(call)
  return close(call, call.hub:all(), "everyone")
end

function operations.close_user_connections(call)
  return close(call, call.hub:of_user(call.ids.user), user_of(call))
end

function operations.close_group_connections(call)
  return close(call, call.hub:in_group(call.ids.group), group_of(call))
end

function operations.close_connection(call)
  local connection = call.hub.connections[call.ids.connection]
  if connection then
    connection:close(call.query:first("reason"))
  end
  return no_content("close %s: %d closed", connection_of(call), connection and 1 or 0)
end

-- Existence -----------------------------------------------------------------------------------------------------

local function exists(entry, kind, name)
  if not entry then
    return responses.not_existing(kind, name, "Warning"), ("%s %s: does not exist"):format(kind:lower(), name)
  end
  return ok("%s %s: exists", kind:lower(), name)
end

function operations.connection_exists(call)
  return exists(call.hub.connections[call.ids.connection], "Connection", call.ids.connection)
end

function operations.user_exists(call)
  return exists(call.hub.users[call.ids.user], "User", call.ids.user)
end

function operations.group_exists(call)
  return exists(call.hub.groups[call.ids.group], "Group", call.ids.group)
end

-- Sending -------------------------------------------------------------------------------------------------------

local function send(call, connections, whom)
  local message = parameters.message(call.content_type, call.body)
  message.group = call.ids.group
  local matches = parameters.filter(call.query:first("filter"))
  local excluded = parameters.set(call.query:all("excluded"))
  local seconds = parameters.integer(call.query, "messageTtlSeconds", 0, MAX_TTL_SECONDS) or 0
  message.expires = seconds > 0 and cqueues.monotime() + seconds or nil
  local sent, spared, filtered = 0, 0, 0
  for _, connection in ipairs(connections) do
    if excluded[connection.id] then
      spared = spared + 1
    elseif not matches(connection) then
      filtered = filtered + 1
    else
      connection:deliver(message)
      sent = sent + 1
    end
  end
  call.hub:record_message(message, whom, sent)
  return responses.empty(202), ("send %s of %s to %s: %d sent%s%s"):format(message.type,
    number_of(#message.data, "byte"), whom, sent, count_of(spared, "excluded"), count_of(filtered, "filtered out"))
end

function operations.send_to_all(call)
  return send(call, call.hub:all(), "everyone")
end

function operations.send_to_user(call)
  return send(call, call.hub:of_user(call.ids.user), user_of(call))
end

function operations.send_to_group(call)
  return send(call, call.hub:in_group(call.ids.group), group_of(call))
end

function operations.send_to_connection(call)
  return send(call, { call.hub.connections[call.ids.connection] }, connection_of(call))
end

-- Groups --------------------------------------------------------------------------------------------------------

function operations.add_connection_to_group(call)
  local id = call.ids.connection
  local connection = call.hub.connections[id]
  if not connection then
    return responses.not_existing("Connection", id, "Error")
  end
  call.hub:join(connection, call.ids.group)
  return ok("add %s to %s", connection_of(call), group_of(call))
end

function operations.remove_connection_from_group(call)
  local connection = call.hub.connections[call.ids.connection]
  if connection then
    call.hub:leave(connection, call.ids.group)
  end
  return no_content("remove %s from %s", connection_of(call), group_of(call))
end

function operations.remove_connection_from_all_groups(call)
  local connection = call.hub.connections[call.ids.connection]
  if connection then
    call.hub:leave_all(connection)
  end
  return no_content("remove %s from all groups", connection_of(call))
end

local function each_of_user(call, change)
  local connections = call.hub:of_user(call.ids.user)
  for _, connection in ipairs(connections) do
    change(call.hub, connection, call.ids.group)
  end
  return #connections
end

-- The connections the user has now; those that come later are not added.
function operations.add_user_to_group(call)
  local user = call.ids.user
  if not call.hub.users[user] then
    return responses.not_existing("User", user, "Warning")
  end
  return ok("add %s to %s: %s", user_of(call), group_of(call),
    number_of(each_of_user(call, call.hub.join), "connection"))
end

function operations.remove_user_from_group(call)
  return no_content("remove %s from %s: %s", user_of(call), group_of(call),
    number_of(each_of_user(call, call.hub.leave), "connection"))
end

function operations.remove_user_from_all_groups(call)
  return no_content("remove %s from all groups: %s", user_of(call),
    number_of(each_of_user(call, call.hub.leave_all), "connection"))
end

local function change_groups(call, change, what)
  local groups, filter_text = parameters.groups_and_filter(call.content_type, call.body)
  local matches = parameters.filter(filter_text, "Filter")
  local changed = 0
  for _, connection in ipairs(call.hub:all()) do
    if matches(connection) then
      changed = changed + 1
      for _, group in ipairs(groups) do
        change(call.hub, connection, group)
      end
    end
  end
  return ok("%s groups %s: %s", what, table.concat(groups, ", "), number_of(changed, "connection"))
end

function operations.add_connections_to_groups(call)
  return change_groups(call, call.hub.join, "add to")
end

function operations.remove_connections_from_groups(call)
  return change_groups(call, call.hub.leave, "remove from")
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
  local text = ("list %s: %s%s"):format(group_of(call), number_of(#page, "connection"), link and ", more follow" or "")
  return responses.json(200, json.object("value", json.array(value), "nextLink", link)), text
end

-- Permissions ---------------------------------------------------------------------------------------------------

local function permission_target(group)
  return group and "for group " .. group or "for all groups"
end

function operations.grant_permission(call)
  local name, id = parameters.permission(call.ids.permission), call.ids.connection
  local group = parameters.target_name(call.query)
  local connection = call.hub.connections[id]
  if not connection then
    return responses.not_existing("Connection", id, "Info")
  end
  connection.permissions:grant(name, group)
  return ok("grant %s %s to %s", name, permission_target(group), connection_of(call))
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
  return no_content("revoke %s %s from %s", name, permission_target(group), connection_of(call))
end

function operations.check_permission(call)
  local name, id = parameters.permission(call.ids.permission), call.ids.connection
  local group = parameters.target_name(call.query)
  local connection = call.hub.connections[id]
  if connection and connection.permissions:allow(name, group) then
    return ok("check %s %s of %s: yes", name, permission_target(group), connection_of(call))
  end
  return responses.not_existing("Connection", id, "Info"),
    ("check %s %s of %s: no"):format(name, permission_target(group), connection_of(call))
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
  return responses.json(200, json.object("token", token)),
    "generate a token for " .. (call.query:first("userId") and "user " .. call.query:first("userId") or "nobody")
end

return operations
