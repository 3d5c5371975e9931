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

local NO_EVENT_HANDLERS = "Event handlers are not part of this emulator: nobody received the event."

local serial = 0

---@param options { hub: table, user: string?, roles: string[]?, subprotocol: string?, outlet: table, journal: table }
--- `outlet` has send(text, opcode) and close(code), neither of which waits
function connection.new(options)
  serial = serial + 1
  local granted, problems = permissions.new(options.roles)
  for _, problem in ipairs(problems) do
    options.journal:note(problem)
  end
  local id = rand.bytes(ID_BYTES):gsub(".", function(byte) return ("%02x"):format(byte:byte()) end)
  return setmetatable({
    id = id,
    serial = serial, -- orders connections by age
    user = options.user,
    groups = {},
    permissions = granted,
    hub = options.hub,
    outlet = options.outlet,
    journal = options.journal,
    ended = false, -- nobody has this connection any more
    protocol = options.subprotocol or "no sub-protocol",
    speaks_json = options.subprotocol ~= nil,
    sequence_id = options.subprotocol == RELIABLE and 0 or nil,
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
  self.journal:record("opened", { hub = self.hub.name, id = self.id, user = self.user, protocol = self.protocol })
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

-- Sends a client away that did what it must not.
local function refuse(self, wrong)
  finish(self, "service", wrong)
  leave(self, json_protocol.disconnected(wrong .. "."), CLOSE_POLICY_VIOLATION)
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

function REQUESTS.event(self)
  self.journal:note("an event was dropped: " .. NO_EVENT_HANDLERS)
  return "InternalServerError", NO_EVENT_HANDLERS
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

--- Handles one message from the client.
---@param text string
function Connection:receive(text)
  if not self.speaks_json then
    self.journal:note("a message of a raw client was dropped: " .. NO_EVENT_HANDLERS)
    return
  end
  local request, wrong = json_protocol.decode(text)
  if not request then
    refuse(self, wrong)
    return
  end
  local ack_id = request.ack_id
  if ack_id and self.ack_ids[ack_id] then
    local message = ("Message with ack-id: %s has been processed"):format(ack_id)
    self.outlet:send(json_protocol.ack(ack_id, "Duplicate", message), "text")
    return
  end
  local error_name, error_message = REQUESTS[request.type](self, request)
  if ack_id then
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
