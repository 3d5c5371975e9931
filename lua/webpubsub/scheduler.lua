--- What moves tasks on where libcurl sends their requests: each task is a coroutine that hands its exchange to the
-- background thread and yields; it is resumed when the exchange is finished or a wait is over, in the order in which
-- that happens. There is one scheduler for each background engine, that is for a Lua state, whichever client's tasks
-- they are.

local core = require "webpubsub.core"
local fifo = require "webpubsub.fifo"
local loops = require "webpubsub.loops"

local unpack = table.unpack or unpack -- luacheck: ignore 113 143

local scheduler = {}
scheduler.__index = scheduler

-- Longest piece of work in one poll, seconds: a tick has 16 ms for everything, and many calls may end in the same one.
-- What is left is left for the next, be it due at once.
local BUDGET, ASKING_BUDGET = 0.0008, 0.0001

-- Seconds between two looks at what may ask for a cancellation.
local ASKING_SLICE = 0.05

local by_background = setmetatable({}, { __mode = "k" })

--- The scheduler of a background engine.
---@param background table
---@param now fun(): number  seconds of a steady clock
function scheduler.of(background, now)
  local self = by_background[background]
  if not self then
    self = setmetatable({
      background = background,
      now = now,
      pending = 0,        -- tasks that are not over
      ready = fifo.new(), -- tasks whose wait is over
      exchanges = {},     -- [exchange] = the task that waits for it
      sleeping = {},      -- [task] = when it wants to wake
      next_wake = math.huge,
      asking = fifo.new(), -- who may ask for a cancellation: { task, cancelled = a function, due = when it is asked }
      loops = setmetatable({}, { __mode = "k" }), -- [loop] = true: event loops that poll, see loops.lua
    }, scheduler)
    by_background[background] = self
  end
  return self
end

-- ---------------------------------------------------------------- a task's way

-- What a task yields when it waits for the scheduler. Whatever else is yielded in it waits for something of its own: a
-- credential function that fetches a token in the program's loop. Who resumes it then is not our business; that it goes
-- on, and what it comes to, is. On Lua 5.1 what it raises would be lost, for a coroutine cannot yield through pcall.
local FOR_US = {}
local NOT_HERE = "a function that a task calls has yielded; on Lua 5.1 it can wait for nothing but cqueues"

local function wait_for_us(task)
  task.waits_elsewhere = false
  coroutine.yield(FOR_US)
end

local function withdrawn()
  return nil, "cancelled", "cancelled", "the call was cancelled"
end

local function wait_for_time(self, task, seconds)
  local wake = self.now() + seconds
  self.sleeping[task] = wake
  if wake < self.next_wake then
    self.next_wake = wake
    self:nudge()
  end
end

-- The transport of one task: waits by yielding. A task that sleeps is not resumed before its time, but for a
-- cancellation.
local function yielding_transport(self, task, transport)
  return {
    now = transport.now,
    wall = transport.wall,
    sleep = function(seconds)
      wait_for_time(self, task, seconds)
      wait_for_us(task)
    end,
    exchange = function(call)
      if task.cancelled then return withdrawn() end -- while a policy saw the request
      local exchange = transport.submit(call)
      task.exchange, self.exchanges[exchange] = exchange, task
      wait_for_us(task)
      task.exchange = nil
      if task.cancelled then return withdrawn() end
      local status, received, content, message, stale = exchange:result()
      if not status then return nil, received, content, message, stale end
      return call:deliver(status, received, content)
    end,
  }
end

local resume

local function resumed(self, task, ok, what, ...)
  task.is_resumed = false
  if coroutine.status(task.thread) == "dead" then
    if ok then task:finish(what, ...) else task:finish(false, what) end
  elseif what ~= FOR_US then
    task.waits_elsewhere = true
    local is_awaited = loops.wait_instead(function(...) resume(self, task, ...) end, what, ...)
    if not (is_awaited or loops.YIELDS_THROUGH_PCALL) then
      task.cancelled = true
      task:finish(pcall(core.raise, "argument", "unsupported", NOT_HERE, nil, task.name))
    end
  end
end

resume = function(self, task, ...)
  if task.finished then return end
  if task.outcome then return task:finish(unpack(task.outcome, 1, task.outcome.count)) end
  task.is_resumed = true
  resumed(self, task, coroutine.resume(task.thread, ...))
end

-- The end of a task's coroutine. Where somebody else has resumed it, the next poll gets to know.
local function come_to_end(self, task, ...)
  if task.is_resumed then return ... end
  task.outcome = { count = select("#", ...), ... }
  self.ready:put(task)
  self:nudge()
end

local guard = loops.YIELDS_THROUGH_PCALL and pcall or function(perform, extras) return true, perform(extras) end

local function ask_later(self, asked)
  asked.due = self.now() + ASKING_SLICE
  self.asking:put(asked)
end

--- There can always be a task. What becomes of one too many, the engine says.
function scheduler.admit() end

--- Has the task run `perform(extras)`, with a transport that yields in the place of the client's.
---@param task table
---@param perform fun(extras: table): ...
---@param extras table  the client's
---@param cancel nil|fun(): boolean?  asked while the task waits
function scheduler:start(task, perform, extras, cancel)
  self.pending = self.pending + 1
  if cancel then ask_later(self, { task = task, cancelled = cancel }) end
  extras.transport = yielding_transport(self, task, extras.transport)
  task.thread = coroutine.create(function() return come_to_end(self, task, guard(perform, extras)) end)
  loops.bind(task.thread)
  resume(self, task)
  if not task.finished then loops.enter(self) end
end

--- Nothing waits for a task that is over. With the last, loops have nothing left to poll for.
function scheduler:remove(task)
  self.sleeping[task] = nil
  if task.exchange then self.exchanges[task.exchange] = nil end
  self.pending = self.pending - 1
  if self.pending == 0 then
    self.asking = fifo.new()
    self:nudge()
  end
end

--- Has a task that is cancelled notice it soon, whatever it waits for.
function scheduler:withdraw(task)
  if task.exchange then
    task.exchange:cancel()
  elseif self.sleeping[task] then
    self.sleeping[task], self.next_wake = 0, 0
    self:nudge()
  elseif task.waits_elsewhere then
    task:finish(pcall(core.raise, "cancelled", "cancelled", "the call was cancelled", nil, task.name))
  end
end

--- Does not resume a task again.
function scheduler.drop(_, task)
  if task.exchange then task.exchange:cancel() end
end

--- A way to wait for tasks here, see loops.lua.
function scheduler:signal()
  return loops.signal(self)
end

-- ---------------------------------------------------------------- loops

--- Tells the loops that they must poll earlier than they know: their descriptor does not say so.
function scheduler:nudge()
  for loop in pairs(self.loops) do loop:nudge() end
end

-- ---------------------------------------------------------------- polling

local function wake_sleepers(self, now)
  self.next_wake = math.huge
  for task, wake in pairs(self.sleeping) do
    if wake <= now then
      self.sleeping[task] = nil
      self.ready:put(task)
    elseif wake < self.next_wake then
      self.next_wake = wake
    end
  end
end

-- What it raises is how the task ends.
local function ask(task, cancelled)
  local ok, answer = pcall(cancelled)
  if not ok then task.problem = { answer } end
  if answer or not ok then task:cancel() end
end

-- Asks those that are due, one after the other; where they are very many, the rest in the next polls.
local function ask_for_cancels(self, asked)
  local now = self.now()
  local stop = now + ASKING_BUDGET
  while asked and asked.due <= now and self.now() < stop do
    self.asking:take()
    if not asked.task.finished then
      ask_later(self, asked)
      ask(asked.task, asked.cancelled)
    end
    asked = self.asking:peek()
  end
end

-- The next task that can go on: its wait is over, or its exchange is finished.
local function next_task(self)
  local task = self.ready:take()
  while not task do
    local exchange = self.background:next()
    if not exchange then return nil end
    task = self.exchanges[exchange]
    self.exchanges[exchange] = nil
  end
  return task
end

-- Lets tasks go on for at most BUDGET; returns how many did.
local function work(self)
  local count, stop, task = 0, nil, next_task(self)
  while task do
    resume(self, task)
    count = count + 1
    stop = stop or self.now() + BUDGET
    task = self.now() < stop and next_task(self) or nil
  end
  return count
end

--- One round. Waits at most `seconds` (nil, 0: not at all) where nothing can go on; returns how many tasks did.
---@param seconds number|nil
---@return integer
function scheduler:poll(seconds)
  if self.pending == 0 then return 0 end
  local asked = self.asking:peek()
  if asked then ask_for_cancels(self, asked) end
  if self.next_wake < math.huge then
    local now = self.now()
    if self.next_wake <= now then wake_sleepers(self, now) end
  end
  local count = work(self)
  if count == 0 and self.pending > 0 and seconds and seconds > 0 then
    self.background:wait(math.min(seconds, self:timeout() or seconds))
    return self:poll(0)
  end
  return count
end

--- A descriptor that is readable when `poll(0)` has something to do.
---@return integer
function scheduler:descriptor()
  return self.background:fd()
end

--- Seconds after which `poll(0)` is due whatever the descriptor says; nil: not before it says so.
---@return number|nil
function scheduler:timeout()
  if self.ready:length() > 0 then return 0 end
  local timeout = self.next_wake < math.huge and math.max(0, self.next_wake - self.now()) or nil
  local asked = self.asking:peek()
  if not asked then return timeout end
  local due = math.max(0, asked.due - self.now())
  return timeout and math.min(timeout, due) or due
end

return scheduler
