--- Tasks: calls that somebody else waits for. A task is spawned, runs the driver and keeps what comes of it; it is also
--- what the driver keeps of the call, and what the waits within ask whether it is withdrawn.

local core = require "webpubsub.core"
local driver = require "webpubsub.driver"

local task = {}

-- What few tasks have, or have at their end, is not in each of them from the start: with more than 16 fields a table
-- doubles.
local tasks = {
  callbacks = false, waiting = false, raised = false, cancelled = false, wake = false, finished = false, ok = false,
}
tasks.__index = tasks

local function refuse(method, argument, message)
  core.raise("argument", "type", message, argument, method)
end

local function host_of(client, method)
  return core.extras(client, method).transport.host
end

-- ---------------------------------------------------------------- a task

--- Is it withdrawn? For the driver and transports.
function tasks:__call()
  return self.cancelled or self.ask and self.ask()
end

-- All callbacks are called; what the first of those that fail raises is raised when they are through.
local function call_back(self)
  local callbacks, problem = self.callbacks, nil
  self.callbacks = false
  for index = 1, #callbacks do
    local ok, err = pcall(callbacks[index], self:result())
    if not ok then problem = problem or { err } end
  end
  if problem then error(problem[1], 0) end
end

-- It is over: `ran` is false where something was raised, `ok` where the call failed. One that was abandoned has been
-- over for longer.
local function finish(self, ran, ok, first, second)
  if self.finished then return end
  if not ran then first = ok end
  self.finished, self.ok, self.first, self.second = true, ran and ok, first, second
  if not ran then self.raised = true end
  self.extras.pending = self.extras.pending - 1
  if self.waiting then for wake in pairs(self.waiting) do wake() end end
  if self.callbacks then call_back(self) end
end

local function perform(self)
  return self.perform(self)
end

--- Starts `perform(task)` as a task of the client; it returns true and what the method returns, or false and the error.
---@param client webpubsub.Client
---@param name string  of the operation, for people
---@param arguments table|nil  of the call
---@param perform_task fun(task: webpubsub.Task): boolean, ...
---@param call table|nil  for `perform_task`
---@param ask nil|fun(): boolean?  whether it is withdrawn; by default what the call's context has for that
---@param owner table|nil  for `perform_task`
---@return webpubsub.Task
function task.start(client, name, arguments, perform_task, call, ask, owner)
  local extras = core.extras(client, name)
  local host = extras.transport.host
  local is_admitted, refusal = host:admit(name)
  local self = setmetatable({
    name = name, host = host, extras = extras, arguments = arguments, perform = perform_task, call = call,
    owner = owner, ask = host:asks(ask or task.cancel_of(arguments)), transport = false, withdrawn = false,
    exchange = false,
  }, tasks)
  self.withdrawn = self
  extras.pending = (extras.pending or 0) + 1
  if not is_admitted then
    finish(self, true, false, refusal)
    return self
  end
  local ok, problem = pcall(host.spawn, host, perform, finish, self)
  if not ok then -- out of memory
    finish(self, false, problem)
    error(problem, 0)
  end
  return self
end

--- What a call's own context has to be asked whether the call is withdrawn.
---@return nil|fun(): boolean?
function task.cancel_of(arguments)
  local context = type(arguments) == "table" and core.field(arguments, "context")
  return type(context) == "table" and core.field(context, "cancel") or nil
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
  if self.exchange then
    self.exchange:cancel()
  elseif self.wake then
    self.wake()
  end
end

--- Withdraws a task whose result nobody wants, and tells nobody.
function task.abandon(self)
  self.callbacks = false
  self:cancel()
  finish(self, true, false, "the task was abandoned")
end

local function values_of(self)
  if self.second == nil then return self.first end
  return self.first, self.second
end

--- What the method returns, or nil and its error; of a task that is over.
function tasks:result()
  if not self.finished then
    core.raise("argument", "unfinished", "the task is not over, so it has no result; see task:done() and task:await()",
      "task", self.name)
  end
  if not self.ok then return nil, self.first end
  return values_of(self)
end

--- Has `callback(response, err)` called with its result when the task is over, from within `poll`; at once where it is
-- over already.
function tasks:on_done(callback)
  if type(callback) ~= "function" then
    refuse("on_done", "callback", "the callback must be a function; it is a " .. type(callback))
  end
  if self.finished then return callback(self:result()) end
  self.callbacks = self.callbacks or {}
  self.callbacks[#self.callbacks + 1] = callback
end

local function begin_waiting(wake, self)
  self.waiting = self.waiting or {}
  self.waiting[wake] = true
  return function()
    if self.waiting then self.waiting[wake] = nil end
  end
end

-- Waits for the end without telling what it was.
local function wait(self)
  if self.finished then return end
  if self.host:serves(self) then
    core.raise("argument", "invalid", "a task cannot wait for its own end", "task", self.name)
  end
  while not self.finished do self.host:suspend(begin_waiting, self) end
end

--- Waits for the end; returns what the method itself would return, or raises the same error. In a coroutine of a loop
-- that is supported (see host/) the others go on meanwhile; elsewhere this drives the tasks.
function tasks:await()
  wait(self)
  if self.ok then return values_of(self) end
  if self.raised then core.throw(self.first) end
  return driver.failed(self.first, self.extras, self.arguments)
end

function tasks:__tostring()
  local state = not self.finished and "in flight" or self.ok and "done" or "failed"
  return ("webpubsub task: %s, %s"):format(self.name, state)
end

-- ---------------------------------------------------------------- for clients

--- Lets tasks go on, whichever client's they are, waiting at most `seconds` (0: not at all) for one that can; returns
-- how many did.
function task.poll(client, seconds)
  if seconds ~= 0 and seconds ~= nil and (type(seconds) ~= "number" or seconds ~= seconds) then
    refuse("poll", "seconds", "the seconds to wait must be a number; they are " .. tostring(seconds))
  end
  return host_of(client, "poll"):poll(seconds)
end

--- How many of the client's tasks are not over.
function task.pending(client)
  return core.extras(client, "pending").pending or 0
end

--- For event loops: a descriptor that becomes readable when `poll(0)` has something to do ...
function task.pollfd(client)
  return host_of(client, "pollfd"):descriptor()
end

--- ... the events to wait for on it, as cqueues writes them ...
function task.events()
  return "r"
end

--- ... and the seconds after which `poll(0)` is due anyway, or nil.
function task.timeout(client)
  return host_of(client, "timeout"):timeout()
end

--- Has luv's loop drive the tasks; returns what detaches it again with `close()`.
function task.attach_luv(client)
  return host_of(client, "attach_luv"):attach_luv()
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
      values[index] = self.first
    else
      errors = errors or {}
      errors[index] = self.first
    end
  end
  return values, errors
end

return task
