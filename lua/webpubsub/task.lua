--- Tasks: calls that do not wait. Each runs the driver in a coroutine of its own, whose transport hands the exchange to
-- libcurl's background thread and yields; `poll` resumes those that can go on.

local core = require "webpubsub.core"
local driver = require "webpubsub.driver"
local loops = require "webpubsub.loops"

local task = {}

local unpack = table.unpack or unpack -- luacheck: ignore 113 143

-- Longest piece of work in one poll, seconds: a tick has 16 ms for everything, and many calls may end in the same one.
local BUDGET = 0.0005

-- Longest wait in one piece, seconds, so that Ctrl-C and `context.cancel` are noticed.
local SLICE = 0.05

-- The tasks whose exchanges are with the thread. It belongs to the Lua state, so one client's poll may find another's.
local by_exchange = {}

-- ---------------------------------------------------------------- a client's tasks

local group = {}
group.__index = group

-- What the tasks of one client share; made with the first of them.
local function group_of(client)
  local extras = core.extras(client)
  if not extras.transport.background then
    core.raise("argument", "unsupported", "tasks need libcurl; inside NGINX use ngx.thread.spawn, and with a "
      .. "transport of your own whatever it has for many calls at once", "client")
  end
  if not extras.tasks then
    extras.tasks = setmetatable({
      transport = extras.transport,
      background = extras.transport.background(),
      pending = 0,
      ready = {},    -- tasks that can go on, in the order they became so
      first = 1,     -- where in `ready` they begin
      last = 0,
      sleeping = {}, -- [task] = when it wants to wake
      next_wake = math.huge,
      asking = {},   -- [task] = its context's cancel
    }, group)
  end
  return extras.tasks
end

function group:make_ready(which)
  self.last = self.last + 1
  self.ready[self.last] = which
end

function group:take_ready()
  local which = self.ready[self.first]
  if which then
    self.ready[self.first] = nil
    self.first = self.first + 1
  end
  return which
end

-- Finished exchanges make their tasks ready.
function group:collect()
  local exchange = self.background:next()
  while exchange do
    local which = by_exchange[exchange]
    by_exchange[exchange] = nil
    if which then which.group:make_ready(which) end
    exchange = self.background:next()
  end
end

function group:wake_sleepers(now)
  self.next_wake = math.huge
  for which, wake in pairs(self.sleeping) do
    if wake <= now or which.cancelled then
      self.sleeping[which] = nil
      self:make_ready(which)
    elseif wake < self.next_wake then
      self.next_wake = wake
    end
  end
end

function group:ask_for_cancels()
  for which, cancelled in pairs(self.asking) do
    if cancelled() then which:cancel() end
  end
end

-- ---------------------------------------------------------------- a task

local tasks = {}
tasks.__index = tasks

local function finish(which, ok, ...)
  local owner = which.group
  which.finished, which.ok, which.count, which.values = true, ok, select("#", ...), { ... }
  owner.pending = owner.pending - 1
  owner.asking[which] = nil
  local callbacks = which.callbacks
  which.callbacks = nil
  for index = 1, callbacks and #callbacks or 0 do callbacks[index](which) end
end

local function resumed(which, ok, ...)
  if not ok or coroutine.status(which.thread) == "dead" then finish(which, ok, ...) end
end

local function resume(which)
  resumed(which, coroutine.resume(which.thread))
end

-- The transport of one task. A cancelled one is not sent at all.
local function yielding_transport(which, transport)
  local owner = which.group
  return {
    now = transport.now,
    wall = transport.wall,
    sleep = function(seconds)
      local wake = transport.now() + seconds
      owner.sleeping[which] = wake
      if wake < owner.next_wake then owner.next_wake = wake end
      coroutine.yield()
    end,
    exchange = function(method, target, headers, body, seconds, _, once)
      local exchange = transport.submit(method, target, headers, body, seconds, once)
      which.exchange = exchange
      by_exchange[exchange] = which
      coroutine.yield()
      which.exchange = nil
      return exchange:result()
    end,
  }
end

--- Starts `perform(extras)` as a task of the client; what it returns or raises is what `await` returns or raises.
---@return webpubsub.Task
function task.start(client, name, arguments, perform)
  local owner = group_of(client)
  local which = setmetatable({ group = owner, name = name }, tasks)
  local extras = setmetatable({
    transport = yielding_transport(which, owner.transport),
    cancelled = function() return which.cancelled end,
  }, { __index = core.extras(client) })
  local context = type(arguments) == "table" and core.field(arguments, "context")
  owner.asking[which] = context and core.field(context, "cancel") or nil
  owner.pending = owner.pending + 1
  if owner.loop then owner.loop:started() end
  which.thread = coroutine.create(perform)
  resumed(which, coroutine.resume(which.thread, extras))
  return which
end

--- Would a call in place hold up others in a loop?
function task.is_needed(client)
  return loops.inside() and core.extras(client).transport.background ~= nil
end

--- Runs a prepared call to its end: in place, or as a task where others in a loop would be held up.
---@return table|nil response
---@return table|nil error
function task.run(client, call, arguments)
  if not task.is_needed(client) then return driver.run(call, core.extras(client), arguments) end
  return task.start(client, call:operation(), arguments, function(extras)
    return driver.run(call, extras, arguments)
  end):await()
end

--- Is it over?
function tasks:done()
  return self.finished == true
end

--- Withdraws the call, at whatever stage it is; the task then ends with a `cancelled` error. A request that has left
-- may still be carried out.
function tasks:cancel()
  if self.finished or self.cancelled then return end
  self.cancelled = true
  if self.exchange then
    self.exchange:cancel()
  else
    self.group.next_wake = 0 -- it sleeps: the next poll wakes it
  end
end

--- Has `callback(task)` called when the task is over, from within `poll`; at once where it is over already.
function tasks:on_done(callback)
  if self.finished then return callback(self) end
  self.callbacks = self.callbacks or {}
  self.callbacks[#self.callbacks + 1] = callback
end

-- Lets time pass for the task: may come back before its end.
function tasks:wait()
  if not loops.wait(self) then self.group:poll(SLICE) end
end

--- Waits for the end; returns what the method itself would return, or raises the same error. In a coroutine of a loop
-- that is supported (see loops.lua) the others go on meanwhile; elsewhere this drives the client's tasks.
function tasks:await()
  while not self.finished do self:wait() end
  if not self.ok then error(self.values[1], 0) end
  return unpack(self.values, 1, self.count)
end

function tasks:__tostring()
  local state = not self.finished and "in flight" or self.ok and "done" or "failed"
  return ("webpubsub task: %s, %s"):format(self.name, state)
end

-- ---------------------------------------------------------------- driving

-- Resumes what is ready, for at most BUDGET; returns how many tasks went on.
local function work(owner)
  local now = owner.transport.now
  local count, stop = 0, nil
  local which = owner:take_ready()
  while which do
    resume(which)
    count = count + 1
    stop = stop or now() + BUDGET
    which = now() < stop and owner:take_ready() or nil
  end
  return count
end

-- One round; see `client:poll`.
function group:poll(seconds)
  if self.pending == 0 then return 0 end
  self:collect()
  if next(self.asking) then self:ask_for_cancels() end
  if self.next_wake < math.huge then
    local now = self.transport.now()
    if self.next_wake <= now then self:wake_sleepers(now) end
  end
  local count = work(self)
  if count == 0 and seconds and seconds > 0 then
    self.background:wait(math.max(0, math.min(seconds, self.next_wake - self.transport.now())))
    return self:poll(0)
  end
  return count
end

-- Seconds after which `poll(0)` is due whatever the descriptor says; nil: not before it says so.
function group:timeout()
  if self.ready[self.first] then return 0 end
  local timeout = self.next_wake < math.huge and math.max(0, self.next_wake - self.transport.now()) or nil
  if next(self.asking) then timeout = math.min(timeout or SLICE, SLICE) end
  return timeout
end

--- Lets the client's tasks go on, waiting at most `seconds` (0: not at all) for one that can; returns how many did.
function task.poll(client, seconds)
  local owner = core.extras(client, "poll").tasks
  return owner and owner:poll(seconds) or 0
end

--- How many of the client's tasks are not over.
function task.pending(client)
  local owner = core.extras(client, "pending").tasks
  return owner and owner.pending or 0
end

--- For event loops: a descriptor that becomes readable when `poll(0)` has something to do ...
function task.pollfd(client)
  return group_of(client).background:fd()
end

--- ... the events to wait for on it, as cqueues writes them ...
function task.events()
  return "r"
end

--- ... and the seconds after which `poll(0)` is due anyway, or nil.
function task.timeout(client)
  return group_of(client):timeout()
end

--- Has luv's loop drive the client's tasks; returns what detaches it again with `close()`.
function task.attach_luv(client)
  return loops.attach_luv(group_of(client))
end

--- Waits for all of the tasks; returns their first values and, where some failed, their errors, both by position.
---@param list webpubsub.Task[]
---@return table values
---@return table<integer, webpubsub.Error>|nil errors
function task.gather(list)
  local values, errors = {}, nil
  for index, which in ipairs(list) do
    while not which.finished do which:wait() end
    if which.ok then
      values[index] = which.values[1]
    else
      errors = errors or {}
      errors[index] = which.values[1]
    end
  end
  return values, errors
end

return task
