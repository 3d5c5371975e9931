--- Lets so many light threads of an NGINX worker in at a time, and the others when their turn comes.
---
--- The queue of NGINX's own (`backlog` of connect) wakes one thread for all connections that come free in one round of
--- the worker's loop, and lets newcomers overtake: under load some of its threads wait until they time out, beside idle
--- connections.

-- luacheck: read globals ngx

local require = require

local core = require "webpubsub.core"

local gate = {}

local RECLAIM_SECONDS = 0.5 -- between two looks for places whose holders are gone, while threads wait
local GRACE_SECONDS = 1     -- that a holder may be late

local Gate = {}
Gate.__index = Gate

--- A gate with `size` places, for which `backlog` threads may wait.
---@param size integer
---@param backlog integer
function gate.new(size, backlog)
  return setmetatable({
    free = assert(require("ngx.semaphore").new(size)),
    backlog = backlog,
    holders = {}, -- until when each is expected to hold its place, at the latest
  }, Gate)
end

-- NGINX ends threads, with their request, without a word to them. Their places are taken back.
function Gate:reclaim()
  local now = core.now()
  for holder, expected in pairs(self.holders) do
    if now > expected + GRACE_SECONDS or holder:is_gone() then self:leave(holder) end
  end
end

-- Reclaims again and again while threads wait. They do not so themselves: who looks loses its turn. NGINX may drop a
-- timer in silence, so one that is late is no longer counted on.
function Gate:watch()
  local now = core.now()
  if self.watched and now < self.watched + 2 * RECLAIM_SECONDS then return end
  local function look(exiting)
    self:reclaim()
    self.watched = nil
    if not exiting and self.free:count() < 0 then self:watch() end
  end
  self.watched = ngx.timer.at(RECLAIM_SECONDS, look) and now or nil
end

--- A place for `holder`; nil and "busy" where too many wait already, nil and "timeout" after `seconds`.
---@param holder { is_gone: fun(self): boolean }
---@param seconds number
---@param hold number  seconds for which it holds the place at most
function Gate:enter(holder, seconds, hold)
  if not self.free:wait(0) then
    if -self.free:count() >= self.backlog then return nil, "busy" end
    self:watch()
    if not self.free:wait(math.max(0, seconds)) then return nil, "timeout" end
  end
  self.holders[holder] = core.now() + hold
  return true
end

--- Gives the place back; without one does nothing.
function Gate:leave(holder)
  if not self.holders[holder] then return end
  self.holders[holder] = nil
  self.free:post(1)
end

return gate
