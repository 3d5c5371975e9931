--- What a handler returned, as the response that the service gets. What is wrong with it is raised.

local check = require "webpubsub.events.check"
local core = require "webpubsub.core"

local answer = {}

local MAX_CONTENT_BYTES = 1024 * 1024 -- of a message to a client

-- Bytes of the header: many servers, NGINX by default, take no line beyond 8 KiB, and the service sends it back to us.
local MAX_STATE_BYTES = 8000

local JSON = "application/json"

local function user_properties(list)
  local properties = {}
  for index, property in ipairs(list) do
    local where = ("mqtt.user_properties[%d]"):format(index)
    check.fields(property, { name = "string", value = "string" }, where)
    if not (property.name and property.value) then
      check.refuse("user_properties", "missing", where .. " needs a name and a value")
    end
    properties[index] = { name = property.name, value = property.value }
  end
  return #properties > 0 and properties or nil -- an empty list has no JSON that it could not be mistaken for
end

-- ---------------------------------------------------------------- rejections

local rejection = {}
rejection.__index = rejection

function rejection:__tostring()
  return ("rejection with status %d: %s"):format(self.status, self.message)
end

-- Reason codes of MQTT 5 and return codes of MQTT 3.1.1, by the HTTP status; the first row that fits counts.
local mqtt_codes = {
  { 401, 401, 0x87, 5 }, { 403, 403, 0x87, 5 }, -- not authorized
  { 429, 429, 0x9F, 3 },                        -- connection rate exceeded; server unavailable
  { 500, 599, 0x88, 3 },                        -- server unavailable
  { 400, 499, 0x80, 5 },                        -- unspecified error; not authorized
}

local function mqtt_code(status, version)
  for _, row in ipairs(mqtt_codes) do
    if status >= row[1] and status <= row[2] then return version == 5 and row[3] or row[4] end
  end
end

local function refuse_rejection(argument, message)
  core.raise("argument", "invalid", message, argument, "events.reject")
end

local function is_whole(number, low, high)
  return type(number) == "number" and number >= low and number <= high and number % 1 == 0
end

--- See `events.reject` in annotations.lua.
function answer.reject(status, message, mqtt)
  local self = setmetatable({ status = status, message = message or "" }, rejection)
  if not is_whole(status, 400, 599) then
    refuse_rejection("status", "status must be an HTTP status from 400 to 599; it is " .. tostring(status))
  elseif type(self.message) ~= "string" then
    refuse_rejection("message", "message must be a string; it is a " .. type(message))
  elseif mqtt ~= nil then
    check.fields(mqtt, { code = "number", user_properties = "table" }, "mqtt")
    if mqtt.code and not is_whole(mqtt.code, 1, 255) then
      refuse_rejection("code", "mqtt.code must be a reason code of MQTT, 1 to 255; it is " .. tostring(mqtt.code))
    end
    self.mqtt_code, self.user_properties = mqtt.code, user_properties(mqtt.user_properties or {})
  end
  return self
end

-- ---------------------------------------------------------------- parts of a response

-- Appends the header that replaces the connection's state.
local function add_state(headers, state)
  if state == nil then return end
  local text = next(state) == nil and "{}" or core.encode_json(state)
  if not text:find("^{") then check.refuse("state", "type", "state must have names; it is a list") end
  text = core.base64(text)
  if #text > MAX_STATE_BYTES then
    check.refuse("state", "invalid", ("state takes %d bytes as base64 of its JSON; a header carries at most %d")
      :format(#text, MAX_STATE_BYTES))
  end
  headers["ce-connectionState"] = text
end

local function empty(headers)
  return 204, headers, ""
end

-- ---------------------------------------------------------------- answers, each by the kind of its event

local answers = {}

local connect_types = {
  user = "string", groups = "table", roles = "table", subprotocol = "string", state = "table", mqtt = "table",
}

-- The service takes an empty one for a mistake.
local function filled(given, name)
  local text = core.field(given, name)
  if text == "" then check.refuse(name, "empty", name .. " must not be empty; leave it out") end
  return text
end

local function list_of(given, name)
  local list = check.strings(core.field(given, name), name)
  return list and #list > 0 and list or nil
end

function answers.connect(given)
  check.fields(given, connect_types, "the answer")
  local headers = {}
  local body = {
    userId = filled(given, "user"), groups = list_of(given, "groups"), roles = list_of(given, "roles"),
    subprotocol = filled(given, "subprotocol"),
  }
  local mqtt = core.field(given, "mqtt")
  if mqtt then
    check.fields(mqtt, { user_properties = "table" }, "mqtt")
    local properties = user_properties(core.field(mqtt, "user_properties") or {})
    body.mqtt = properties and { userProperties = properties }
  end
  add_state(headers, core.field(given, "state"))
  if next(body) == nil then return empty(headers) end
  headers["Content-Type"] = JSON
  return 200, headers, core.encode_json(body)
end

local user_types = { content = "string", content_type = "string", json = "any", state = "table" }

local mime_types = { text = "text/plain", json = JSON, binary = "application/octet-stream" }

local function mime_type(content_type)
  for name, mime in pairs(mime_types) do
    if content_type == name or content_type == mime then return mime end
  end
  check.refuse("content_type", "invalid",
    "content_type must be \"text\", \"json\", \"binary\", or the MIME type of one of them")
end

-- The message, and its type; nil: there is none.
local function message_of(given)
  local content, content_type = core.field(given, "content"), core.field(given, "content_type")
  local json = rawget(given, "json") -- null is a value
  if json == nil then
    return content, content and mime_type(content_type or "text")
  elseif content or content_type then
    check.refuse("json", "invalid", "json is sent as application/json; give content and content_type without it")
  end
  return core.encode_json(json), JSON
end

function answers.user(given)
  check.fields(given, user_types, "the answer")
  local headers = {}
  add_state(headers, core.field(given, "state"))
  local content, mime = message_of(given)
  if not content then return empty(headers) end
  if #content > MAX_CONTENT_BYTES then
    check.refuse("content", "invalid", ("the message has %d bytes; at most %d (1 MiB) can be sent"):format(#content,
      MAX_CONTENT_BYTES))
  end
  headers["Content-Type"] = mime
  return 200, headers, content
end

-- ---------------------------------------------------------------- whichever it is

local function rejected(self, event)
  if not event.mqtt then return self.status, { ["Content-Type"] = "text/plain" }, self.message end
  return self.status, { ["Content-Type"] = JSON }, core.encode_json {
    mqtt = {
      code = self.mqtt_code or mqtt_code(self.status, event.mqtt.protocol_version),
      reason = self.message ~= "" and self.message or nil, userProperties = self.user_properties,
    },
  }
end

--- The response for what a handler returned.
---@param kind string  the event's
---@param event table
---@param given any
---@return integer status
---@return table<string, string> headers
---@return string body
function answer.response(kind, event, given)
  if getmetatable(given) == rejection then return rejected(given, event) end
  if given == nil or not answers[kind] then return empty({}) end -- the service does not wait for it
  if type(given) ~= "table" then
    check.refuse("answer", "type",
      ("the answer must be a table, nil or events.reject(status, message); it is a %s"):format(type(given)))
  end
  return answers[kind](given)
end

return answer
