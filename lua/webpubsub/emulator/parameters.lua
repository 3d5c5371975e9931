--- The checks of what a caller sends. Each returns the value it was asked for or raises the response to answer with,
-- which rest.lua catches.

local filter = require "webpubsub.emulator.filter"
local json = require "webpubsub.emulator.json"
local permissions = require "webpubsub.emulator.permissions"
local responses = require "webpubsub.emulator.responses"

local parameters = {}

parameters.MAX_GROUP_CHARACTERS = 1024
local HUB_PATTERN = "^%a[%w_`,.%[%]]*$"
local MAX_HUB_CHARACTERS = 128

local API_VERSIONS = { "2021-10-01", "2022-11-01", "2023-07-01", "2024-01-01", "2024-12-01" }
parameters.API_VERSIONS = table.concat(API_VERSIONS, ", ")

local JSON_TYPE = "application/json"
local MESSAGE_TYPES = {
  ["text/plain"] = "text",
  [JSON_TYPE] = "json",
  ["application/octet-stream"] = "binary",
}

--- Raises the answer to a parameter that is not valid.
---@param target string
---@param message string
function parameters.reject(target, message)
  error({ response = responses.problem(target, message) }, 0)
end

---@param query table
function parameters.api_version(query)
  local wanted = query:first("api-version")
  for _, version in ipairs(API_VERSIONS) do
    if version == wanted then
      return
    end
  end
  parameters.reject("api-version", wanted
    and ("The api-version '%s' is not one of %s."):format(wanted, parameters.API_VERSIONS)
    or "The api-version field is required.")
end

--- What is wrong with a hub's name.
---@param hub string
---@return EmulatorResponse|nil
function parameters.refused_hub(hub)
  if #hub > MAX_HUB_CHARACTERS or not hub:find(HUB_PATTERN) then
    return responses.problem("hub", ("The hub '%s' has to start with a letter, followed by at most %d letters, digits "
      .. "or any of _`,.[]"):format(hub, MAX_HUB_CHARACTERS - 1))
  end
  return nil
end

--- What is wrong with a group's name.
---@param group any
---@param target string? the parameter it stands in, default "group"
---@return EmulatorResponse|nil
function parameters.refused_group(group, target)
  if type(group) ~= "string" or not group:find("%S") or (utf8.len(group) or 0) > parameters.MAX_GROUP_CHARACTERS then
    return responses.problem(target or "group",
      ("A group has to have 1 to %d characters, not all of them white space."):format(parameters.MAX_GROUP_CHARACTERS))
  end
  return nil
end

local function check_group(group, target)
  local refused = parameters.refused_group(group, target)
  if refused then
    error({ response = refused }, 0)
  end
end

--- Checks what stands in the path.
---@param ids table<string, string>
function parameters.ids(ids)
  local refused = ids.hub and parameters.refused_hub(ids.hub)
  if refused then
    error({ response = refused }, 0)
  end
  if ids.group then
    check_group(ids.group)
  end
end

--- All groups named by a repeated parameter of the query.
---@param query table
---@param name string
---@return string[]
function parameters.groups(query, name)
  local groups = query:all(name)
  for _, group in ipairs(groups) do
    check_group(group, name)
  end
  return groups
end

--- The group that permissions are about; nil when they are about every group.
---@param query table
---@return string|nil
function parameters.target_name(query)
  local group = query:first("targetName")
  if group then
    check_group(group, "targetName")
  end
  return group
end

---@param name string
---@return string name
function parameters.permission(name)
  if not permissions.NAMES[name] then
    parameters.reject("permission", ("The permission '%s' has to be sendToGroup or joinLeaveGroup."):format(name))
  end
  return name
end

---@param query table
---@param name string
---@param min integer
---@param max integer
---@return integer|nil value nil when the parameter is absent
function parameters.integer(query, name, min, max)
  local text = query:first(name)
  if not text then
    return nil
  end
  local value = text:find("^-?%d+$") and math.tointeger(tonumber(text))
  if not value or value < min or value > max then
    parameters.reject(name, ("The field %s has to be an integer of %d to %d."):format(name, min, max))
  end
  return value
end

---@param values string[]
---@return table<string, boolean>
function parameters.set(values)
  local set = {}
  for _, value in ipairs(values) do
    set[value] = true
  end
  return set
end

local function everyone()
  return true
end

---@param text string?
---@param target string? the parameter it stands in, default "filter"
---@return fun(connection: table): boolean
function parameters.filter(text, target)
  if not text or text == "" then
    return everyone
  end
  local matches, message = filter.compile(text)
  if not matches then
    parameters.reject(target or "filter", message)
  end
  return matches
end

local function media_type_of(content_type)
  return (content_type or ""):lower():match("^%s*([^;%s]*)")
end

local function reject_content_type(content_type, expected)
  error({ response = responses.error(415, "Error.UnsupportedMediaType",
    ("The content type '%s' has to be %s."):format(content_type or "", expected)) }, 0)
end

--- The kind of message a content type stands for.
---@param content_type string?
---@return "text"|"json"|"binary"|nil
function parameters.message_type(content_type)
  return MESSAGE_TYPES[media_type_of(content_type)]
end

--- The message a send carries.
---@param content_type string?
---@param body string
---@return EmulatorMessage
function parameters.message(content_type, body)
  local message_type = parameters.message_type(content_type)
  if not message_type then
    reject_content_type(content_type, "text/plain, application/json or application/octet-stream")
  elseif message_type ~= "binary" and not utf8.len(body) then
    parameters.reject("message", "The body is not valid UTF-8.")
  elseif message_type == "json" then
    local value, wrong = json.decode(body)
    if value == nil then
      parameters.reject("message", ("The body is not valid JSON: %s."):format(wrong))
    end
  end
  return { type = message_type, data = body }
end

--- The body of adding connections to groups and of removing them. The service names its members with a capital when it
-- refuses them.
---@param content_type string?
---@param body string
---@return string[] groups
---@return string|nil filter
function parameters.groups_and_filter(content_type, body)
  if media_type_of(content_type) ~= JSON_TYPE then
    reject_content_type(content_type, JSON_TYPE)
  elseif not utf8.len(body) then
    parameters.reject("body", "The body is not valid UTF-8.")
  end
  local value, wrong = json.decode(body)
  if type(value) ~= "table" then
    parameters.reject("body", ("The body has to be a JSON object with 'groups'%s."):format(
      wrong and ": " .. wrong or ""))
  elseif type(value.groups) ~= "table" or #value.groups == 0 then
    parameters.reject("Groups", "The field 'groups' has to be a list of at least one group.")
  end
  for _, group in ipairs(value.groups) do
    check_group(group, "Groups")
  end
  local text = value.filter
  if text == json.null then
    text = nil
  elseif text ~= nil and type(text) ~= "string" then
    parameters.reject("Filter", "The field 'filter' has to be a string.")
  end
  return value.groups, text
end

return parameters
