--- One WebSocket client as the service sees it: an id, a user, groups, permissions, and a way to send to it.
-- It formats messages for its kind of client and answers the requests of JSON clients. A reliable client whose
-- WebSocket was cut can recover all of that, and the messages it missed.

local cqueues = require "cqueues"
local rand = require "openssl.rand"

local backlog = require "webpubsub.emulator.backlog"
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
local TOKEN_BYTES = 32
local REMEMBERED_ACK_IDS = 1024 -- of each connection, at least; an older id counts as new again

local CLOSE_NORMAL = 1000
local CLOSE_POLICY_VIOLATION = 1008
local CLOSE_INTERNAL_ERROR = 1011

local RAW_EVENT = "message" -- the name of the event that any message of a raw client is

local serial = 0

local function random_hex(bytes)
  return (rand.bytes(bytes):gsub(".", function(byte) return ("%02x"):format(byte:byte()) end))
end

--- An id for a connection to be.
---@return string
function connection.new_id()
  return random_hex(ID_BYTES)
end

---@class EmulatorConnectionOptions
---@field hub table
---@field id string
---@field user string?
---@field roles string[]?
---@field subprotocol string?
---@field state string? as the event handler has set it
---@field keep_seconds number how long a reliable client whose connection was cut can recover
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
  local is_reliable = subprotocol == RELIABLE
  return setmetatable({
    id = options.id,
    serial = serial, -- orders connections by age
    user = options.user,
    groups = {},
    permissions = granted,
    state = options.state,
    hub = options.hub,
    outlet = nil, -- where to send; nil while a reliable client is away
    journal = options.journal,
    events = options.events,
    ended = false, -- the connection has been removed
    since = os.time(),
    subprotocol = subprotocol,
    speaks_json = subprotocol ~= nil and connection.speaks(subprotocol),
    backlog = is_reliable and backlog.new() or nil,
    reconnection_token = is_reliable and random_hex(TOKEN_BYTES) or nil,
    keep_seconds = options.keep_seconds,
    expires = nil, -- when the connection of a client that is away will be removed
    is_watched = false, -- a coroutine waits until then
    ack_ids = {}, -- ids of requests that were performed
    earlier_ack_ids = {}, -- as many that came before those
    ack_count = 0, -- of ack_ids
  }, Connection)
end

-- Sends a frame. While a reliable client is away it is dropped; messages are kept in the backlog.
local function send(self, text, opcode)
  if self.outlet then
    self.outlet:send(text, opcode or "text")
  end
end

local function record_opened(self, recovered)
  self.journal:record("opened", { hub = self.hub.name, id = self.id, user = self.user, recovered = recovered,
    protocol = self.subprotocol or "no sub-protocol" })
end

--- Enters the hub and greets the client.
---@param outlet table has send(text, opcode), close(code) and drop(why), none of which waits
---@param groups string[]? joined at once
function Connection:open(outlet, groups)
  self.outlet = outlet
  self.hub:add(self)
  record_opened(self)
  if self.events then
    self.events:connected(self)
  end
  for _, group in ipairs(groups or {}) do
    self.hub:join(self, group)
  end
  if self.speaks_json then
    send(self, json_protocol.connected(self))
  end
end

-- Removes the connection. `by` is what ended it: a "request", the "service" itself or the "client".
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
    send(self, farewell)
  end
  if self.outlet then
    self.outlet:close(code)
  end
end

--- Closes the connection as the service does for a REST call: it is gone for every later call at once.
---@param reason string? told to JSON clients; the close frame's reason stays empty
function Connection:close(reason)
  if not self.ended then
    finish(self, "request", reason)
    leave(self, json_protocol.closed_by_server(reason), CLOSE_NORMAL)
  end
end

-- Closes a connection for a reason of the service.
local function dismiss(self, why, code)
  if not self.ended then
    finish(self, "service", why)
    leave(self, json_protocol.disconnected(why .. "."), code)
  end
end

---@param message EmulatorMessage
function Connection:deliver(message)
  if not self.speaks_json then
    send(self, message.data, message.type == "binary" and "binary" or "text")
  elseif self.backlog then
    local text = json_protocol.message(message, self.backlog:next_id())
    if self.backlog:push(text, message.expires) then
      send(self, text)
    else
      dismiss(self, "Too many messages have not been acknowledged", CLOSE_POLICY_VIOLATION)
    end
  else
    -- The same text for every such client, so it is made once for each message.
    message.frame = message.frame or json_protocol.message(message)
    send(self, message.frame)
  end
end

-- Recovery ------------------------------------------------------------------------------------------------------

-- Ends the connection of a client that has been away for too long.
local function watch(self)
  while self.expires and not self.ended do
    local left = self.expires - cqueues.monotime()
    if left <= 0 then
      finish(self, "client", ("%s, and the client did not come back within %g s"):format(self.why_lost,
        self.keep_seconds))
    else
      cqueues.sleep(left)
    end
  end
  self.is_watched = false
end

local function stay_away(self, why)
  self.outlet, self.why_lost = nil, why
  self.expires = cqueues.monotime() + self.keep_seconds
  self.journal:record("away", { hub = self.hub.name, id = self.id, user = self.user, reason = why,
    seconds = self.keep_seconds })
  if not self.is_watched then
    self.is_watched = true
    cqueues.running():wrap(watch, self)
  end
end

--- A reliable client has recovered over another WebSocket: sends what it has not acknowledged. The earlier WebSocket is
-- dropped if it still seems to be open.
---@param outlet table as of open()
function Connection:recover(outlet)
  local before = self.outlet
  self.outlet, self.expires = outlet, nil
  if before then
    before:drop("the client came back over another connection")
  end
  record_opened(self, true)
  send(self, json_protocol.connected(self))
  for _, text in ipairs(self.backlog:all(cqueues.monotime())) do
    send(self, text)
  end
end

--- A WebSocket of the client is gone.
---@param outlet table which
---@param why string
---@param is_cut boolean without a closing handshake: a reliable client may recover
function Connection:lost(outlet, why, is_cut)
  if self.ended or outlet ~= self.outlet then
    return
  elseif self.backlog and is_cut then
    stay_away(self, why)
  else
    finish(self, "client", why)
  end
end

-- Requests of clients -------------------------------------------------------------------------------------------

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

-- Delivers an event to the event handler and waits for the answer. Returns the name and the text of an error when there
-- is no event handler for it.
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
  send(self, json_protocol.pong())
end

function REQUESTS.sequenceAck(self, request)
  if self.backlog then
    self.backlog:acknowledge(request.sequence_id)
  end
end

function REQUESTS.unsupported(self, request)
  self.journal:note("a request was refused: " .. request.reason)
  if request.answer then
    send(self, request.answer)
  end
end

local function remember(self, ack_id)
  if self.ack_count == REMEMBERED_ACK_IDS then
    self.earlier_ack_ids, self.ack_ids, self.ack_count = self.ack_ids, {}, 0
  end
  self.ack_ids[ack_id], self.ack_count = true, self.ack_count + 1
end

local function forget(self, ack_id)
  self.ack_ids[ack_id], self.earlier_ack_ids[ack_id] = nil, nil
end

-- Performs a request. Its id is remembered first: a client that recovers may send it again while it is in progress.
local function carry_out(self, request)
  local ack_id = request.ack_id
  if not ack_id then
    REQUESTS[request.type](self, request)
    return
  elseif self.ack_ids[ack_id] or self.earlier_ack_ids[ack_id] then
    send(self, json_protocol.ack(ack_id, "Duplicate", ("Message with ack-id: %s has been processed"):format(ack_id)))
    return
  end
  remember(self, ack_id)
  local error_name, error_message = REQUESTS[request.type](self, request)
  if error_name then
    forget(self, ack_id)
  end
  if not self.ended then
    send(self, json_protocol.ack(ack_id, error_name, error_message))
  end
end

--- Handles one message from the client. An event waits for the event handler's answer.
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
  if request then
    carry_out(self, request)
  else
    dismiss(self, wrong, CLOSE_POLICY_VIOLATION)
  end
end

return connection
