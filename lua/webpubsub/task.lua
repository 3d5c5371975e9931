--- Tasks: calls that do not wait. Each runs the driver in a coroutine of its own, which the transport's scheduler moves
-- on: scheduler.lua, or inside NGINX timers.lua.

local core = require "webpubsub.core"
local driver = require "webpubsub.driver"
local loops = require "webpubsub.loops"

local task = {}

local unpack = table.unpack or unpack -- luacheck: ignore 113 143

-- ---------------------------------------------------------------- a client's tasks

-- Has the client tasks at all? Not where libcurl would send them and the application brings a transport of its own.
local function has_tasks(extras)
  return extras.transport.scheduler ~= nil
end

-- The scheduler of the client's tasks and how many of those are not over; made with the first of them.
local function share_of(client, method)
  local extras = core.extras(client, method)
  if not has_tasks(extras) then
    core.raise("argument", "unsupported", "there are no tasks with a transport of your own; use whatever it has for "
      .. "many calls at once", "client", method)
  end
  extras.tasks = extras.tasks or { scheduler = extras.transport.scheduler(), pending = 0 }
  return extras.tasks
end

-- ---------------------------------------------------------------- a task

local tasks = {}
tasks.__index = tasks

local function refuse(method, argument, message)
  core.raise("argument", "type", message, argument, method)
end

-- All callbacks are called; what the first of those that fail raises is raised when they are through.
local function call_back(self)
  local callbacks, problem = self.callbacks, nil
  self.callbacks = false
  for index = 1, callbacks and #callbacks or 0 do
    local ok, err = pcall(callbacks[index], self)
    if not ok then problem = problem or { err } end
  end
  if problem then error(problem[1], 0) end
end

--- For the scheduler: it is over. One that was abandoned has been for longer.
function tasks:finish(ok, ...)
  if self.finished then return end
  self.finished, self.ok, self.count, self.values = true, ok, select("#", ...), { ... }
  if self.problem then self.ok, self.values = false, self.problem end
  self.scheduler:remove(self)
  self.share.pending = self.share.pending - 1
  call_back(self)
end

--- Starts `perform(extras)` as a task of the client; what it returns or raises is what `await` returns or raises.
---@param client webpubsub.Client
---@param name string  of the operation, for people
---@param cancel nil|fun(): boolean?  asked between the steps, and while the task waits
---@param perform fun(extras: table): ...
---@return webpubsub.Task
function task.start(client, name, cancel, perform)
  local share, extras = share_of(client, name), core.extras(client)
  share.scheduler:admit(name)
  local self = setmetatable({
    scheduler = share.scheduler, share = share, name = name,
    thread = false, exchange = false, -- the scheduler's
    cancelled = false, problem = false, callbacks = false,
    finished = false, ok = false, count = 0, values = false,
  }, tasks)
  share.pending = share.pending + 1
  self.scheduler:start(self, perform, setmetatable({
    cancelled = function() return self.cancelled or cancel and cancel() end,
  }, { __index = extras }), cancel)
  return self
end

--- What a call's own context has to be asked whether the call is withdrawn.
---@return nil|fun(): boolean?
function task.cancel_of(arguments)
  local context = type(arguments) == "table" and core.field(arguments, "context")
  return type(context) == "table" and core.field(context, "cancel") or nil
end

--- The scheduler of a client's tasks.
function task.scheduler_of(client, method)
  return share_of(client, method).scheduler
end

--- Would a call in place hold up others in a loop?
---@param method string  that was called, for the error where that was without a client
function task.is_needed(client, method)
  return loops.inside() and has_tasks(core.extras(client, method))
end

--- Runs a prepared call to its end: in place, or as a task where others in a loop would be held up.
---@return table|nil response
---@return table|nil error
function task.run(client, call, arguments)
  if not task.is_needed(client, call:operation()) then return driver.run(call, core.extras(client), arguments) end
  return task.start(client, call:operation(), task.cancel_of(arguments), function(extras)
    return driver.run(call, extras, arguments)
  end):await()
end

--- Is it over?
function tasks:done()
  return self.finished
end

--- Withdraws the call, at whatever stage it is; the task then ends with a `cancelled` error. A request that has left
-- may still be carried out.
function tasks:cancel()
  if self.finished or self.cancelled then return end
  self.cancelled = true
  self.scheduler:withdraw(self)
end

--- Has `callback(task)` called when the task is over, from within `poll`; at once where it is over already.
function tasks:on_done(callback)
  if type(callback) ~= "function" then
    refuse("on_done", "callback", "the callback must be a function; it is a " .. type(callback))
  end
  if self.finished then return callback(self) end
  self.callbacks = self.callbacks or {}
  self.callbacks[#self.callbacks + 1] = callback
end

-- Of a function of its own, so that the closure does not look for the signal on the stack of who waits: NGINX uses the
-- stack of a request that was aborted for the next one.
local function setter(signal)
  return function() signal:set() end
end

-- Waits for the end without telling what it was.
local function wait(self)
  if self.finished then return end
  if self.thread and self.thread == coroutine.running() then
    core.raise("argument", "invalid", "a task cannot wait for its own end", "task", self.name)
  end
  local signal = self.scheduler:signal()
  self:on_done(setter(signal))
  while not self.finished do signal:wait() end
end

--- Waits for the end; returns what the method itself would return, or raises the same error. In a coroutine of a loop
-- that is supported (see loops.lua) the others go on meanwhile; elsewhere this drives the tasks.
function tasks:await()
  wait(self)
  if not self.ok then error(self.values[1], 0) end
  return unpack(self.values, 1, self.count)
end

function tasks:__tostring()
  local state = not self.finished and "in flight" or self.ok and "done" or "failed"
  return ("webpubsub task: %s, %s"):format(self.name, state)
end

--- Withdraws a task whose coroutine may be in any state, and tells nobody.
function task.abandon(self)
  if self.finished then return end
  self.callbacks = false
  self.scheduler:drop(self)
  self:finish(false, "the task was abandoned")
end

-- ---------------------------------------------------------------- for clients

--- Lets tasks go on, whichever client's they are, waiting at most `seconds` (0: not at all) for one that can; returns
-- how many did.
function task.poll(client, seconds)
  if seconds ~= 0 and seconds ~= nil and (type(seconds) ~= "number" or seconds ~= seconds) then
    refuse("poll", "seconds", "the seconds to wait must be a number; they are " .. tostring(seconds))
  end
  local extras = core.extras(client, "poll")
  local share = extras.tasks or has_tasks(extras) and share_of(client, "poll")
  return share and share.scheduler:poll(seconds) or 0
end

--- How many of the client's tasks are not over.
function task.pending(client)
  local share = core.extras(client, "pending").tasks
  return share and share.pending or 0
end

--- For event loops: a descriptor that becomes readable when `poll(0)` has something to do ...
function task.pollfd(client)
  return task.scheduler_of(client, "pollfd"):descriptor("pollfd")
end

--- ... the events to wait for on it, as cqueues writes them ...
function task.events()
  return "r"
end

--- ... and the seconds after which `poll(0)` is due anyway, or nil.
function task.timeout(client)
  return task.scheduler_of(client, "timeout"):timeout("timeout")
end

--- Has luv's loop drive the tasks; returns what detaches it again with `close()`.
function task.attach_luv(client)
  return loops.attach_luv(task.scheduler_of(client, "attach_luv"))
end

-- What is not looked at would not be waited for.
local function check_list(list)
  if type(list) ~= "table" or getmetatable(list) == tasks then
    refuse("gather", "tasks", "gather takes a list of tasks, as in gather { task, another }")
  end
  local entries = 0
  for _, entry in pairs(list) do
    entries = entries + 1
    if getmetatable(entry) ~= tasks or list[entries] == nil then
      refuse("gather", "tasks", "gather takes a list of tasks only, without holes or names")
    end
  end
end

--- Waits for all of the tasks; returns their first values and, where some failed, their errors, both by position.
---@param list webpubsub.Task[]
---@return table values
---@return table<integer, webpubsub.Error>|nil errors
function task.gather(list)
  check_list(list)
  local values, errors = {}, nil
  for index, self in ipairs(list) do
    wait(self)
    if self.ok then
      values[index] = self.values[1]
    else
      errors = errors or {}
      errors[index] = self.values[1]
    end
  end
  return values, errors
end

return task
