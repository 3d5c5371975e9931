--- The world of luv, once it is attached: calls in coroutines yield, and the loop polls the reactor.

local require = require

local text_errors = require "webpubsub.text_errors"

local world = {}

local adapter = {}
adapter.__index = adapter

-- Runs what is ready and arranges to be called again when more can be: at once is after everything else in the loop has
-- had its turn, which with a timer that is due it would not have.
local function turn(self)
  local host = self.host
  self.soon:stop()
  host:poll(0)
  if not self.attached then return end -- any more
  if not host:is_busy() then return self:rest() end
  local timeout = host:timeout()
  if timeout == 0 then
    self.soon:start(self.turn)
  elseif timeout then
    self.timer:start(math.ceil(timeout * 1000), 0, self.turn)
  else
    self.timer:stop()
  end
end

-- With nothing to poll for nothing of ours keeps the loop alive.
function adapter:rest()
  self.active = false
  self.descriptor:stop()
  self.timer:stop()
  self.soon:stop()
end

function adapter:nudge()
  if not self.active then
    self.active = true
    self.descriptor:start("r", self.turn)
  end
  self.soon:start(self.turn)
end

--- Detaches from the loop; tasks then go on with `client:poll` only. The handles stay, at rest, for another time: luv
--- crashes where handles that were closed are left for the end of the process.
function adapter:close()
  self:rest()
  self.attached, self.host.loops[self] = false, nil
end

local function new_adapter(host)
  local uv = require "luv"
  local self = setmetatable({
    host = host, descriptor = uv.new_poll(host:descriptor()), timer = uv.new_timer(), soon = uv.new_idle(),
  }, adapter)
  self.turn = text_errors(function() turn(self) end) -- luv shows nothing of what is raised but strings
  return self
end

--- Has luv's loop poll, for all clients. A second time returns what the first did.
---@return { close: fun(self) }
function world.attach(host)
  local self = host.luv or new_adapter(host)
  host.luv, self.attached, host.loops[self] = self, true, true
  if host:is_busy() then self:nudge() end
  return self
end

--- Has the loop poll, if it does not yet.
function world.enter(host)
  local self = host.luv
  if self and self.attached and not self.active then self:nudge() end
end

function world.is_attached(host)
  return host.luv and host.luv.attached
end

return world
