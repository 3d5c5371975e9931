--- One WebSocket client as the service sees it: an id, a user, groups, permissions, and a way to send to it.
-- It turns messages into what its kind of client reads and answers what a JSON client asks for.

local rand = require "openssl.rand"

local json_protocol = require "webpubsub.emulator.json_protocol"
local permissions = require "webpubsub.emulator.permissions"

local Connection = {}
Connection.__index = Connection

local connection = {}

--- Sub-protocols, in the order in which the server prefers them. Any other client is a raw one.
connection.SUBPROTOCOLS = { "json.reliable.webpubsub.azure.v1", "json.webpubsub.azure.v1" }

local RELIABLE = connection.SUBPROTOCOLS[1]

--- Whether a sub-protocol is one that the server speaks.
---@param subprotocol string
---@return boolean
function connection.speaks(subprotocol)
  return subprotocol == connection.SUBPROTOCOLS[1] or subprotocol == connection.SUBPROTOCOLS[2]
end

local ID_BYTES = 16 -- 32 hexadecimal digits
local REMEMBERED_ACK_IDS = 1024 -- of each connection; an older id counts as new again

local CLOSE_NORMAL = 1000
local CLOSE_POLICY_VIOLATION = 1008
local CLOSE_INTERNAL_ERROR = 1011

local RAW_EVENT = "message" -- the name of the event that any message of a raw client is

local serial = 0

--- An id for a connection to be.
---@return string
function connection.new_id()
  return (rand.bytes(ID_BYTES):gsub(".", function(byte) return ("%02x"):format(byte:byte()) end))
end

---@class EmulatorConnectionOptions
---@field hub table
---@field id string
---@field user string?
---@field roles string[]?
---@field subprotocol string?
---@field state string? as the event handler has set it
---@field outlet table has send(text, opcode) and close(code), neither of which waits
---@field journal table
---@field events table? client_events; nil: there is no event handler

---@param options EmulatorConnectionOptions
function connection.new(options)
  serial = serial + 1
  local granted, problems = permissions.new(options.roles)
  for _, problem in ipairs(problems) do
    options.journal:note(problem)
  end
  local subprotocol = options.subprotocol
  return setmetatable({
    id = options.id,
    serial = serial, -- orders connections by age
    user = options.user,
    groups = {},
    permissions = granted,
    state = options.state,
    hub = options.hub,
    outlet = options.outlet,
    journal = options.journal,
    events = options.events,
    ended = false, -- nobody has this connection any more
    subprotocol = subprotocol,
    speaks_json = subprotocol ~= nil and connection.speaks(subprotocol),
    sequence_id = subprotocol == RELIABLE and 0 or nil,
    ack_ids = {},
    ack_count = 0,
  }, Connection)
end

--- Enters the hub and greets the client.
---@param groups string[]? joined at once
function Connection:open(groups)
  self.hub:add(self)
  for _, group in ipairs(groups or {}) do
    self.hub:join(self, group)
  end
  if self.speaks_json then
    self.outlet:send(json_protocol.connected(self), "text")
  end
  self.journal:record("opened", { hub = self.hub.name, id = self.id, user = self.user,
    protocol = self.subprotocol or "no sub-protocol" })
  if self.events then
    self.events:connected(self)
  end
end

---@param message EmulatorMessage
function Connection:deliver(message)
  if not self.speaks_json then
    self.outlet:send(message.data, message.type == "binary" and "binary" or "text")
  elseif self.sequence_id then
    self.sequence_id = self.sequence_id + 1
    self.outlet:send(json_protocol.message(message, self.sequence_id), "text")
  else
    -- The same text for every such client, so it is made once for each message.
    message.frame = message.frame or json_protocol.message(message)
    self.outlet:send(message.frame, "text")
  end
end

-- Nobody has it from here on. `by` says who ended it: a "request", the "service" itself or the "client".
local function finish(self, by, reason)
  self.ended = true
  self.hub:remove(self)
  self.journal:record("closed", { hub = self.hub.name, id = self.id, user = self.user, by = by, reason = reason })
  if self.events then
    self.events:disconnected(self, reason or "")
  end
end

local function leave(self, farewell, code)
  if self.speaks_json then
    self.outlet:send(farewell, "text")
  end
  self.outlet:close(code)
end

--- Closes the connection as the service does for a REST call: it is gone for every later call at once.
---@param reason string? told to JSON clients; the close frame's reason stays empty
function Connection:close(reason)
  if not self.ended then
    finish(self, "request", reason)
    leave(self, json_protocol.closed_by_server(reason), CLOSE_NORMAL)
  end
end

-- Sends a client away for a reason of the service's own.
local function dismiss(self, why, code)
  if not self.ended then
    finish(self, "service", why)
    leave(self, json_protocol.disconnected(why .. "."), code)
  end
end

local REQUESTS = {}

function REQUESTS.joinGroup(self, request)
  if not self.permissions:allow("joinLeaveGroup", request.group) then
    return "Forbidden", ("The client is not allowed to join the group '%s'."):format(request.group)
  end
  self.hub:join(self, request.group)
end

function REQUESTS.leaveGroup(self, request)
  if not self.permissions:allow("joinLeaveGroup", request.group) then
    return "Forbidden", ("The client is not allowed to leave the group '%s'."):format(request.group)
  end
  self.hub:leave(self, request.group)
end

function REQUESTS.sendToGroup(self, request)
  if not self.permissions:allow("sendToGroup", request.group) then
    return "Forbidden", ("The client is not allowed to send to the group '%s'."):format(request.group)
  end
  local message = request.message
  message.group, message.from_user = request.group, self.user
  local count = 0
  for _, member in ipairs(self.hub:in_group(request.group)) do
    if member ~= self or not request.no_echo then
      member:deliver(message)
      count = count + 1
    end
  end
  self.hub:record_message(message, "group " .. request.group, count, self)
end

-- Has the event handler answer an event, and the client wait for that. Returns the name of the error and what it is
-- when there is nobody to ask.
local function ask_event_handler(self, name, message)
  if not self.events or not self.events:wants(name) then
    return "InternalServerError", ("Nobody receives the event '%s': %s."):format(name,
      self.events and "it is none of --event-handler-events" or "the emulator was started without --event-handler")
  end
  local reply, why = self.events:ask(self, name, message)
  if reply == false then
    dismiss(self, ("The event handler failed on the event '%s': %s"):format(name, why), CLOSE_INTERNAL_ERROR)
  elseif reply and not self.ended then
    self:deliver(reply)
  end
end

function REQUESTS.event(self, request)
  return ask_event_handler(self, request.event, request.message)
end

function REQUESTS.ping(self)
  self.outlet:send(json_protocol.pong(), "text")
end

-- Nothing is kept for redelivery, so there is nothing to let go of.
function REQUESTS.sequenceAck() end

function REQUESTS.left_out(self, request)
  self.journal:note("a request was refused: " .. request.reason)
  if request.answer then
    self.outlet:send(request.answer, "text")
  end
end

local function remember(self, ack_id)
  if self.ack_count == REMEMBERED_ACK_IDS then
    self.ack_ids, self.ack_count = {}, 0
  end
  self.ack_ids[ack_id], self.ack_count = true, self.ack_count + 1
end

--- Handles one message from the client, and waits for the event handler where that is asked.
---@param text string
---@param kind "text"|"binary" of the frame
function Connection:receive(text, kind)
  if not self.speaks_json then
    local _, problem = ask_event_handler(self, RAW_EVENT, { type = kind, data = text })
    if problem then
      self.journal:note(problem)
    end
    return
  end
  local request, wrong = json_protocol.decode(text)
  if not request then
    dismiss(self, wrong, CLOSE_POLICY_VIOLATION)
    return
  end
  local ack_id = request.ack_id
  if ack_id and self.ack_ids[ack_id] then
    local message = ("Message with ack-id: %s has been processed"):format(ack_id)
    self.outlet:send(json_protocol.ack(ack_id, "Duplicate", message), "text")
    return
  end
  local error_name, error_message = REQUESTS[request.type](self, request)
  if ack_id and not self.ended then
    if not error_name then
      remember(self, ack_id)
    end
    self.outlet:send(json_protocol.ack(ack_id, error_name, error_message), "text")
  end
end

--- The client is gone.
---@param why string
function Connection:lost(why)
  if not self.ended then
    finish(self, "client", why)
  end
end

return connection
