--- What coroutines wait for outside NGINX: exchanges that the background thread finishes, and moments. Whoever polls
--- wakes those whose wait is over. There is one reactor for each background engine, that is for a Lua state, whichever
--- client's calls they are.

local core = require "webpubsub.core"

local reactor = {}

-- Longest piece of work in one poll, seconds: a tick has 16 ms for everything, and many calls may end in the same one.
-- What is left is left for the next poll, which may be due at once.
local BUDGET, TIMERS_BUDGET = 0.0008, 0.0001

-- [slot of an exchange] = the function that wakes who waits for it. Weak: where a coroutine is collected half way, so
-- is its exchange, and that cancels it. Shared by all copies of the library in a Lua state, which share the engine:
-- whichever copy takes an exchange out wakes the one that waits.
local function waiting_for(background)
  local shared = core.shared()
  shared[background] = shared[background] or setmetatable({}, { __mode = "v" })
  return shared[background]
end

--- Sets the fields of a reactor.
---@param background table  the engine
---@param now fun(): number  seconds of a steady clock
function reactor.init(self, background, now)
  self.background, self.now = background, now
  self.waiting = waiting_for(background)
  self.ready, self.first, self.last = {}, 1, 0 -- coroutines whose wait is over, in order
  self.timers, self.count, self.live, self.serial = {}, 0, 0, 0 -- a heap; `live` of them were not withdrawn
  self.spawned = 0      -- coroutines of ours that are not over
  self.problem = false  -- what one of them raised: { error }
  self.polling = false
  self.hurried = false  -- in the poll that runs, something has become due before all that the loops know of
  self.sending = false  -- since the last look an exchange was under way
  self.current = false  -- the place of the coroutine that was resumed last and runs
  self.loops = setmetatable({}, { __mode = "k" }) -- [loop] = true: event loops that poll
end

--- Tells the loops that they must poll earlier than they know: their descriptor does not say so.
function reactor:nudge()
  for loop in pairs(self.loops) do loop:nudge() end
end

-- Is an exchange of ours under way? Those that were collected come to no end that is seen here.
local function is_sending(self)
  if self.sending then self.sending = self.background:pending() > 0 end
  return self.sending
end

--- Is there anything to poll for?
function reactor:is_busy()
  return self.spawned > 0 or self.live > 0 or self.last >= self.first or self.problem or is_sending(self)
end

-- ---------------------------------------------------------------- moments

local function is_earlier(one, other)
  return one.due < other.due or one.due == other.due and one.serial < other.serial
end

local function sift_down(timers, count)
  local timer, index = timers[1], 1
  local child = 2
  while child <= count do
    if child < count and is_earlier(timers[child + 1], timers[child]) then child = child + 1 end
    if not is_earlier(timers[child], timer) then break end
    timers[index] = timers[child]
    index, child = child, 2 * child
  end
  timers[index] = timer
end

local function remove_first(self)
  local timers, count = self.timers, self.count
  timers[1] = timers[count]
  timers[count] = nil
  self.count = count - 1
  if count > 2 then sift_down(timers, count - 1) end
end

--- Has `act` called at that time, by a poll.
---@return table timer
function reactor:at(due, act)
  self.serial = self.serial + 1
  local timers, timer = self.timers, { due = due, act = act, serial = self.serial }
  local index = self.count + 1
  self.count, self.live = index, self.live + 1
  while index > 1 and is_earlier(timer, timers[(index - index % 2) / 2]) do
    local parent = (index - index % 2) / 2
    timers[index], index = timers[parent], parent
  end
  timers[index] = timer
  if index == 1 then
    if self.polling then self.hurried = true else self:nudge() end
  end
  return timer
end

--- Withdraws a timer; one that has acted is left as it is.
function reactor:forget(timer)
  if not timer.act then return end
  timer.act = false
  self.live = self.live - 1
  if self.live > 0 then return end
  self.timers, self.count = {}, 0
  if not (self.polling or self:is_busy()) then self:nudge() end -- a loop may wait for this moment
end

-- The first timer that was not withdrawn.
local function first_timer(self)
  local timer = self.timers[1]
  while timer and not timer.act do
    remove_first(self)
    timer = self.timers[1]
  end
  return timer
end

local function run_timers(self)
  local now = self.now()
  local stop, timer = now + TIMERS_BUDGET, first_timer(self)
  while timer and timer.due <= now and self.now() < stop do
    local act = timer.act
    remove_first(self)
    timer.act, self.live = false, self.live - 1
    act()
    timer = first_timer(self)
  end
end

-- ---------------------------------------------------------------- coroutines whose wait is over

--- Has `place:go_on()` called by a poll, as soon as possible.
function reactor:put(place)
  self.last = self.last + 1
  self.ready[self.last] = place
  if not self.polling then self:nudge() end
end

local function take(self)
  local first = self.first
  if first > self.last then return nil end
  local place = self.ready[first]
  self.ready[first] = nil
  if first == self.last then self.first, self.last = 1, 0 else self.first = first + 1 end
  return place
end

-- Wakes who waits for an exchange that is finished, and lets it go on.
local function dispatch(self, slot)
  local wake = self.waiting[slot]
  if not wake then return end
  self.waiting[slot] = false
  wake()
  local place = take(self)
  if place then place:go_on() end
end

-- Lets one of those go on that can; false where there is none.
local function step(self)
  local place = take(self)
  while place do
    if place:go_on() then return true end
    place = take(self)
  end
  local exchange, slot = self.background:next()
  if exchange then dispatch(self, slot) end
  return exchange ~= nil
end

--- Keeps what a coroutine of ours has raised: the poll raises it.
function reactor:note(problem)
  self.problem = self.problem or { problem }
  if not self.polling then self:nudge() end
end

local function raise_problem(self)
  local problem = self.problem
  self.problem = false
  error(problem[1], 0)
end

-- Lets coroutines go on for at most BUDGET, the one that waits for the exchange with that slot first; returns how many
-- did.
local function work(self, most, slot)
  local count, stop = 0, nil
  if slot then
    stop = self.now() + BUDGET
    dispatch(self, slot)
    count = 1
  end
  if self.live > 0 then run_timers(self) end
  while not self.problem and count < most and step(self) do
    count = count + 1
    stop = stop or self.now() + BUDGET
    if self.now() >= stop then break end
  end
  return count
end

-- A loop whose poll this is not knows nothing of what has become due meanwhile. One whose poll raises does not look.
local function tell_loops(self)
  if not (self.hurried or self.last >= self.first or self.problem) then return end
  self.hurried = false
  self:nudge()
end

-- What is raised past it, such as Ctrl-C, leaves the reactor as it was.
local function round(self, most, slot)
  local polling, current = self.polling, self.current
  self.polling = true
  local ok, count = pcall(work, self, most, slot)
  self.polling, self.current = polling, current
  if not polling then tell_loops(self) end
  if not ok then error(count, 0) end
  if self.problem then raise_problem(self) end
  if count > 0 and not self:is_busy() then self:nudge() end -- another loop may wait for what has ended here
  return count
end

--- One round. Waits at most `seconds` (nil, 0: not at all) where nothing can go on.
---@param seconds number|nil
---@param most integer|nil  so many may go on; all by default
---@return integer count  how many did
function reactor:poll(seconds, most)
  if not self:is_busy() then return 0 end
  most = most or math.huge
  local count, exchange, slot = 0, nil, nil
  local is_idle = self.last < self.first and self.live == 0 and not self.problem
  if is_idle then exchange, slot = self.background:next() end -- most often there is nothing, which must cost nothing
  if exchange or not is_idle then count = round(self, most, slot) end
  if count == 0 and seconds and seconds > 0 and self:is_busy() then
    self.background:wait(math.min(seconds, self:timeout() or seconds))
    count = round(self, most)
  end
  return count
end

--- A descriptor that is readable when `poll(0)` has something to do.
---@return integer
function reactor:descriptor()
  return self.background:fd()
end

--- Seconds after which `poll(0)` is due whatever the descriptor says; nil: not before it says so.
---@return number|nil
function reactor:timeout()
  if self.last >= self.first or self.problem then return 0 end
  local timer = first_timer(self)
  return timer and math.max(0, timer.due - self.now()) or nil
end

return reactor
