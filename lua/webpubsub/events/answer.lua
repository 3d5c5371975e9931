--- What a handler returned, as the response that the service gets. What is wrong with it is raised.

local check = require "webpubsub.events.check"
local core = require "webpubsub.core"

local answer = {}

local MAX_CONTENT_BYTES = 1024 * 1024 -- of a message to a client

-- Bytes of the header: many servers, NGINX by default, take no line beyond 8 KiB, and the service sends it back to us.
local MAX_STATE_BYTES = 8000

local JSON = "application/json"

local OPERATION = "events.reject" -- of its errors; those of an answer go to the log without one

local function refuse(argument, code, message)
  check.refuse(argument, code, message, OPERATION)
end

-- MQTT's, as the service takes them; nil for none.
local function user_properties(list)
  local properties, entries = {}, 0
  for index, property in ipairs(list) do
    local where = ("mqtt.user_properties[%d]"):format(index)
    core.check_options(property, "property", where, OPERATION)
    local name, value = core.field(property, "name"), core.field(property, "value")
    if not (name and value) then refuse("user_properties", "missing", where .. " needs a name and a value") end
    properties[index] = { name = name, value = value }
  end
  for _ in pairs(list) do entries = entries + 1 end
  if entries ~= #properties then
    refuse("user_properties", "type", "mqtt.user_properties must be a list, { { name = \"...\", value = \"...\" } }")
  end
  return entries > 0 and properties or nil
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

--- See `events.reject` in library/webpubsub.lua.
function answer.reject(status, message, mqtt)
  local self = setmetatable({ status = status, message = message or "" }, rejection)
  if type(status) ~= "number" or not (status >= 400 and status <= 599) or status % 1 ~= 0 then
    refuse("status", "invalid", "status must be an HTTP status from 400 to 599; it is " .. tostring(status))
  elseif type(self.message) ~= "string" then
    refuse("message", "type", "message must be a string; it is a " .. type(message))
  elseif mqtt ~= nil then
    core.check_options(mqtt, "rejection", "mqtt", OPERATION)
    self.mqtt_code = core.field(mqtt, "code")
    self.user_properties = user_properties(core.field(mqtt, "user_properties") or {})
  end
  return self
end

-- ---------------------------------------------------------------- parts of a response

-- Appends the header that replaces the connection's state.
local function add_state(headers, state)
  if state == nil then return end
  local text = core.encode_json(state)
  if not text:find("^{") then refuse("state", "type", "state must have names; it is a list") end
  text = core.base64(text)
  if #text > MAX_STATE_BYTES then
    refuse("state", "invalid", ("state takes %d bytes as base64 of its JSON; a header carries at most %d")
      :format(#text, MAX_STATE_BYTES))
  end
  headers["ce-connectionState"] = text
end

local function empty(headers)
  return 204, headers, ""
end

-- ---------------------------------------------------------------- answers, each by the kind of its event

local answers = {}

local function list_of(given, name)
  local list = check.strings(core.field(given, name), name)
  return list and #list > 0 and list or nil
end

function answers.connect(given)
  core.check_options(given, "connect", "the answer", OPERATION)
  local headers = {}
  local body = {
    userId = core.field(given, "user"), groups = list_of(given, "groups"), roles = list_of(given, "roles"),
    subprotocol = core.field(given, "subprotocol"),
  }
  local mqtt = core.field(given, "mqtt")
  if mqtt then
    core.check_options(mqtt, "mqtt", "mqtt", OPERATION)
    local properties = user_properties(core.field(mqtt, "user_properties") or {})
    body.mqtt = properties and { userProperties = properties }
  end
  add_state(headers, core.field(given, "state"))
  if next(body) == nil then return empty(headers) end
  headers["Content-Type"] = JSON
  return 200, headers, core.encode_json(body)
end

local mime_types = { text = "text/plain", json = JSON, binary = "application/octet-stream" }

local function mime_type(content_type)
  for name, mime in pairs(mime_types) do
    if content_type == name or content_type == mime then return mime end
  end
  refuse("content_type", "invalid",
    "content_type must be \"text\", \"json\", \"binary\", or the MIME type of one of them")
end

-- The message, and its type; nil: there is none.
local function message_of(given)
  local content, content_type = core.field(given, "content"), core.field(given, "content_type")
  local json = rawget(given, "json") -- null is a value
  if json == nil then
    if content_type and not content then
      refuse("content_type", "invalid", "content_type is given without content; give both, or json")
    end
    return content, content and mime_type(content_type or "text")
  elseif content or content_type then
    refuse("json", "invalid", "json is sent as application/json; give content and content_type without it")
  end
  return core.encode_json(json), JSON
end

function answers.user(given)
  core.check_options(given, "user_event", "the answer", OPERATION)
  local headers = {}
  add_state(headers, core.field(given, "state"))
  local content, mime = message_of(given)
  if not content then return empty(headers) end
  if #content > MAX_CONTENT_BYTES then
    refuse("content", "invalid", ("the message has %d bytes; at most %d (1 MiB) can be sent"):format(#content,
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
    refuse("answer", "type",
      ("the answer must be a table, nil or events.reject(status, message); it is a %s"):format(type(given)))
  end
  return answers[kind](given)
end

return answer
