--- The events of clients and the meaning of the event handler's answers. `connect` and user events block: the client
-- waits for the answer. The other events do not block; those of one client are delivered in order.

local json = require "webpubsub.emulator.json"
local parameters = require "webpubsub.emulator.parameters"
local responses = require "webpubsub.emulator.responses"

local ClientEvents = {}
ClientEvents.__index = ClientEvents

local client_events = {}

local JSON_TYPE = "application/json; charset=utf-8"
local CONTENT_TYPES = { text = "text/plain", json = "application/json", binary = "application/octet-stream" }
local SYSTEM_EVENTS = { connect = true, connected = true, disconnected = true }
local GROUP_EVENTS = { joined = true, left = true }
local ALL_USER_EVENTS = "*"
local MAX_WAITING = 100 -- non-blocking events of one client
local MAX_STATE_BYTES = 16 * 1024
local NO_CONTENT = 204

---@param webhook table where they go
---@param names string[]? which ones: system events, `joined`, `left`, names of user events, or `*` for all of these;
--- default: the system's and all user events
---@param journal table
---@param controller table cqueues controller for what nobody waits for
function client_events.new(webhook, names, journal, controller)
  return setmetatable({
    webhook = webhook,
    wanted = parameters.set(names or { "connect", "connected", "disconnected", ALL_USER_EVENTS }),
    journal = journal,
    controller = controller,
    waiting = setmetatable({}, { __mode = "k" }), -- client -> list of events, being delivered
  }, ClientEvents)
end

--- Whether a user event is delivered to the handler.
---@param name string
---@return boolean
function ClientEvents:wants(name)
  return self.wanted[ALL_USER_EVENTS] or (self.wanted[name] and not SYSTEM_EVENTS[name] and not GROUP_EVENTS[name])
    or false
end

local function event_of(client, kind, name, content_type, body)
  return {
    type = ("azure.webpubsub.%s.%s"):format(kind, name),
    name = name,
    hub = client.hub.name,
    connection = client.id,
    user = client.user,
    subprotocol = client.subprotocol,
    state = client.state,
    content_type = content_type,
    body = body,
  }
end

-- Stores the connection state of an answer. Returns what is wrong with it.
local function take_state(client, answer)
  local states = answer.headers:get_as_sequence("ce-connectionstate")
  if states.n > 1 then
    return "its answer has more than one ce-connectionState"
  elseif states.n == 1 and #states[1] > MAX_STATE_BYTES then
    return ("its answer has a ce-connectionState of more than %d bytes"):format(MAX_STATE_BYTES)
  elseif states.n == 1 then
    client.state = states[1] ~= "" and states[1] or nil
  end
  return nil
end

-- connect -------------------------------------------------------------------------------------------------------

local function text_list(value)
  local list = {}
  for index, one in ipairs(type(value) == "table" and value or { value }) do
    list[index] = type(one) == "string" and one or json.encode(one)
  end
  return json.array(list)
end

local function map_of_lists(map)
  local lists = {}
  for name, value in pairs(map) do
    lists[name] = text_list(value)
  end
  return json.map(lists)
end

-- The access token is not passed on, neither from the query nor from the headers.
local function connect_body(handshake)
  local query, headers = {}, {}
  for name, values in pairs(handshake.query.values) do
    query[name] = name ~= "access_token" and values or nil
  end
  for name, value in handshake.headers:each() do
    if not name:find("^:") and (name ~= "authorization" or handshake.query:first("access_token")) then
      headers[name] = headers[name] or {}
      table.insert(headers[name], value)
    end
  end
  headers.host = { handshake.headers:get(":authority") or "" }
  return tostring(json.object(
    "claims", map_of_lists(handshake.claims),
    "query", map_of_lists(query),
    "headers", map_of_lists(headers),
    "subprotocols", json.array(handshake.offered),
    "clientCertificates", json.array {}))
end

local function string_list(value)
  if type(value) ~= "table" then
    return nil
  end
  for index = 1, #value do
    if type(value[index]) ~= "string" then
      return nil
    end
  end
  return value
end

local function given(value)
  if value == json.null then
    return nil
  end
  return value
end

-- Stores an answer's user, groups, roles and sub-protocol in the client. Returns what is wrong with them.
local function take_identity(client, handshake, answer)
  local value = utf8.len(answer.body) and json.decode(answer.body)
  if type(value) ~= "table" then
    return "the body of its answer is not a JSON object"
  end
  local user, subprotocol = given(value.userId), given(value.subprotocol)
  local groups, roles = given(value.groups) or {}, given(value.roles) or {}
  if user ~= nil and type(user) ~= "string" then
    return "'userId' of its answer is not a string"
  elseif not string_list(groups) or not string_list(roles) then
    return "'groups' and 'roles' of its answer have to be lists of strings"
  elseif subprotocol ~= nil and not handshake.offers[subprotocol] then
    return ("'subprotocol' of its answer is '%s', which the client does not offer"):format(tostring(subprotocol))
  end
  for _, group in ipairs(groups) do
    if parameters.refused_group(group) then
      return "'groups' of its answer has a group that is blank or too long"
    end
  end
  client.user = user ~= "" and user or client.user
  client.subprotocol = subprotocol or client.subprotocol
  table.move(groups, 1, #groups, #client.groups + 1, client.groups)
  table.move(roles, 1, #roles, #client.roles + 1, client.roles)
  return nil
end

local function refused_by(why)
  return responses.error(500, "Error.EventHandler", "The event handler cannot admit the client: " .. why .. ".")
end

--- Asks whether a client may connect. The answer's user, groups, roles, sub-protocol and state are stored in `client`.
---@param client { hub: table, id: string, user: string?, groups: string[], roles: string[], subprotocol: string? }
--- whose sub-protocol is the one the server would choose
---@param handshake { query: table, headers: table, claims: table, offered: string[], offers: table<string, boolean> }
---@return EmulatorResponse|nil refusal nil: it may
function ClientEvents:connect(client, handshake)
  if not self.wanted.connect then
    return nil
  end
  local event = event_of(client, "sys", "connect", JSON_TYPE, connect_body(handshake))
  event.subprotocol = nil -- none is chosen yet
  local answer, why = self.webhook:deliver(event)
  if not answer then
    return refused_by(why)
  elseif answer.status >= 400 and answer.status < 500 then
    return { status = answer.status, body = answer.body, headers = {
      ["content-type"] = answer.body ~= "" and answer.headers:get("content-type") or nil,
    } }
  elseif answer.status // 100 ~= 2 then
    return refused_by(("it answered with %d"):format(answer.status))
  end
  local wrong = take_state(client, answer)
  if not wrong and answer.status ~= NO_CONTENT and answer.body ~= "" then
    wrong = take_identity(client, handshake, answer)
  end
  return wrong and refused_by(wrong) or nil
end

-- User events ---------------------------------------------------------------------------------------------------

-- Returns the message an answer carries, nil for none, or false and what is wrong with it.
local function message_of(answer)
  if answer.status == NO_CONTENT or answer.body == "" then
    return nil
  end
  local kind = parameters.message_type(answer.headers:get("content-type"))
  if not kind then
    return false, "it answered with a content type that is not text/plain, application/json or application/octet-stream"
  elseif kind ~= "binary" and not utf8.len(answer.body) then
    return false, "it answered with what is not UTF-8"
  elseif kind == "json" and json.decode(answer.body) == nil then
    return false, "it answered with what is not JSON"
  end
  return { type = kind, data = answer.body }
end

--- Delivers a user event and waits for the answer.
---@param client table
---@param name string
---@param message EmulatorMessage
---@return EmulatorMessage|nil|false reply for the client; false: the client has to be dropped
---@return string|nil why
function ClientEvents:ask(client, name, message)
  local answer, why = self.webhook:deliver(event_of(client, "user", name, CONTENT_TYPES[message.type], message.data))
  if not answer then
    return false, why
  elseif answer.status // 100 ~= 2 then
    return false, ("it answered with %d"):format(answer.status)
  end
  local wrong = take_state(client, answer)
  if wrong then
    return false, wrong
  end
  return message_of(answer)
end

-- Non-blocking events -------------------------------------------------------------------------------------------

local function deliver_waiting(self, client, waiting)
  while waiting[1] do
    local event = table.remove(waiting, 1)
    local answer = self.webhook:deliver(event)
    if answer and answer.status // 100 ~= 2 then
      self.journal:note(("the event handler answered %s of %s with %d"):format(event.name, client.id, answer.status))
    end
  end
  self.waiting[client] = nil
end

---@param client table
---@param kind "sys"|"gp"
---@param name string
---@param body string
local function tell(self, client, kind, name, body)
  if not self.wanted[name] then
    return
  end
  local event = event_of(client, kind, name, JSON_TYPE, body)
  local waiting = self.waiting[client]
  if not waiting then
    waiting = { event }
    self.waiting[client] = waiting
    self.controller:wrap(deliver_waiting, self, client, waiting)
  elseif #waiting < MAX_WAITING then
    waiting[#waiting + 1] = event
  else
    self.journal:note(("%s of %s was not delivered: %d events of it wait for the event handler"):format(
      name, client.id, #waiting))
  end
end

---@param client table
function ClientEvents:connected(client)
  tell(self, client, "sys", "connected", "{}")
end

---@param client table
---@param reason string
function ClientEvents:disconnected(client, reason)
  tell(self, client, "sys", "disconnected", tostring(json.object("reason", reason)))
end

---@param client table
---@param group string
function ClientEvents:joined(client, group)
  tell(self, client, "gp", "joined", tostring(json.object("group", group)))
end

---@param client table
---@param group string
function ClientEvents:left(client, group)
  tell(self, client, "gp", "left", tostring(json.object("group", group)))
end

return client_events
