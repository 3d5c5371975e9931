-- One accepted connection: reads requests, takes their entries from the stage, plays the steps.

local cqueues = require("cqueues")
local forward = require("spec.support.child.forward")
local luasocket = require("socket")
local reply = require("spec.support.child.reply")
local request = require("spec.support.child.request")
local tls = require("spec.support.child.tls")

local HANDSHAKE_TIMEOUT_SECONDS = 10
local MAX_LINE_BYTES = 1024 * 1024
local READ_BYTES = 64 * 1024
local NO_DESCRIPTOR = -1

local Connection = {}
Connection.__index = Connection

local connection = {}

function connection.new(socket, stage, tls_context)
  socket:setmode("b", "bn")
  socket:setmaxline(MAX_LINE_BYTES, MAX_LINE_BYTES)
  -- A peer that vanishes is what specs are about: every failure is a result, none is thrown.
  socket:onerror(function(_, _, code) return code end)
  return setmetatable({
    socket = socket,
    stage = stage,
    ordinal = stage:opened(socket),
    tls_context = tls_context,
  }, Connection)
end

-- The steps. Each returns whether the connection can go on.

local play = {}

local function send(self, bytes, pace)
  if not pace then return self.socket:write(bytes) ~= nil end
  for first = 1, #bytes, pace.bytes do
    if not self.socket:write(bytes:sub(first, first + pace.bytes - 1)) then return false end
    cqueues.sleep(pace.seconds)
  end
  return true
end

local function send_part(self, bytes, step)
  local limit = step.limit == "half" and #bytes // 2 or step.limit or #bytes
  return send(self, bytes:sub(1, limit), step.pace)
end

function play.raw(self, step)
  return send_part(self, step.bytes, step)
end

function play.reply(self, step, received)
  local bytes, ends = reply.render(step, received and received.method, received and not request.keeps_alive(received))
  self.ending = self.ending or ends
  return send_part(self, bytes, step)
end

function play.endless(self, step)
  while send(self, step.bytes, step.pace) do
    cqueues.sleep(0) -- the others get their turn, however fast this client reads
  end
  return false
end

function play.take(self, step)
  return self.socket:read(step.bytes) ~= nil
end

function play.delay(_, step)
  cqueues.sleep(step.seconds)
  return true
end

function play.silence(self)
  while self.socket:read(-READ_BYTES) do end
  return false
end

function play.close(self)
  self.socket:shutdown("w")
  return false
end

function play.abort(self)
  -- cqueues cannot set SO_LINGER; LuaSocket borrows the descriptor to do it.
  local borrowed = luasocket.tcp()
  borrowed:setfd(self.socket:pollfd())
  assert(borrowed:setoption("linger", { on = true, timeout = 0 }))
  borrowed:setfd(NO_DESCRIPTOR)
  return false
end

function play.forward(self, _, received)
  forward.serve(self.socket, received)
  return false
end

local function play_all(self, steps, received)
  for _, step in ipairs(steps) do
    if not play[step.kind](self, step, received) then return false end
  end
  return true
end

local function secure(self)
  if not self.tls_context then return true end
  if not self.socket:starttls(self.tls_context, HANDSHAKE_TIMEOUT_SECONDS) then return false end
  self.tls = tls.describe(self.socket)
  return true
end

local function record(self, received)
  received.connection = self.ordinal
  received.at = cqueues.monotime()
  received.tls = self.tls
  table.insert(self.stage.requests, received)
end

local function serve(self)
  local opening = self.stage:take_for_connection()
  if opening and not play_all(self, opening) then return end
  if not secure(self) then return end
  repeat
    local received = request.read(self.socket)
    if not received then return end
    record(self, received)
    if not play_all(self, self.stage:take_for_request(), received) then return end
  until self.ending or not request.keeps_alive(received)
  play.close(self)
end

-- Serves the connection to its end.
function Connection:run()
  local ok, problem = xpcall(serve, debug.traceback, self)
  if self.stage.abandoned then return end
  self.socket:close()
  self.stage:closed(self.socket) -- afterwards: who sees it gone may rely on the client having been told
  if not ok then error(problem, 0) end
end

return connection
