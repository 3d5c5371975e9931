--- The world of NGINX: calls wait in the light thread that makes them, by cosockets and semaphores, and what is spawned
--- runs in timers of the worker, each of which performs one action after the other until none waits. So a task outlives
--- the request that starts it, and can be started in phases that cannot wait; and a timer for every task would be
--- dropped in silence under load. Each client has timers of its own: one whose service is silent delays no other.

-- luacheck: read globals ngx

local require = require

local core = require "webpubsub.core"

local nginx = {}

local LIMIT = 32             -- timers of a client at work, of NGINX's 256 (lua_max_running_timers)
local ACTIONS_PER_TIMER = 1000 -- its memory is given back when it ends
local EXIT_SECONDS = 5       -- that a worker which shuts down goes on with its tasks
local MAX_WAITING = 100000
local CANCEL_SLICE = 0.05    -- seconds between two looks at whether a call is withdrawn
local FOREVER = 1e6          -- seconds

-- Seconds in which a timer begins, or does not: NGINX drops those beyond its limits, and tells nobody but the log.
local LOST_SECONDS = 1

-- ---------------------------------------------------------------- phases

-- NGINX runs these to their end without going back to its loop. The value says what else is to be done.
local DEFER = "use client:defer(operation, arguments), which makes the call soon after"
local LATER = "make the call in a later phase, or in a timer"
local without_io = {
  init = LATER, exit_worker = "there is no later phase", init_worker = DEFER, set = DEFER, header_filter = DEFER,
  body_filter = DEFER, balancer = DEFER, log = DEFER, ssl_session_store = DEFER,
}

local without_timers = { init = true, exit_worker = true }

--- Raises an error in a phase in which nothing can wait.
function nginx.check_io()
  local phase = ngx.get_phase()
  local instead = without_io[phase]
  if instead then
    core.raise("argument", "phase", ("NGINX allows no calls in its phase %s; %s"):format(phase, instead))
  end
end

--- Raises an error in a phase that allows no timers.
---@param method string
function nginx.check_timers(method)
  local phase = ngx.get_phase()
  if without_timers[phase] then
    core.raise("argument", "phase", ("NGINX allows no timers in its phase %s"):format(phase), "client", method)
  end
end

-- ---------------------------------------------------------------- timers

local Host = {}
Host.__index = Host

--- The host of a client.
function nginx.new()
  return setmetatable({
    now = core.now,
    waiting = {}, first = 1, last = 0, -- what no timer has taken, in order; what was withdrawn is among it
    slots = {}, working = 0,           -- [timer at work] = true, and how many
    called = 0, called_at = 0,         -- timers asked for that have not begun, and when the last was asked for
    polls = setmetatable({}, { __mode = "k" }),   -- [wake] = true: to be called when an action ends; weak, for who
                                                  -- waits may be a request that is aborted
    serving = setmetatable({}, { __mode = "k" }), -- [coroutine] = for whom it runs
  }, Host)
end

local function finish(self, entry, ...)
  local over, owner = entry.over, entry.owner
  if not over then return end
  entry.over = false
  owner.wake = false
  local ok, problem = pcall(over, owner, ...)
  if not ok then ngx.log(ngx.ERR, "webpubsub: a callback of on_done failed: ", tostring(problem)) end
  for wake in pairs(self.polls) do wake() end
end

local function perform(self, entry)
  entry.owner.wake = false
  local thread = coroutine.running()
  local outer = self.serving[thread]
  self.serving[thread] = entry.owner
  finish(self, entry, pcall(entry.action, entry.owner))
  self.serving[thread] = outer
end

-- The next entry that is not over.
local function take(self)
  local entry
  repeat
    entry = self.waiting[self.first]
    if not entry then return nil end
    self.waiting[self.first] = nil
    self.first = self.first + 1
  until entry.over
  return entry
end

-- ngx.exit in a function of the program's ends the timer past every pcall. Its light thread that waits for `alive` ends
-- with it, and is not counted there any more.
local function reclaim(self)
  for slot in pairs(self.slots) do
    if slot.alive:count() >= 0 then
      self.slots[slot], self.working = nil, self.working - 1
      if slot.entry then
        finish(self, slot.entry, false, select(2, pcall(core.raise, "cancelled", "exited",
          "a function that the call has run ended its NGINX timer, as ngx.exit does")))
      end
    end
  end
end

local call_timers

local function work(_, self)
  self.called = math.max(0, self.called - 1)
  local slot = { alive = require("ngx.semaphore").new() }
  local watcher = ngx.thread.spawn(slot.alive.wait, slot.alive, FOREVER)
  self.slots[slot], self.working = true, self.working + 1
  local left = ACTIONS_PER_TIMER
  slot.entry = take(self)
  while slot.entry do
    perform(self, slot.entry)
    left = left - 1
    slot.entry = left > 0 and take(self) or nil
  end
  self.slots[slot], self.working = nil, self.working - 1
  ngx.thread.kill(watcher)
  call_timers(self)
end

-- Asks for as many timers as have something to do. Returns true where somebody will do it; else, or nil, why not.
call_timers = function(self)
  if self.now() - self.called_at > LOST_SECONDS then self.called = 0 end
  if self.working >= LIMIT then reclaim(self) end
  local ok, problem = true, nil
  while ok and self.called < self.last - self.first + 1 and self.working + self.called < LIMIT do
    ok, problem = ngx.timer.at(0, work, self)
    if ok then self.called, self.called_at = self.called + 1, self.now() end
  end
  return self.working + self.called > 0 or ok, problem
end

--- Raises an error in a phase in which nothing can be spawned; false and why where too much waits already.
---@param method string
function Host:admit(method)
  nginx.check_timers(method)
  if self.last - self.first + 1 < MAX_WAITING then return true end
  local message = ("too many calls are waiting (%d)"):format(MAX_WAITING)
  return false, select(2, pcall(core.raise, "transport", "busy", message, nil, method))
end

-- Apart, as `starter` is.
local function asker(self, ask)
  return function() return ask and ask() or self:gives_up() end
end

--- What is asked whether what was spawned is withdrawn: the program's function, and whether the worker ends.
function Host:asks(ask)
  return asker(self, ask)
end

-- Apart, so that the closure does not look for the entry on the stack of a request that may be aborted.
local function starter(self, entry)
  return function() perform(self, entry) end
end

--- Runs `action(owner)` soon, in a timer; at its end `over(owner, ok, ...)` is called with what it returned, or raised.
--- `owner.wake()` runs it at once, as long as no timer has taken it: it is withdrawn.
function Host:spawn(action, over, owner)
  local entry = { action = action, over = over, owner = owner }
  owner.wake = starter(self, entry)
  self.last = self.last + 1
  self.waiting[self.last] = entry
  local ok, problem = call_timers(self)
  if not ok then
    finish(self, entry, false, select(2, pcall(core.raise, "transport", "failed",
      "NGINX gave no timer; raise lua_max_pending_timers (" .. tostring(problem) .. ")")))
  end
end

--- Is the worker shutting down, and the time over that it gives its tasks?
function Host:gives_up()
  if not ngx.worker.exiting() then return false end
  self.exit_by = self.exit_by or self.now() + EXIT_SECONDS
  return self.now() >= self.exit_by
end

-- ---------------------------------------------------------------- waiting

-- Apart, as `starter` is: NGINX uses the stack of an aborted request for the next one.
local function poster(semaphore)
  return function()
    if semaphore:count() < 1 then semaphore:post(1) end
  end
end

--- `begin(wake, ...)` arranges that `wake()` is called, and returns how to withdraw that, or nil. Returns after the
--- wake.
function Host:suspend(begin, ...)
  nginx.check_io()
  local semaphore = require("ngx.semaphore").new()
  local withdraw = begin(poster(semaphore), ...)
  while not semaphore:wait(LOST_SECONDS) do
    reclaim(self)
    call_timers(self)
  end
  if withdraw then withdraw() end
end

--- Others always go on while a call waits here.
function Host.here() return true end

--- Waits at most `seconds` for an action to end. They go on without it.
---@return integer 0
function Host:poll(seconds)
  reclaim(self)
  local entry_waits = self.working + self.called + self.last - self.first + 1 > 0
  if entry_waits and seconds and seconds > 0 then
    nginx.check_io()
    local semaphore = require("ngx.semaphore").new()
    local wake = poster(semaphore)
    self.polls[wake] = true
    semaphore:wait(seconds)
    self.polls[wake] = nil
  end
  return 0
end

--- Does what runs here run for the owner of what was spawned?
function Host:serves(owner)
  return self.serving[coroutine.running()] == owner
end

local function withdrawn_or_late(cancelled, due)
  repeat
    ngx.sleep(CANCEL_SLICE)
    if cancelled and cancelled() then return false, "cancelled" end
  until core.now() >= due
  return false, "timeout"
end

--- Calls `action(first, second)`, which may wait: `seconds` at most, and not past a cancellation. Returns true and what
--- it returns; or false and "timeout" or "cancelled", and then its light thread has been ended.
function Host:call(seconds, cancelled, action, first, second)
  if without_io[ngx.get_phase()] then return true, action(first, second) end
  local state = {}
  local worker = ngx.thread.spawn(function()
    self.serving[coroutine.running()] = cancelled
    state.ok, state.first, state.second, state.third = pcall(action, first, second)
    state.over = true
    return true
  end)
  if not state.over then
    local watcher = ngx.thread.spawn(withdrawn_or_late, cancelled, core.now() + seconds)
    local ok, over, why = ngx.thread.wait(worker, watcher)
    ngx.thread.kill(worker)
    ngx.thread.kill(watcher)
    if not ok then error(over, 0) end -- what `cancelled` has raised
    if not over then return false, why end
  end
  if not state.ok then error(state.first, 0) end
  return true, state.first, state.second, state.third
end

--- For loops of other kinds.
local function refuse()
  core.raise("argument", "unsupported", "inside NGINX tasks go on by themselves, in its own loop", "client")
end

Host.descriptor, Host.timeout, Host.attach_luv = refuse, refuse, refuse

return nginx
