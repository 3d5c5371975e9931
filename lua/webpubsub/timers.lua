--- What moves tasks on inside NGINX, in the place of scheduler.lua: timers of the worker, each of which performs one
-- task after the other until none waits. So a task outlives the request that starts it, and can be started in phases
-- that cannot wait; and a timer for every task would be dropped in silence under load.

-- luacheck: read globals ngx

local core = require "webpubsub.core"
local fifo = require "webpubsub.fifo"
local phases = require "webpubsub.phases"

local timers = {
  now = core.now,
  pending = 0,               -- tasks that are not over
  waiting = fifo.new(),      -- tasks that no timer has taken, cancelled ones among them
  working = 0,               -- timers at work
  called = 0, called_at = 0, -- timers asked for that have not begun, and when the last was asked for
  polls = setmetatable({}, { __mode = "k" }), -- [signal] = true: to be set when a task ends; weak, for who waits may
                                              -- be a request that is aborted
}

local LIMIT = 32            -- timers at work, of NGINX's 256 (lua_max_running_timers)
local TASKS_PER_TIMER = 1000 -- its memory is given back when it ends
local EXIT_SECONDS = 5      -- that a worker which shuts down goes on with its tasks
local MAX_WAITING = 100000

-- Seconds in which a timer begins, or does not: NGINX drops those beyond its limits, and tells nobody but the log.
local LOST_SECONDS = 1

-- ---------------------------------------------------------------- timers

-- Is the worker shutting down, and the time over that it gives its tasks?
local function gives_up(self)
  if not ngx.worker.exiting() then return false end
  self.exit_by = self.exit_by or self.now() + EXIT_SECONDS
  return self.now() >= self.exit_by
end

local function run(task)
  task.running, task.thread = true, coroutine.running()
  task:finish(pcall(task.perform, task.extras))
end

-- The next task that is not over.
local function take(self)
  local task
  repeat task = self.waiting:take() until not (task and task.finished)
  return task
end

local call_timers

local function work(_, self)
  self.called = math.max(0, self.called - 1)
  self.working = self.working + 1
  local left, task = TASKS_PER_TIMER, take(self)
  while task do
    local ok, problem = pcall(run, task)
    if not ok then ngx.log(ngx.ERR, "webpubsub: a callback of on_done failed: ", tostring(problem)) end
    left = left - 1
    task = left > 0 and take(self) or nil
  end
  self.working = self.working - 1
  call_timers(self)
end

-- Asks for as many timers as have something to do. Returns true where somebody will do it; else, or nil, why not.
call_timers = function(self)
  if self.now() - self.called_at > LOST_SECONDS then self.called = 0 end
  local ok, problem = true, nil
  while ok and self.called < self.waiting:length() and self.working + self.called < LIMIT do
    ok, problem = ngx.timer.at(0, work, self)
    if ok then self.called, self.called_at = self.called + 1, self.now() end
  end
  return self.working + self.called > 0 or ok, problem
end

-- ---------------------------------------------------------------- a task's way

--- Raises an error where no task can be started.
function timers:admit(method)
  phases.check_timers(method)
  if self.waiting:length() >= MAX_WAITING then
    core.raise("transport", "busy", ("too many calls are waiting (%d)"):format(MAX_WAITING), nil, method)
  end
end

-- Sends nothing, for there is no timer to wait in.
local function failing_transport(transport, problem)
  local function fail()
    return "transport", "failed", "NGINX gave no timer; raise lua_max_pending_timers (" .. tostring(problem) .. ")"
  end
  return { now = transport.now, wall = transport.wall, sleep = fail, exchange = function() return nil, fail() end }
end

--- Has the task run `perform(extras)` soon, in a timer.
---@param task table
---@param perform fun(extras: table): ...
---@param extras table  the client's
function timers:start(task, perform, extras)
  local asked = extras.cancelled
  extras.cancelled = function() return asked() or gives_up(self) end
  task.perform, task.extras = perform, extras
  self.pending = self.pending + 1
  self.waiting:put(task)
  local ok, problem = call_timers(self)
  if not ok then
    extras.transport = failing_transport(extras.transport, problem)
    run(task)
  end
end

--- For a task that is over.
function timers:remove(task)
  task.perform, task.extras = nil, nil
  self.pending = self.pending - 1
  for signal in pairs(self.polls) do signal:set() end
end

--- A task that runs notices by itself that it is cancelled, for its transport asks. One that waits is over without I/O.
function timers.withdraw(_, task)
  if not task.running then run(task) end
end

--- Has a task end that nobody wants to hear of.
function timers.drop(_, task)
  task.cancelled = true
end

-- ---------------------------------------------------------------- waiting

local signal = { yields = true }
signal.__index = signal

function signal:wait()
  if not self.semaphore:wait(LOST_SECONDS) then call_timers(timers) end
end

function signal:set()
  if self.semaphore:count() < 1 then self.semaphore:post(1) end
end

--- A way to wait for tasks here, as in loops.lua.
function timers.signal()
  phases.check_io()
  return setmetatable({ semaphore = require("ngx.semaphore").new() }, signal)
end

--- Waits at most `seconds` for a task to end. They go on without it.
---@return integer 0
function timers:poll(seconds)
  if self.pending > 0 and seconds and seconds > 0 then
    local ended = self.signal()
    self.polls[ended] = true
    ended.semaphore:wait(seconds)
    self.polls[ended] = nil
  end
  return 0
end

--- For loops of other kinds.
function timers.descriptor(_, method)
  core.raise("argument", "unsupported", "inside NGINX tasks go on by themselves, in its own loop", "client", method)
end

timers.timeout = timers.descriptor

return timers
