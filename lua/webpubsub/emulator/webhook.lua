--- Delivers events over HTTP to the URL of an event handler: validation first, then signed CloudEvents in binary mode,
-- as described in the vendor's reference "CloudEvents extension for Azure Web PubSub event handler". The content of
-- events and the meaning of answers are in client_events.lua.

local cqueues = require "cqueues"
local condition = require "cqueues.condition"
local http_headers = require "http.headers"
local http_request = require "http.request"
local hmac = require "openssl.hmac"
local rand = require "openssl.rand"

local Webhook = {}
Webhook.__index = Webhook

local webhook = {}

local ANSWER_SECONDS = 30
local MAX_ANSWER_BYTES = 1024 * 1024
local MAX_IN_FLIGHT = 128 -- more events wait in a queue
local EVENT_ID_BYTES = 16
local AWPS_VERSION = "1.0"

local function hex(bytes)
  return (bytes:gsub(".", function(byte) return ("%02x"):format(byte:byte()) end))
end

--- Whether a text is a valid URL of an event handler.
---@param text string
---@return boolean
function webhook.is_valid(text)
  return text:find("^https?://[^%s/?#@]+[^%s#]*$") ~= nil
    and pcall(http_request.new_from_uri, (text:gsub("{hub}", "hub")))
end

---@class EmulatorWebhookOptions
---@field url string `{hub}` in it stands for the hub's name
---@field key string the access key
---@field origin string the host that events come from
---@field journal table
---@field answer_seconds number? from when an event happened to the last byte of its answer, default 30

---@param options EmulatorWebhookOptions
function webhook.new(options)
  return setmetatable({
    url = options.url,
    key = options.key,
    origin = options.origin:lower(),
    journal = options.journal,
    answer_seconds = options.answer_seconds or ANSWER_SECONDS,
    allowed = {}, -- set of URLs whose handler allows the origin; as many as there are hubs
    validating = {}, -- set of URLs that are being asked
    validated = condition.new(),
    in_flight = 0,
    released = condition.new(),
  }, Webhook)
end

-- An attribute may have any text, a header may not: everything but printable ASCII is percent-encoded, as the HTTP
-- binding of CloudEvents 1.0 requires.
local function header_value(text)
  return (text:gsub("[^\32-\126]", function(byte) return ("%%%02X"):format(byte:byte()) end))
end

local function read_body(stream, deadline)
  local chunks, bytes = {}, 0
  repeat
    local chunk, why = stream:get_next_chunk(deadline - cqueues.monotime())
    if why then
      return nil, "its answer broke off: " .. tostring(why)
    end
    bytes = bytes + #(chunk or "")
    if bytes > MAX_ANSWER_BYTES then
      return nil, ("its answer has more than %d bytes"):format(MAX_ANSWER_BYTES)
    end
    chunks[#chunks + 1] = chunk
  until not chunk
  return table.concat(chunks)
end

-- One exchange, without proxies, cookies or redirects.
local function exchange(url, method, fields, body, deadline)
  local request = http_request.new_from_uri(url)
  request.version, request.proxies, request.cookie_store, request.hsts = 1.1, false, false, false
  request.follow_redirects = false
  request.headers:upsert(":method", method)
  for name, value in fields:each() do
    request.headers:append(name, value)
  end
  if body then
    request:set_body(body)
    request.headers:delete("expect")
  end
  local headers, stream = request:go(deadline - cqueues.monotime())
  if not headers then
    return nil, tostring(stream)
  end
  local content, why = read_body(stream, deadline)
  stream:shutdown()
  if not content then
    return nil, why
  end
  return { status = math.tointeger(tonumber(headers:get(":status"))), headers = headers, body = content }
end

-- lua-http raises errors for some malformed responses.
local function send(url, method, fields, body, deadline)
  local called, answer, why = pcall(exchange, url, method, fields, body, deadline)
  if not called then
    return nil, tostring(answer):gsub("^[^:]*:%d+: ", "")
  end
  return answer, why
end

local function allows(headers, origin)
  for allowed in (headers:get_comma_separated("webhook-allowed-origin") or ""):gmatch("[^,%s]+") do
    if allowed == "*" or allowed:lower() == origin then
      return true
    end
  end
  return false
end

local function ask_for_permission(self, url, deadline)
  local fields = http_headers.new()
  fields:append("webhook-request-origin", self.origin)
  fields:append("ce-awpsversion", AWPS_VERSION) -- the vendor's middleware ignores requests without it
  local answer, why = send(url, "OPTIONS", fields, nil, deadline)
  if not answer then
    return nil, why
  elseif answer.status // 100 ~= 2 then
    return nil, ("it answered the validation with %d"):format(answer.status)
  elseif not allows(answer.headers, self.origin) then
    return nil, ("it does not allow the origin %s: its answer to the validation needs the header "
      .. "WebHook-Allowed-Origin: * or %s"):format(self.origin, self.origin)
  end
  return true
end

-- Validates the URL unless it has been validated before. Events that come meanwhile wait for the answer.
local function validate(self, url, deadline)
  while self.validating[url] and cqueues.monotime() < deadline do
    self.validated:wait(deadline - cqueues.monotime())
  end
  if self.allowed[url] then
    return true
  end
  self.validating[url] = true
  local allowed, why = ask_for_permission(self, url, deadline)
  self.allowed[url], self.validating[url] = allowed, nil
  self.validated:signal()
  return allowed, why
end

local function url_for(self, hub)
  return (self.url:gsub("{hub}", hub))
end

--- Validates the URL before the first event and records the result. A URL with `{hub}` in it is validated with the
-- first event of each hub.
function Webhook:introduce()
  if self.url:find("{hub}", 1, true) then
    return
  end
  local allowed, why = validate(self, self.url, cqueues.monotime() + self.answer_seconds)
  if allowed then
    self.journal:record("request", { text = ("validate %s: it allows %s"):format(self.url, self.origin) })
  else
    self.journal:note(("the event handler %s is validated again with the first event: %s"):format(self.url, why))
  end
end

local function acquire(self, deadline)
  while self.in_flight >= MAX_IN_FLIGHT do
    local left = deadline - cqueues.monotime()
    if left <= 0 then
      return false
    end
    self.released:wait(left)
  end
  self.in_flight = self.in_flight + 1
  return true
end

local function release(self)
  self.in_flight = self.in_flight - 1
  self.released:signal(1)
end

local function fields_of(self, event)
  local fields = http_headers.new()
  for _, field in ipairs {
    { "webhook-request-origin", self.origin },
    { "content-type", event.content_type },
    { "ce-specversion", "1.0" },
    { "ce-awpsversion", AWPS_VERSION },
    { "ce-type", event.type },
    { "ce-source", ("/hubs/%s/client/%s"):format(event.hub, event.connection) },
    { "ce-id", hex(rand.bytes(EVENT_ID_BYTES)) },
    { "ce-time", os.date("!%Y-%m-%dT%H:%M:%SZ") },
    { "ce-signature", "sha256=" .. hex(hmac.new(self.key, "sha256"):final(event.connection)) },
    { "ce-hub", event.hub },
    { "ce-connectionid", event.connection },
    { "ce-eventname", event.name },
    { "ce-userid", event.user or false },
    { "ce-subprotocol", event.subprotocol or false },
    { "ce-connectionstate", event.state or false },
  } do
    if field[2] then
      fields:append(field[1], header_value(field[2]))
    end
  end
  return fields
end

---@class EmulatorEvent
---@field type string of the CloudEvent
---@field name string
---@field hub string
---@field connection string its id
---@field user string?
---@field subprotocol string?
---@field state string?
---@field content_type string
---@field body string

--- Delivers one event and waits for the answer. Time and size are limited.
---@param event EmulatorEvent
---@return { status: integer, headers: table, body: string }|nil answer nil when there was none
---@return string|nil why
function Webhook:deliver(event)
  local started = cqueues.monotime()
  local deadline = started + self.answer_seconds
  local url = url_for(self, event.hub)
  local answer, why
  if acquire(self, deadline) then
    local allowed
    allowed, why = validate(self, url, deadline)
    if allowed then
      answer, why = send(url, "POST", fields_of(self, event), event.body, deadline)
    end
    release(self)
  else
    why = ("%d events before it have no answer yet"):format(MAX_IN_FLIGHT)
  end
  self.journal:record("event", {
    hub = event.hub, id = event.connection, user = event.user, name = event.name, status = answer and answer.status,
    problem = not answer and why or nil, ms = (cqueues.monotime() - started) * 1000,
  })
  return answer, why
end

return webhook
