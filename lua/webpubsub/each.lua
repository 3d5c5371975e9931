--- One operation for many: a bounded number of calls in flight in one thread.
--
-- Each call runs the driver in a coroutine of its own; the transport it is given yields where the blocking one would
-- wait, and the loop here waits for all of them together.

local core = require "webpubsub.core"
local driver = require "webpubsub.driver"
local policies = require "webpubsub.policies"

local each = {}

local DEFAULT_CONCURRENCY, MAX_CONCURRENCY = 16, 256

-- Longest wait in one piece, seconds, so that Ctrl-C is noticed; and how often `context.cancel` is asked.
local SLICE, CANCEL_SLICE = 1, 0.05

-- Longest that all calls are held up because the service asks for it, seconds.
local LONGEST_PAUSE = 600

local TOO_MANY_REQUESTS = 429

local function refuse(argument, code, message)
  core.raise("argument", code, message, argument, "each")
end

-- ---------------------------------------------------------------- what is asked for

local option_types = {
  concurrency = "number", on_result = "function", stop_on_error = "boolean", context = "table",
}

-- A mistake in the context of all is raised here once, not reported for every item.
local function check_context(client, context)
  if not context then return end
  driver.prepare_for("each", client, "service_status", { context = context })
  policies.check(core.field(context, "policies"), "each")
end

local function check_options(options)
  if type(options) ~= "table" then
    refuse("options", "type", "the options must be a table; they are a " .. type(options))
  end
  local names = {}
  for name in pairs(option_types) do names[#names + 1] = name end
  for name, value in pairs(options) do
    if not option_types[name] then
      local meant = core.nearest(tostring(name), names)
      refuse(tostring(name), "unknown", ("each has no option \"%s\"%s"):format(tostring(name),
        meant and "; did you mean \"" .. meant .. "\"?" or ""))
    elseif type(value) ~= option_types[name] then
      refuse(name, "type", ("%s must be a %s; it is a %s"):format(name, option_types[name], type(value)))
    end
  end
  local concurrency = options.concurrency or DEFAULT_CONCURRENCY
  if concurrency < 1 or concurrency > MAX_CONCURRENCY or concurrency % 1 ~= 0 then
    refuse("concurrency", "invalid", ("concurrency must be a whole number from 1 to %d"):format(MAX_CONCURRENCY))
  end
  return concurrency
end

-- The operation's one required parameter, which an item that is a string stands for; nil where it has none, or more.
local function required_argument(name)
  local names = {}
  for index, operation in ipairs(core.operations()) do
    names[index] = operation.name
    if operation.name == name then
      local required, count = nil, 0
      for _, parameter in ipairs(operation.parameters) do
        if parameter.required then required, count = parameter.name, count + 1 end
      end
      return count == 1 and required or nil
    end
  end
  local meant = core.nearest(tostring(name), names)
  refuse("operation", "unknown", ("there is no operation \"%s\"%s"):format(tostring(name),
    meant and "; did you mean \"" .. meant .. "\"?" or ""))
end

local function iterate(items)
  if type(items) == "function" then return items end
  if type(items) ~= "table" then
    refuse("items", "type", "items must be a list or an iterator function; it is a " .. type(items))
  end
  local position = 0
  return function()
    position = position + 1
    return items[position]
  end
end

-- The arguments of one call: the item, or a string for the one required argument, with the context of all.
local function arguments_of(run, item)
  if type(item) == "string" and run.required then item = { [run.required] = item } end
  if type(item) ~= "table" or not run.context or core.field(item, "context") then return item end
  local arguments = {}
  for name, value in pairs(item) do arguments[name] = value end
  arguments.context = run.context
  return arguments
end

-- The item's own `cancel`; that of the context of all is asked for all of them together.
local function own_cancel(run, item)
  local context = type(item) == "table" and core.field(item, "context")
  return type(context) == "table" and context ~= run.context and core.field(context, "cancel") or nil
end

-- ---------------------------------------------------------------- one call

-- Holds up what has not been sent: the service is overloaded for all calls, not for one.
local function pause(run, seconds)
  run.paused_until = math.max(run.paused_until, run.now() + math.min(seconds, LONGEST_PAUSE))
end

-- What a call's coroutine tells the loop is in its `task`: the exchange it waits for, or when it wants to wake.
local function yielding_transport(run, transport, task)
  return {
    now = transport.now,
    wall = transport.wall,
    sleep = function(seconds)
      task.wake = transport.now() + seconds
      if task.call:status() == TOO_MANY_REQUESTS then pause(run, seconds) end
      coroutine.yield()
      task.wake = nil
    end,
    exchange = function(method, target, headers, body, seconds, _, once)
      local exchange = transport.start(method, target, headers, body, seconds, once)
      task.exchange = exchange
      coroutine.yield()
      task.exchange = nil
      if not exchange:done() then
        exchange:cancel()
        return nil, "cancelled", "cancelled", "the call was cancelled"
      end
      return exchange:result()
    end,
  }
end

local function perform(run, task)
  local extras = core.extras(run.client)
  task.call = core.prepare(run.client, run.operation, task.arguments)
  local of_task = setmetatable({
    transport = yielding_transport(run, extras.transport, task),
    cancelled = function() return task.withdrawn end,
  }, { __index = extras })
  return driver.run(task.call, of_task, task.arguments)
end

-- What the operations' methods raise is a result here; anything else is a mistake in the program and ends it all.
local function finish(run, task, ok, response, err)
  if not ok then
    if type(response) ~= "table" or response.kind == nil then error(response, 0) end
    response, err = nil, response
  end
  run.tasks[task] = nil
  run.active = run.active - 1
  run.finished[task.index] = true
  while run.finished[run.completed_through + 1] do
    run.completed_through = run.completed_through + 1
    run.finished[run.completed_through] = nil
  end
  err = err or response.error -- the latter with no_throw
  if err then
    run.failures[#run.failures + 1] = { index = task.index, arguments = task.arguments, error = err }
    run.stopped = run.stopped or run.stop_on_error
    if err.status == TOO_MANY_REQUESTS and err.retry_after then pause(run, err.retry_after) end
  else
    run.succeeded = run.succeeded + 1
  end
  if run.on_result then
    run.on_result { index = task.index, arguments = task.arguments, response = response, error = err }
  end
end

local function resume(run, task)
  local ok, response, err = coroutine.resume(task.thread, run, task)
  if not ok or coroutine.status(task.thread) == "dead" then finish(run, task, ok, response, err) end
end

-- ---------------------------------------------------------------- all of them

-- Looks ahead, for a pause after the last item is not worth waiting for.
local function has_next(run)
  if run.upcoming == nil and not run.stopped then
    run.upcoming = run.next_item()
    run.stopped = run.upcoming == nil
  end
  return not run.stopped
end

-- True where an item could be started.
local function start_next(run)
  if run.active >= run.concurrency or not has_next(run) or run.now() < run.paused_until then return false end
  local item = run.upcoming
  run.upcoming = nil
  run.total = run.total + 1
  local task = { index = run.total, arguments = arguments_of(run, item), thread = coroutine.create(perform) }
  task.cancelled = own_cancel(run, task.arguments)
  task.withdrawn = task.cancelled and task.cancelled()
  if task.cancelled then run.slice = CANCEL_SLICE end
  run.tasks[task] = true
  run.active = run.active + 1
  resume(run, task)
  return true
end

local function ask_for_cancels(run)
  local now = run.now()
  if now < run.next_asking then return end
  run.next_asking = now + CANCEL_SLICE
  if run.cancelled and run.cancelled() then run.stopped, run.was_cancelled = true, true end
  for task in pairs(run.tasks) do
    task.withdrawn = task.withdrawn or run.was_cancelled or task.cancelled and task.cancelled()
  end
end

local function can_go_on(run, task, now)
  if task.withdrawn then return true end
  if task.exchange then return task.exchange:done() end
  return task.wake <= now and run.paused_until <= now
end

-- Resumes the tasks that can go on; returns how many. They are gathered first, for going on changes the set.
local function resume_ready(run)
  local ready, now = {}, run.now()
  for task in pairs(run.tasks) do
    if can_go_on(run, task, now) then ready[#ready + 1] = task end
  end
  for _, task in ipairs(ready) do resume(run, task) end
  return #ready
end

-- Waits until something can have happened: for the network where a call is there, else for the next one to wake.
local function wait(run)
  local now = run.now()
  local wake, exchange = now + run.slice, nil
  if run.paused_until > now then wake = math.min(wake, run.paused_until) end
  for task in pairs(run.tasks) do
    exchange = exchange or task.exchange
    if task.wake then wake = math.min(wake, math.max(task.wake, run.paused_until)) end
  end
  local seconds = math.max(wake - now, 0)
  if exchange then exchange:step(seconds) else run.sleep(seconds) end
end

local function loop(run)
  repeat
    ask_for_cancels(run)
    while start_next(run) do end
    local went_on = resume_ready(run)
    local over = run.stopped and run.active == 0
    if went_on == 0 and not over then wait(run) end
  until over
end

local function summarize(run)
  local elapsed = run.now() - run.started
  local done = run.succeeded + #run.failures
  return {
    total = run.total,
    succeeded = run.succeeded,
    failed = #run.failures,
    failures = run.failures,
    completed_through = run.completed_through,
    elapsed = elapsed,
    rate = elapsed > 0 and done / elapsed or 0,
    cancelled = run.was_cancelled,
    interrupted = run.interrupted,
  }
end

local function withdraw(run)
  for task in pairs(run.tasks) do
    if task.exchange then task.exchange:cancel() end
  end
end

--- Calls `operation` for every item, `concurrency` calls at a time, and returns a summary.
--
-- Results come in the order in which calls finish. A 429 makes all calls wait as long as the service asks. Ctrl-C ends
-- it: the summary then has `interrupted = true`. To go on later, skip the first `completed_through` items.
---@param operation string  an operation's name
---@param items table|fun(): any  argument tables, or strings for the operation's one required argument
---@param options { concurrency: integer?, on_result: fun(result: table)?, stop_on_error: boolean?, context: table? }?
---@return webpubsub.Summary
function each.run(client, operation, items, options)
  options = options or {}
  local transport = core.extras(client, "each").transport
  if not transport.start then
    refuse("client", "unsupported", "each needs libcurl; inside NGINX, or with a transport of your own, make the calls "
      .. "one by one, or in threads of NGINX (ngx.thread.spawn)")
  end
  local concurrency = check_options(options)
  check_context(client, options.context)
  local run = {
    client = client, operation = operation, required = required_argument(operation), next_item = iterate(items),
    concurrency = concurrency, on_result = options.on_result, stop_on_error = options.stop_on_error,
    context = options.context, cancelled = options.context and core.field(options.context, "cancel"),
    now = transport.now, sleep = transport.sleep, started = transport.now(), paused_until = 0, next_asking = 0,
    tasks = {}, active = 0, finished = {}, completed_through = 0, total = 0, succeeded = 0, failures = {},
  }
  run.slice = run.cancelled and CANCEL_SLICE or SLICE
  local ok, err = pcall(loop, run)
  if not ok then
    withdraw(run)
    if type(err) ~= "string" or not err:find("interrupted!", 1, true) then error(err, 0) end
    run.interrupted = true -- what the interpreter raises for Ctrl-C
  end
  return summarize(run)
end

return each
