--- The world without a loop: coroutines of our own, which the reactor resumes, and waits that poll.

local core = require "webpubsub.core"

local plain = {}

--- Not on Lua 5.1.
plain.YIELDS_THROUGH_PCALL = _VERSION ~= "Lua 5.1" or rawget(_G, "jit") ~= nil

-- Longest wait in one piece, seconds: Ctrl-C, a debug hook, runs between two of them.
local SLICE = 1

local MAX_IDLE = 256 -- coroutines that are kept to be used again

-- What a coroutine yields when it waits for us. Whatever else is yielded in it waits for something of the program's
-- own: who resumes it then is not our business.
local FOR_US = {}
local NOT_HERE = "a function of the program's has yielded in a coroutine of the library's; on Lua 5.1 it can wait for "
  .. "nothing but cqueues"

-- [coroutine] = its place. The coroutine's own stack keeps the place, so that both can be collected.
local places = setmetatable({}, { __mode = "kv" })

-- A place is where a coroutine waits. It is woken at most once for each wait.
local Place = {}
Place.__index = Place

local function new_place(host)
  local self = setmetatable({
    host = host, thread = false, woken = false, is_resumed = false,
    action = false, finish = false, owner = false, first = false, second = false, is_prompt = false,
  }, Place)
  function self.wake()
    if self.woken then return end
    self.woken = true
    host:put(self)
  end
  return self
end

-- Coroutines of ours stay while they live, though nobody else may know them. Each has its index for good: a table keyed
-- by what comes and goes is rehashed whole now and then.
local function anchor(self)
  local all = self.host.all
  self.index = #all + 1
  all[self.index] = self
end

local function release(self)
  local all, index = self.host.all, self.index
  if not index then return end
  local last = all[#all]
  all[index], last.index = last, index
  all[#all], self.index = nil, nil
end

-- ---------------------------------------------------------------- resuming

--- Leaves a coroutine of ours that waits to whoever may resume it; nobody hears of its end.
function plain.abandon(self)
  if not self.action then return end
  self.host.spawned = self.host.spawned - 1
  self.action, self.finish = false, false
  release(self)
end

-- A function in the coroutine has yielded something of its own.
local function wait_elsewhere(self, ...)
  local host = self.host
  if host:wait_instead(self, ...) or plain.YIELDS_THROUGH_PCALL or not self.action then return end
  local finish, owner = self.finish, self.owner
  plain.abandon(self)
  finish(owner, pcall(core.raise, "argument", "unsupported", NOT_HERE))
end

local function die(self, problem)
  local host = self.host
  release(self)
  local finish, owner, is_unfinished = self.finish, self.owner, self.action
  self.action = false
  if finish then host.spawned = host.spawned - 1 end
  if not is_unfinished then return host:note(problem) end
  local ok, raised = pcall(finish, owner, false, problem)
  if not ok then host:note(raised) end
end

local function resumed(self, outer, ok, mark, ...)
  self.host.current, self.is_resumed = outer, false
  if not ok then return die(self, mark) end
  if mark == FOR_US then return end
  if coroutine.status(self.thread) == "dead" then return release(self) end
  wait_elsewhere(self, mark, ...)
end

--- Resumes the coroutine with these values.
function Place:resume(...)
  local host = self.host
  local outer = host.current
  host.current, self.is_resumed = self, true
  resumed(self, outer, coroutine.resume(self.thread, ...))
end

--- Resumes the coroutine if it still waits, for the reactor; for somebody else where `is_foreign`.
function Place:go_on(is_foreign)
  local status = self.woken and coroutine.status(self.thread)
  if status == "dead" then release(self) end -- somebody has closed it
  if status ~= "suspended" then return false end
  local host = self.host
  local outer = host.current
  host.current, self.is_resumed = self, not is_foreign
  resumed(self, outer, coroutine.resume(self.thread))
  return true
end

-- ---------------------------------------------------------------- coroutines of our own

local guard = plain.YIELDS_THROUGH_PCALL and pcall or function(action, first, second)
  return true, action(first, second)
end

-- The end of an action. Where somebody else has resumed the coroutine, it waits for the next poll.
local function finish(self, ...)
  if not (self.is_resumed or self.is_prompt) then
    self.woken = false
    self.wake()
    while not self.is_resumed do coroutine.yield(FOR_US) end
  end
  if not self.action then return true end -- nobody waits for it any more
  self.action = false
  self.finish(self.owner, ...)
end

local function live(self)
  local host = self.host
  while true do
    local is_over = finish(self, guard(self.action, self.first, self.second))
    if is_over then return end
    self.finish, self.owner, self.first, self.second = false, false, false, false
    host.spawned = host.spawned - 1
    if not host:is_busy() then host:nudge() end
    local idle = host.idle
    if #idle >= MAX_IDLE then return end
    idle[#idle + 1] = self
    while not self.action do coroutine.yield(FOR_US) end
  end
end

--- Runs `action(first, second)` in a coroutine of its own until it waits, and then has polls resume it. At the end
--- `over(owner, ok, ...)` is called with what it returned, or raised: from within a poll, but where `is_prompt`.
function plain.spawn(host, over, owner, is_prompt, action, first, second)
  local idle = host.idle
  local self = idle[#idle]
  if self then
    idle[#idle] = nil
  else
    self = new_place(host)
    self.thread = coroutine.create(live)
    places[self.thread] = self
    anchor(self)
  end
  self.finish, self.owner, self.is_prompt = over, owner, is_prompt
  self.action, self.first, self.second = action, first, second
  host.spawned = host.spawned + 1
  self:resume(self)
  return self
end

--- The place of a coroutine of our own, or nil.
function plain.place_of(host, thread)
  local current = host.current
  if current and current.thread == thread then return current end
  local place = places[thread]
  return place and place.host == host and place or nil
end

--- A place in a coroutine that is not ours, for one wait.
function plain.visit(host, thread)
  local self = new_place(host)
  self.thread = thread
  return self
end

--- Waits in the coroutine of a place. One that is not ours stays meanwhile, too: nobody else may hold it.
function plain.suspend(_, self, begin, ...)
  local is_ours = self.index
  if not is_ours then anchor(self) end
  self.woken = false
  local withdraw = begin(self.wake, ...)
  while not self.woken do coroutine.yield(FOR_US) end
  self.woken = false
  if not is_ours then release(self) end
  if withdraw then withdraw() end
end

--- The same as suspend for an exchange alone, which a token can withdraw.
function plain.rest(self, waiting, slot, token, exchange)
  repeat
    self.woken = false
    waiting[slot], token.exchange = self.wake, exchange
    while not self.woken do coroutine.yield(FOR_US) end
    self.woken = false
  until exchange:done()
  token.exchange = false
end

-- ---------------------------------------------------------------- where nobody can be yielded to

--- Waits by polling.
function plain.poll(host, begin, ...)
  local is_over = false
  local withdraw = begin(function() is_over = true end, ...)
  local ok, problem = true, nil
  while ok and not is_over do
    if host:is_busy() then
      ok, problem = pcall(host.poll, host, SLICE)
    else
      ok, problem = false, "webpubsub: what is waited for will never come"
    end
  end
  if withdraw then withdraw() end
  if not ok then error(problem, 0) end
end

return plain
