--- What a request of the service says, as the table that handlers get: CloudEvents in binary mode over HTTP. Their
--- attributes are headers, their data is the body.

local core = require "webpubsub.core"

local event = {}

-- By the type.
local kinds = {
  ["azure.webpubsub.sys.connect"] = "connect",
  ["azure.webpubsub.sys.connected"] = "connected",
  ["azure.webpubsub.sys.disconnected"] = "disconnected",
  ["azure.webpubsub.gp.joined"] = "joined",
  ["azure.webpubsub.gp.left"] = "left",
}

local USER_EVENT = "^azure%.webpubsub%.user%.(.+)$" -- what follows is the client's choice

--- The kind of an event: "connect", "connected", "disconnected", "joined", "left", "user" or "unknown"; and of a user's
--- its name.
---@param type string
---@return string kind
---@return string|nil name
function event.kind(type)
  local name = type:match(USER_EVENT)
  return name and "user" or kinds[type] or "unknown", name
end

local short_types = { ["text/plain"] = "text", ["application/json"] = "json", ["application/octet-stream"] = "binary" }

-- The JSON object in a text, or nil.
local function object(text)
  local value = text:find("^%s*{") and core.decode_json(text)
  return type(value) == "table" and value or nil
end

-- A member that should be a table: an empty one where it is missing or null.
local function member(value, name)
  local found = core.field(value, name)
  return type(found) == "table" and found or {}
end

local function user_properties(given)
  local properties = {}
  for _, property in ipairs(member(given, "userProperties")) do
    if type(property) == "table" then
      properties[#properties + 1] = { name = core.field(property, "name"), value = core.field(property, "value") }
    end
  end
  return properties
end

-- ---------------------------------------------------------------- bodies, each by the kind of its event

local read = {}

local function read_mqtt_connect(given)
  local password = core.field(given, "password")
  if password ~= nil then
    password = type(password) == "string" and core.decode_base64(password)
    if not password then return nil, "mqtt.password is not base64." end
  end
  return {
    protocol_version = core.field(given, "protocolVersion"), clean_start = core.field(given, "cleanStart"),
    username = core.field(given, "username"), password = password, user_properties = user_properties(given),
  }
end

function read.connect(self, body)
  self.claims, self.query, self.headers = member(body, "claims"), member(body, "query"), member(body, "headers")
  self.subprotocols, self.certificates = member(body, "subprotocols"), {}
  for index, certificate in ipairs(member(body, "clientCertificates")) do
    self.certificates[index] = type(certificate) == "table"
      and { thumbprint = core.field(certificate, "thumbprint"), content = core.field(certificate, "content") } or {}
  end
  local mqtt, problem = core.field(body, "mqtt"), nil
  if type(mqtt) == "table" then self.mqtt, problem = read_mqtt_connect(mqtt) end
  return problem
end

function read.connected() end

function read.disconnected(self, body)
  self.reason = core.field(body, "reason")
  local mqtt = core.field(body, "mqtt")
  if type(mqtt) ~= "table" then return end
  local packet = core.field(mqtt, "disconnectPacket")
  self.mqtt = {
    initiated_by_client = core.field(mqtt, "initiatedByClient"),
    disconnect_packet = type(packet) == "table"
      and { code = core.field(packet, "code"), user_properties = user_properties(packet) } or nil,
  }
end

function read.joined(self, body)
  self.group = core.field(body, "group")
end

read.left = read.joined

-- Of user events and unknown ones. Returns what is wrong.
local function read_content(self, content, mime)
  mime = (mime or "application/octet-stream"):match("^%s*([^;%s]*)"):lower()
  self.content, self.content_type = content, short_types[mime] or mime
  if self.content_type == "text" and not core.is_utf8(content) then return "The body is not UTF-8." end
  if self.content_type ~= "json" then return nil end
  self.json = core.decode_json(content)
  return self.json == nil and "The body is not JSON." or nil
end

local function read_body(self, kind, content, mime)
  if not read[kind] then return read_content(self, content, mime) end
  local body = object(content)
  if not body then return "The body is not a JSON object." end
  return read[kind](self, body)
end

-- ---------------------------------------------------------------- the event

--- The event that a request is; nil, and what is wrong, where it is none.
---@param headers table  as headers.read() returns them
---@param content string  the body
---@return table|nil
---@return string|nil
function event.read(headers, content)
  local kind, name = event.kind(headers["ce-type"])
  local self = {
    type = headers["ce-type"], name = name or headers["ce-eventName"], id = headers["ce-id"], time = headers["ce-time"],
    hub = headers["ce-hub"], connection = headers["ce-connectionId"], user = headers["ce-userId"],
    subprotocol = headers["ce-subprotocol"],
    physical_connection = headers["ce-physicalConnectionId"], session = headers["ce-sessionId"],
  }
  local state = headers["ce-connectionState"]
  if state and state ~= "" then
    local text = core.decode_base64(state)
    self.state = text and object(text)
    if not self.state then return nil, "ce-connectionState is not base64 of a JSON object." end
  end
  local problem = read_body(self, kind, content, headers["content-type"])
  if problem then return nil, problem end
  return self
end

return event
