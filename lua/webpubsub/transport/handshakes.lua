--- Who may shake hands: inside NGINX a handshake takes the processor for a good part of a millisecond, and many at once
-- would hold up the worker's loop. When the first are through, the others resume their session, which costs less.

local core = require "webpubsub.core"

local handshakes = {}
handshakes.__index = handshakes

local LIMIT = 4          -- at a time
local LOOK_SECONDS = 0.1 -- between two looks for permits that are overdue

function handshakes.new()
  return setmetatable({
    lent = {}, -- [permit] = when it is due
  }, handshakes)
end

-- Threads that are killed give nothing back, so a permit is due when they would have been done at the latest.
local function reclaim(self)
  local now = core.now()
  for permit, due in pairs(self.lent) do
    if due < now then self:release(permit) end
  end
end

--- Waits for a permit; nil: there is none by `deadline`, at which it would be due.
---@param deadline number  of the steady clock, seconds
---@return table|nil permit
function handshakes:acquire(deadline)
  self.free = self.free or require("ngx.semaphore").new(LIMIT)
  local left = deadline - core.now()
  while left > 0 do
    reclaim(self)
    if self.free:wait(math.min(left, LOOK_SECONDS)) then
      local permit = {}
      self.lent[permit] = deadline
      return permit
    end
    left = deadline - core.now()
  end
end

--- Gives it back; a second time does nothing.
function handshakes:release(permit)
  if not self.lent[permit] then return end
  self.lent[permit] = nil
  self.free:post(1)
end

return handshakes
