--- Event loops in whose coroutines a call waits without holding up the others: cqueues by itself, luv once attached.
--
-- A signal is how to wait for tasks: `signal:wait()` lets the loop's other coroutines run and comes back after
-- `signal:set()`, be it that this came first; it may come back early. It yields where `signal.yields`; without a loop
-- it polls.

local loops = {}

local unpack = table.unpack or unpack -- luacheck: ignore 113 143

--- Not on Lua 5.1.
loops.YIELDS_THROUGH_PCALL = _VERSION ~= "Lua 5.1" or rawget(_G, "jit") ~= nil

-- Longest wait in one piece, seconds: a signal that comes just before a wait does not end it, and Ctrl-C is one.
local SLICE = 1

-- ---------------------------------------------------------------- without a loop

local polling = {}
polling.__index = polling

function polling:wait() self.scheduler:poll(SLICE) end
function polling.set() end

-- ---------------------------------------------------------------- cqueues

-- Of each controller: a coroutine that polls as long as there are tasks. [scheduler][controller] = its pump; weak, for
-- a controller that is dropped half way never ends it.
local pumps = setmetatable({}, { __mode = "k" })

local pump = {}
pump.__index = pump

function pump:nudge()
  self.nudged:signal()
end

local function pump_of(scheduler, controller)
  pumps[scheduler] = pumps[scheduler] or setmetatable({}, { __mode = "kv" })
  return pumps[scheduler][controller]
end

local function is_in_charge(self)
  return pump_of(self.scheduler, self.controller) == self
end

local function stop_pump(self)
  if not is_in_charge(self) then return end
  pumps[self.scheduler][self.controller] = nil
  self.scheduler.loops[self] = nil
end

-- [coroutine] = true: those of Lua 5.1 that wait in place, pumps and tasks.
local bound = setmetatable({}, { __mode = "k" })

--- For a coroutine in which, or around which, there is a pcall.
function loops.bind(thread)
  if not loops.YIELDS_THROUGH_PCALL then bound[thread] = true end
end

local start_pump

-- What is guarded is a round of polling and not the whole, which Lua 5.1 could not yield from. After each of them the
-- loop's other coroutines have their turn. What a callback raises ends this coroutine, and must not end the wait of
-- all the others for ever.
local function run_pump(self)
  local cqueues, scheduler = self.cqueues, self.scheduler
  local due = { pollfd = scheduler:descriptor(), events = "r", timeout = function() return scheduler:timeout() end }
  loops.bind(coroutine.running())
  while is_in_charge(self) and scheduler.pending > 0 do
    self.is_polling = true
    local ok, problem = pcall(scheduler.poll, scheduler, 0)
    self.is_polling = false
    if not ok then
      stop_pump(self)
      if scheduler.pending > 0 then start_pump(cqueues, self.controller, scheduler) end
      error(problem, 0)
    end
    if is_in_charge(self) and scheduler.pending > 0 then cqueues.poll(due, self.nudged) end
  end
  stop_pump(self)
end

-- Several in a process need no agreement: whichever polls serves them all.
start_pump = function(cqueues, controller, scheduler)
  if pump_of(scheduler, controller) then return end
  local self = setmetatable({
    cqueues = cqueues, controller = controller, scheduler = scheduler, nudged = require("cqueues.condition").new(),
  }, pump)
  pumps[scheduler][controller] = self
  scheduler.loops[self] = true
  controller:wrap(run_pump, self)
end

local condition_signal = { yields = true }
condition_signal.__index = condition_signal

function condition_signal:wait()
  if not self.is_set then self.condition:wait() end
  self.is_set = false
end

function condition_signal:set()
  self.is_set = true
  self.condition:signal()
end

-- The controller in whose coroutines this runs, and whether what runs is one of these coroutines itself and can yield.
local function controller_here()
  local cqueues = package.loaded["cqueues"]
  if not cqueues then return nil end
  local controller, is_its_own = cqueues.running()
  return cqueues, controller, is_its_own and not bound[coroutine.running()]
end

-- Who waits within a poll, that is a callback, waits for its own pump; so another takes over.
local function replace_pump(cqueues, controller, scheduler)
  local current = pump_of(scheduler, controller)
  if current and current.is_polling then stop_pump(current) end
  start_pump(cqueues, controller, scheduler)
end

--- Would a call made here hold up other coroutines of a cqueues loop?
function loops.inside()
  local _, controller, is_its_own = controller_here()
  return controller ~= nil and is_its_own
end

-- ---------------------------------------------------------------- luv

local adapter = {}
adapter.__index = adapter

-- Runs what is ready and arranges to be called again when more can be: at once is after everything else in the loop has
-- had its turn, which with a timer that is due it would not have.
local function turn(self)
  self.soon:stop()
  self.scheduler:poll(0)
  if not self.attached then return end -- any more
  if self.scheduler.pending == 0 then return self:rest() end
  local timeout = self.scheduler:timeout()
  if timeout == 0 then
    self.soon:start(self.turn)
  elseif timeout then
    self.timer:start(math.ceil(timeout * 1000), 0, self.turn)
  else
    self.timer:stop()
  end
end

-- Without tasks nothing of ours keeps the loop alive.
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
-- crashes where handles that were closed are left for the end of the process.
function adapter:close()
  self:rest()
  self.attached, self.scheduler.loops[self] = false, nil
end

local function new_adapter(scheduler)
  local uv = require "luv"
  local self = setmetatable({
    scheduler = scheduler, descriptor = uv.new_poll(scheduler:descriptor("attach_luv")), timer = uv.new_timer(),
    soon = uv.new_idle(),
  }, adapter)
  self.turn = function() turn(self) end
  return self
end

--- Has luv's loop drive the tasks of all clients: `await` in a coroutine then yields to the loop. A second time returns
-- what the first did.
---@param scheduler table
---@return { close: fun(self) }
function loops.attach_luv(scheduler)
  local self = scheduler.luv or new_adapter(scheduler)
  scheduler.luv, self.attached, scheduler.loops[self] = self, true, true
  if scheduler.pending > 0 then self:nudge() end
  return self
end

local thread_signal = { yields = true }
thread_signal.__index = thread_signal

function thread_signal:wait()
  if not self.is_set then
    self.waits = true
    coroutine.yield()
    self.waits = false
  end
  self.is_set = false
end

function thread_signal:set()
  self.is_set = true
  if not self.waits or coroutine.status(self.thread) == "dead" then return end -- closed while it waited
  local ok, err = coroutine.resume(self.thread)
  if not ok then error(err, 0) end
end

-- The running coroutine if it can yield, or nil.
local function current_coroutine()
  local thread, is_main = coroutine.running()
  return not is_main and not bound[thread] and thread or nil
end

-- ---------------------------------------------------------------- whichever it is

--- Something in a task's own coroutine has yielded this. Where cqueues is to wait, which knows its own coroutines only,
-- one of these does, and has the task `go_on`; else the result is false.
function loops.wait_instead(go_on, mark, ...)
  local cqueues, controller = controller_here()
  if not controller or mark ~= cqueues._POLL then return false end
  local count, awaited = select("#", ...), { ... }
  controller:wrap(function() go_on(cqueues.poll(unpack(awaited, 1, count))) end)
  return true
end

--- Has the loop in which a task was started drive it, where there is one.
function loops.enter(scheduler)
  local cqueues, controller = controller_here()
  if controller then start_pump(cqueues, controller, scheduler) end
  scheduler:nudge()
end

--- A signal for who waits here for tasks.
function loops.signal(scheduler)
  local cqueues, controller, is_its_own = controller_here()
  if controller and is_its_own then
    replace_pump(cqueues, controller, scheduler)
    return setmetatable({ condition = require("cqueues.condition").new() }, condition_signal)
  end
  local thread = scheduler.luv and scheduler.luv.attached and current_coroutine()
  if thread then return setmetatable({ thread = thread }, thread_signal) end
  return setmetatable({ scheduler = scheduler }, polling)
end

return loops
