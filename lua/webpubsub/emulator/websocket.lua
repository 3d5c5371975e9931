--- The server's end of one WebSocket after the handshake: frames in, a bounded queue of frames out.
--
-- lua-http does the handshake and builds frames; its receive() has no limit on a frame's length and its close()
-- waits for the peer, so reading and closing are done here. send() and close() never wait: a coroutine of its own
-- writes while there is something to write, and a peer that does not read is dropped, not waited for.

local cqueues = require "cqueues"
local condition = require "cqueues.condition"
local http_websocket = require "http.websocket"

local Websocket = {}
Websocket.__index = Websocket

local websocket = {}

websocket.MAX_MESSAGE_BYTES = 1024 * 1024

--- Why a connection ended: by the client's close frame, or without one.
websocket.CLOSED_BY_CLIENT = "the client closed the connection"
websocket.CUT = "the line was cut"

local MAX_QUEUED_BYTES = 16 * 1024 * 1024 -- for one peer
local WRITE_SECONDS = 30 -- for a peer to take what is queued
local CLOSE_SECONDS = 3 -- for a peer to answer a close frame

local OPCODES = { continuation = 0x0, text = 0x1, binary = 0x2, close = 0x8, ping = 0x9, pong = 0xA }
local FIN, RESERVED, OPCODE, MASKED, LENGTH = 0x80, 0x70, 0x0F, 0x80, 0x7F
local MAX_CONTROL_BYTES = 125

local CLOSE_NORMAL = 1000
local CLOSE_PROTOCOL_ERROR = 1002
local CLOSE_INVALID_DATA = 1007
local CLOSE_TOO_BIG = 1009
local CLOSE_CODE_BYTES = 2
local DISCARDED_BYTES = 64 * 1024 -- at a time

---@param socket table a cqueues socket
function websocket.new(socket)
  -- Errors are returned, not thrown, whatever happens to the peer.
  socket:onerror(function(_, _, why) return why end)
  return setmetatable({
    socket = socket,
    controller = cqueues.running(),
    queue = {}, -- of frames
    queued_bytes = 0, -- including what is being written
    writing = false,
    closing = false, -- a close frame has been queued: nothing may follow it
    dropped = false, -- nothing more may be written
    why_ended = nil, -- what ended the connection, where that is known
    is_cut = true, -- unless somebody takes leave
    read_to_end = false, -- nothing more will be read
    changed = condition.new(), -- signalled when `writing` or `read_to_end` changes
  }, Websocket)
end

-- Waits until a flag of `self` has a value, at most some seconds.
local function wait_for(self, flag, value, seconds)
  local deadline = cqueues.monotime() + seconds
  while self[flag] ~= value and cqueues.monotime() < deadline do
    self.changed:wait(deadline - cqueues.monotime())
  end
end

local function write_queue(self)
  while #self.queue > 0 and not self.dropped do
    local batch = table.concat(self.queue)
    self.queue = {}
    if not self.socket:xwrite(batch, "bn", WRITE_SECONDS) then
      self:drop("the client does not read")
    end
    self.queued_bytes = self.queued_bytes - #batch
  end
  self.writing = false
  self.changed:signal()
  if self.closing then
    wait_for(self, "read_to_end", true, CLOSE_SECONDS)
    self:shutdown()
  end
end

local function enqueue(self, frame)
  if self.closing or self.dropped then
    return
  end
  self.queue[#self.queue + 1] = frame
  self.queued_bytes = self.queued_bytes + #frame
  if self.queued_bytes > MAX_QUEUED_BYTES then
    self:drop(("the client does not read: more than %d bytes wait for it"):format(MAX_QUEUED_BYTES))
  elseif not self.writing then
    self.writing = true
    self.controller:wrap(write_queue, self)
  end
end

---@param data string
---@param opcode "text"|"binary"|"pong"
function Websocket:send(data, opcode)
  enqueue(self, http_websocket.build_frame { FIN = true, opcode = OPCODES[opcode], data = data })
end

--- Starts the closing handshake; what was sent before still goes out first. The reason stays empty.
---@param code integer
function Websocket:close(code)
  if not self.closing then
    enqueue(self, http_websocket.build_frame(http_websocket.build_close(code)))
    self.closing = true
  end
end

-- Ends both directions; a reader or writer that waits is woken.
function Websocket:shutdown()
  if not self.read_to_end then
    self.socket:shutdown("rw")
  end
end

--- Cuts the line.
---@param why string what run() will return
function Websocket:drop(why)
  if not self.dropped then
    self.why_ended = self.why_ended or why
    self.dropped = true
    self.queue = {}
    self:shutdown()
  end
end

local function unmask(payload, key)
  local word = string.unpack("<I8", key .. key)
  local out = {}
  local words_end = #payload - #payload % 8
  for at = 1, words_end, 8 do
    out[#out + 1] = string.pack("<I8", string.unpack("<I8", payload, at) ~ word)
  end
  for at = words_end + 1, #payload do
    out[#out + 1] = string.char(payload:byte(at) ~ key:byte((at - 1) % 4 + 1))
  end
  return table.concat(out)
end

-- Returns a frame, or nil and the code of the close frame that tells the peer what it did wrong (nil: it is gone).
local function read_frame(socket)
  local head = socket:xread(2, "b")
  if not head or #head < 2 then
    return nil
  end
  local first, second = head:byte(1, 2)
  local opcode, length = first & OPCODE, second & LENGTH
  if first & RESERVED ~= 0 or second & MASKED == 0 then
    return nil, CLOSE_PROTOCOL_ERROR
  elseif opcode >= OPCODES.close and (first & FIN == 0 or length > MAX_CONTROL_BYTES) then
    return nil, CLOSE_PROTOCOL_ERROR
  end
  local length_format = ({ [126] = ">I2", [127] = ">I8" })[length]
  if length_format then
    local extended = socket:xread(string.packsize(length_format), "b")
    if not extended or #extended < string.packsize(length_format) then
      return nil
    end
    length = string.unpack(length_format, extended)
  end
  if math.ult(websocket.MAX_MESSAGE_BYTES, length) then
    return nil, CLOSE_TOO_BIG
  end
  local key = socket:xread(4, "b")
  local payload = length == 0 and "" or socket:xread(length, "b")
  if not key or #key < 4 or not payload or #payload < length then
    return nil
  end
  return { fin = first & FIN ~= 0, opcode = opcode, payload = unmask(payload, key) }
end

-- The codes that may go over the wire (RFC 6455, 7.4).
local function is_close_code(code)
  return code >= 1000 and code <= 1014 and (code < 1004 or code > 1006) or code >= 3000 and code <= 4999
end

-- The code with which a peer's close frame is answered: its own, where it may have one.
local function closing_code(payload)
  if payload == "" then
    return CLOSE_NORMAL
  elseif #payload < CLOSE_CODE_BYTES or not is_close_code(string.unpack(">I2", payload)) then
    return CLOSE_PROTOCOL_ERROR
  elseif not utf8.len(payload, CLOSE_CODE_BYTES + 1) then
    return CLOSE_INVALID_DATA
  end
  return (string.unpack(">I2", payload))
end

-- Returns the next whole message and its kind, or nil and the code to close with (nil: closed already or gone).
local function read_message(self)
  local parts, bytes, kind = {}, 0, nil
  while true do
    local frame, code = read_frame(self.socket)
    if not frame then
      return nil, code
    end
    local opcode = frame.opcode
    if opcode == OPCODES.ping then
      self:send(frame.payload, "pong")
    elseif opcode == OPCODES.close then
      self.why_ended, self.is_cut = self.why_ended or websocket.CLOSED_BY_CLIENT, false
      self:close(closing_code(frame.payload))
      return nil
    elseif opcode ~= OPCODES.pong then
      local continues = opcode == OPCODES.continuation
      if opcode > OPCODES.binary or continues ~= (kind ~= nil) then
        return nil, CLOSE_PROTOCOL_ERROR
      end
      kind = kind or opcode
      if frame.payload ~= "" then
        parts[#parts + 1] = frame.payload
      end
      bytes = bytes + #frame.payload
      if bytes > websocket.MAX_MESSAGE_BYTES then
        return nil, CLOSE_TOO_BIG
      elseif frame.fin then
        local message = table.concat(parts)
        if kind == OPCODES.text and not utf8.len(message) then
          return nil, CLOSE_INVALID_DATA
        end
        return message, kind == OPCODES.text and "text" or "binary"
      end
    end
  end
end

-- A peer in the middle of sending would lose the close frame to a reset if its input were left unread.
local function discard_input(self)
  local deadline = cqueues.monotime() + CLOSE_SECONDS
  repeat
    local left = deadline - cqueues.monotime()
  until left <= 0 or not self.socket:xread(-DISCARDED_BYTES, "b", left)
end

--- Reads until the connection ends, then releases the socket. To be called in the connection's own coroutine.
---@param on_message fun(message: string, kind: "text"|"binary")
---@return string why it ended, of no meaning after close()
---@return boolean is_cut whether the client neither took leave nor broke the protocol
function Websocket:run(on_message)
  local message, kind_or_code = read_message(self)
  while message do
    if not self.closing then
      on_message(message, kind_or_code)
    end
    message, kind_or_code = read_message(self)
  end
  local code = kind_or_code
  if code then
    self.why_ended, self.is_cut = self.why_ended or ("the client broke the WebSocket protocol (%d)"):format(code), false
    self:close(code)
    discard_input(self)
  end
  wait_for(self, "writing", false, CLOSE_SECONDS)
  self:shutdown()
  self.dropped, self.read_to_end = true, true
  self.changed:signal()
  cqueues.cancel(self.socket:pollfd())
  self.socket:close()
  return self.why_ended or websocket.CUT, self.is_cut
end

return websocket
