--- Limits the number of connections that have not presented a valid token yet. At the limit, accepting pauses until one
-- of them has presented its token or ended; those that have been silent for a while are closed to make room.

local cqueues = require "cqueues"
local cqueues_socket = require "cqueues.socket"

local Strangers = {}
Strangers.__index = Strangers

local strangers = {}

local MAX_STRANGERS = 512
local SILENT_SECONDS = 2 -- a stranger older than this is closed when there are too many
local LOOK_SECONDS = 0.2

---@param http table lua-http's server, whose accepting is held up
---@param controller table the cqueues controller it runs in
function strangers.new(http, controller)
  return setmetatable({
    http = http,
    controller = controller,
    since = {}, -- socket -> when it was accepted
    count = 0,
    making_room = false,
  }, Strangers)
end

local function remove(self, socket)
  if self.since[socket] then
    self.since[socket] = nil
    self.count = self.count - 1
  end
end

local function remove_ended(self)
  for socket in pairs(self.since) do
    if cqueues_socket.type(socket) ~= "socket" then
      remove(self, socket)
    end
  end
end

-- The coroutine that waits for the request closes the socket.
local function cut_off_silent(self)
  local before = cqueues.monotime() - SILENT_SECONDS
  for socket, since in pairs(self.since) do
    if since < before then
      socket:shutdown("rw")
      remove(self, socket)
    end
  end
end

-- Runs until the number is below the limit again.
local function make_room(self)
  repeat
    cqueues.sleep(LOOK_SECONDS)
    remove_ended(self)
    cut_off_silent(self)
  until self.count < MAX_STRANGERS
  self.making_room = false
  self.http:resume()
end

--- A connection has been accepted.
---@param socket table
function Strangers:add(socket)
  self.since[socket] = cqueues.monotime()
  self.count = self.count + 1
  if self.count >= MAX_STRANGERS then
    remove_ended(self)
  end
  if self.count < MAX_STRANGERS then
    return
  end
  self.http:pause()
  if not self.making_room then
    self.making_room = true
    self.controller:wrap(make_room, self)
  end
end

--- A connection has presented a valid token.
---@param socket table|nil
function Strangers:welcome(socket)
  if socket and self.since[socket] then
    remove(self, socket)
    if self.making_room and self.count < MAX_STRANGERS then
      self.http:resume()
    end
  end
end

return strangers
