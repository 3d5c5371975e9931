--- Where a call waits: which of the worlds is here, and its two verbs. See README.md.
---
--- A host is a table with `suspend`, `spawn`, `call`, `wait`, `poll` and so on: this one outside NGINX, one for each
--- background engine; host/nginx.lua makes those of NGINX.

local debug = debug

local core = require "webpubsub.core"
local cqueues = require "webpubsub.host.cqueues"
local luv = require "webpubsub.host.luv"
local plain = require "webpubsub.host.plain"
local reactor = require "webpubsub.host.reactor"

local host = {}

-- Seconds between two times that the program is asked whether it withdraws a call.
local ASKING_SLICE = 0.05

local Host = {}
Host.__index = Host
for name, method in pairs(reactor) do Host[name] = method end

local hosts = setmetatable({}, { __mode = "k" })

--- The host of a background engine.
---@param background table
---@param now fun(): number  seconds of a steady clock
function host.of(background, now)
  local self = hosts[background]
  if not self then
    self = setmetatable({ all = {}, idle = {}, luv = false }, Host)
    reactor.init(self, background, now)
    hosts[background] = self
  end
  return self
end

-- ---------------------------------------------------------------- which world is here

-- Functions of C through which a coroutine can yield. The older Luas cannot tell whether one can; there the stack is
-- looked at.
local passable = _VERSION == "Lua 5.2" and { [pcall] = true, [xpcall] = true } or {}

local can_yield = coroutine.isyieldable -- luacheck: ignore 143 (Lua 5.3 has it, and LuaJIT)
  or function()
    local level = 2
    local frame = debug.getinfo(level, "Sf")
    while frame do
      if frame.what == "C" and not passable[frame.func] then return false end
      level = level + 1
      frame = debug.getinfo(level, "Sf")
    end
    return true
  end

-- Lua 5.1 in a loop's coroutine: to poll would hold up all others without a word.
local function refuse_to_hold_up()
  if plain.YIELDS_THROUGH_PCALL then return nil end
  core.raise("argument", "unsupported", "on Lua 5.1 a call cannot wait within pcall, or another function of C, in a "
    .. "coroutine of a loop; make the client with errors = \"return\", and call it without pcall")
end

--- The world in which the caller can wait while others go on, and its place there; nil: it must wait in place.
function Host:here()
  local thread, is_main = coroutine.running()
  if not thread or is_main then return nil end
  local place = plain.place_of(self, thread)
  if place then return can_yield() and plain or nil, place end
  if cqueues.is_here() then
    if can_yield() then return cqueues end
    return refuse_to_hold_up()
  end
  if luv.is_attached(self) then
    if can_yield() then return plain, plain.visit(self, thread) end
    return refuse_to_hold_up()
  end
end

--- `begin(wake, ...)` arranges that `wake()` is called, and returns how to withdraw that, or nil. Returns after the
--- wake; the arrangement is withdrawn, whatever ended the wait.
function Host:suspend(begin, ...)
  local world, place = self:here()
  if world then return world.suspend(self, place, begin, ...) end
  return plain.poll(self, begin, ...)
end

--- There can always be one more. What becomes of one too many, the engine says.
function Host.admit() return true end

--- What is asked whether what was spawned is withdrawn: the program's function, or false.
function Host.asks(_, ask) return ask or false end

--- Runs `action(owner)` in a coroutine of its own, at once until it waits; at its end, from within a poll,
--- `over(owner, ok, ...)` is called with what it returned, or raised.
function Host:spawn(action, over, owner)
  plain.spawn(self, over, owner, false, action, owner)
  if self.spawned > 0 then
    cqueues.enter(self)
    luv.enter(self)
  end
  return true
end

--- The host for what others who run here may wait for: this one, where any number can run.
function Host:apart()
  return self
end

--- Does what runs here run for the owner of a coroutine that was spawned?
function Host:serves(owner)
  local thread = coroutine.running()
  local place = thread and plain.place_of(self, thread)
  return place and place.owner and (place.owner == owner or place.owner.token == owner)
end

--- For plain.lua: somebody else waits for what one of its coroutines has yielded.
function Host.wait_instead(_, ...)
  return cqueues.wait_instead(...)
end

--- Has luv's loop poll.
function Host:attach_luv()
  return luv.attach(self)
end

-- ---------------------------------------------------------------- waits that may be withdrawn

local weak = { __mode = "v" }

-- Asks again and again, as long as somebody waits: a coroutine that is collected takes its wait with it. What `ask`
-- raises is kept for who waits.
local function ask_later(self, entry)
  local timer = self:at(self.now() + ASKING_SLICE, function()
    local wait = entry.wait
    if not wait then return end
    local ok, answer = pcall(wait.ask)
    if not ok then wait.problem = { answer } end
    if answer or not ok then
      wait.cancelled = true
      wait.wake()
    else
      ask_later(self, entry)
    end
  end)
  entry.wait.asking = timer
end

local function begin_wait(wake, self, token, exchange, slot, due, ask, wait)
  if slot then self.waiting[slot] = wake end
  if token then token.wake, token.exchange = wake, exchange end
  if not wait then return nil end
  wait.wake, wait.ask = wake, ask
  local timer = due and self:at(due, wake)
  if ask then ask_later(self, setmetatable({ wait = wait }, weak)) end
  return function()
    if timer then self:forget(timer) end
    if wait.asking then self:forget(wait.asking) end
  end
end

-- `cancelled` is a function that is asked, or what a task is: a token with `cancelled`, maybe a function `ask`, and
-- `wake` and `exchange`, with which a cancellation is told.
local function wait_once(self, world, place, cancelled, exchange, slot, due, wait)
  local token, ask = nil, cancelled
  if type(cancelled) == "table" then token, ask = cancelled, cancelled.ask or nil end
  if ask or due then wait = wait or {} end
  world.suspend(self, place, begin_wait, self, token, exchange, slot, due, ask, wait)
  if token then token.wake, token.exchange = false, false end
  return wait and wait.cancelled or token and token.cancelled, wait and wait.problem
end

--- Waits in a world until `exchange`, which has that slot, is finished; true: it was withdrawn instead.
function Host:await(world, place, exchange, slot, cancelled)
  self.sending = true
  luv.enter(self)
  if world == plain and type(cancelled) == "table" and not cancelled.ask then -- the usual way of a task
    plain.rest(place, self.waiting, slot, cancelled, exchange)
    return cancelled.cancelled
  end
  local withdrawn, problem
  repeat withdrawn, problem = wait_once(self, world, place, cancelled, exchange, slot)
  until withdrawn or exchange:done()
  if not exchange:done() then
    self.waiting[slot] = false
    exchange:cancel()
  end
  if problem then error(problem[1], 0) end
  return withdrawn
end

--- Waits in a world until `due`, or less where the wait is withdrawn.
function Host:sleep(world, place, due, cancelled)
  local token = type(cancelled) == "table" and cancelled
  while not (token and token.cancelled) and self.now() < due do
    local withdrawn, problem = wait_once(self, world, place, cancelled, nil, nil, due)
    if problem then error(problem[1], 0) end
    if withdrawn then return end
  end
end

-- ---------------------------------------------------------------- functions of the program's

local function called(state, ok, ...)
  state.ok, state.first, state.second, state.third = ok, ...
  state.over = true
  local wait = state.wait
  if wait then
    wait.wake()
    if state.outer and not state.host.polling then state.outer:go_on(true) end
  end
end

--- Calls `action(first, second)`, which may wait: `seconds` at most, and not past a cancellation. Returns true and what
--- it returns; or false and "timeout" or "cancelled", and then nobody waits for it any more. Where waiting is blocking
--- it is simply called.
function Host:call(seconds, cancelled, action, first, second)
  local world, place = self:here()
  if not world then return true, action(first, second) end
  local state = { host = self, token = cancelled }
  local inner = plain.spawn(self, called, state, true, action, first, second)
  if not state.over then
    local due, withdrawn, problem = self.now() + seconds
    state.outer = place
    repeat
      state.wait = {}
      withdrawn, problem = wait_once(self, world, place, cancelled, nil, nil, due, state.wait)
    until withdrawn or state.over or self.now() >= due
    state.wait = nil
    if not state.over then
      plain.abandon(inner)
      if problem then error(problem[1], 0) end
      return false, withdrawn and "cancelled" or "timeout"
    end
  end
  if not state.ok then error(state.first, 0) end
  return true, state.first, state.second, state.third
end

return host
