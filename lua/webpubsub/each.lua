--- One operation for many: a bounded number of tasks at a time.
--
-- Tasks end when somebody polls; what is made of their results, and the items that follow, is the business of the loop
-- here, so that `on_result` may do what it likes.

local core = require "webpubsub.core"
local driver = require "webpubsub.driver"
local operations = require "webpubsub.operations"
local policies = require "webpubsub.policies"
local shard = require "webpubsub.shard"
local task = require "webpubsub.task"

local each = {}

local DEFAULT_CONCURRENCY = 16

-- Seconds between two times that the program is asked whether all is cancelled: each task asks.
local ASKING_SLICE = 0.05

-- Longest that all calls are held up because the service asks for it, seconds.
local LONGEST_PAUSE = 600

local TOO_MANY_REQUESTS = 429

local function refuse(argument, code, message)
  core.raise("argument", code, message, argument, "each")
end

-- ---------------------------------------------------------------- what is asked for

-- A mistake in the context of all is raised here once, not reported for every item.
local function check_context(client, context)
  if not context then return end
  driver.prepare_for("each", client, "service_status", { context = context })
  policies.check(core.field(context, "policies"), "each")
end

-- The operation's one required parameter, which an item that is a string stands for; nil where it has none, or more.
local function required_argument(name)
  local required, count = nil, 0
  for _, parameter in ipairs(operations.check(name, "each").parameters) do
    if parameter.required then required, count = parameter.name, count + 1 end
  end
  return count == 1 and required or nil
end

local function is_whole(value, low, high)
  return type(value) == "number" and value % 1 == 0 and value >= low and value <= high
end

-- The part of the items that is this process's.
local function check_shard(part, operation, required)
  if part == nil then return end
  local entries = 0
  for _ in pairs(part) do entries = entries + 1 end
  if entries ~= 2 or not is_whole(part[2], 1, shard.MAX_SHARDS) or not is_whole(part[1], 1, part[2]) then
    refuse("shard", "invalid",
      ("shard must be { i, n }, such as { 2, 5 }, with n from 1 to %d and i from 1 to n"):format(shard.MAX_SHARDS))
  end
  if not required then
    refuse("shard", "invalid",
      ("shard goes by the one required argument of an operation; %s has none, or several"):format(operation))
  end
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

-- ---------------------------------------------------------------- withdrawing

-- What all tasks ask; the program is not asked as often. What it raises ends it all.
local function asker(run, cancelled)
  local next_asking = 0
  return function()
    if not run.was_cancelled and run.now() >= next_asking then
      next_asking = run.now() + ASKING_SLICE
      local ok, answer = pcall(cancelled)
      run.problem = not ok and { answer } or nil
      run.was_cancelled = not ok or answer
      run.stopped = run.stopped or run.was_cancelled
    end
    return run.was_cancelled
  end
end

-- What the task of an item asks, for all of them and for the item; and whether the item has anything to ask itself.
local function cancel_of(run, arguments)
  local own = task.cancel_of(arguments)
  if own == run.cancelled then own = nil end -- the context of all
  if not (own and run.ask) then return own or run.ask, own ~= nil end
  return function() return run.ask() or own() end, true
end

-- ---------------------------------------------------------------- one call

-- Holds up what has not been sent: the service is overloaded for all calls, not for one.
local function pause(run, seconds)
  run.paused_until = math.max(run.paused_until, run.now() + math.min(seconds, LONGEST_PAUSE))
end

-- The tasks' transport, which waits for the next attempt no shorter than all of them have to.
local function pausing_transport(run, transport)
  return setmetatable({
    sleep = function(seconds, item)
      local wake = run.now() + seconds
      if item.call:status() == TOO_MANY_REQUESTS then pause(run, seconds) end
      local kind, code, message
      repeat
        kind, code, message = transport.sleep(math.max(wake, run.paused_until) - run.now(), item)
      until kind or run.now() >= math.max(wake, run.paused_until) or item()
      return kind, code, message
    end,
  }, { __index = transport })
end

local function perform(item)
  local run = item.owner
  local call = driver.prepare(run.client, run.operation, item.arguments, run.extras)
  local response, err = driver.complete(item, call, run.extras, item.arguments)
  if not response then return false, err end
  return true, response
end

local function wake(run)
  if run.wake then run.wake() end
end

local function start(run, item)
  run.total = run.total + 1
  local arguments = arguments_of(run, item)
  local ask, is_own = cancel_of(run, arguments)
  local started = task.start(run.client, run.operation, arguments, perform, nil, ask, run)
  run.running[started] = { index = run.position, arguments = arguments, may_withdraw = is_own }
  run.active = run.active + 1
  started:on_done(function()
    run.ended[#run.ended + 1] = started
    wake(run)
  end)
end

-- What the operations' methods raise is a result here; anything else is a mistake in the program and ends it all.
local function outcome_of(ended)
  if ended.ok then return ended.first end
  local err = ended.first
  if type(err) ~= "table" or err.kind == nil then error(err, 0) end
  return nil, err
end

local function count_finished(run, index)
  run.finished[index] = true
  while run.finished[run.completed_through + 1] do
    run.completed_through = run.completed_through + 1
    run.finished[run.completed_through] = nil
  end
end

-- Is it to be done when the rest is? Not where the item's own context has withdrawn it.
local function is_left(run, result, err)
  return err and err.kind == "cancelled" and (run.was_cancelled or not result.may_withdraw)
end

local function settle(run, ended)
  local result = run.running[ended]
  run.running[ended] = nil
  run.active = run.active - 1
  local response, err = outcome_of(ended)
  if not is_left(run, result, err) then count_finished(run, result.index) end
  result.may_withdraw = nil
  err = err or response.error -- the latter with no_throw
  if err then
    run.failures[#run.failures + 1] = { index = result.index, arguments = result.arguments, error = err }
    run.stopped = run.stopped or run.stop_on_error or err.code == "forked" -- the parent's process goes on with the rest
    if err.status == TOO_MANY_REQUESTS and err.retry_after then pause(run, err.retry_after) end
  else
    run.succeeded = run.succeeded + 1
  end
  result.response, result.error = response, err
  if run.on_result then run.on_result(result) end
end

-- ---------------------------------------------------------------- all of them

-- Is it another process's? What has no value to go by is the first one's, to be told of.
local function is_elsewhere(run, item)
  local part = run.shard
  if not part then return false end
  local value = type(item) == "table" and core.field(item, run.required) or item
  return (type(value) == "string" and shard.of(value, part[2]) or 1) ~= part[1]
end

-- Looks ahead, for a pause after the last item is not worth waiting for. Items of other processes count as finished.
local function has_next(run)
  while run.upcoming == nil and not run.stopped do
    local item = run.next_item()
    run.stopped = item == nil
    if item ~= nil then
      run.position = run.position + 1
      if is_elsewhere(run, item) then count_finished(run, run.position) else run.upcoming = item end
    end
  end
  return not run.stopped
end

local function sleep_through_pause(item)
  local run, ended = item.owner
  repeat ended = run.sleep(run.paused_until - run.now(), item)
  until ended or run.now() >= run.paused_until or item()
  if ended then run.stopped, run.was_cancelled = true, true end -- an NGINX worker that shuts down
  return true
end

-- A task that waits for the end of the pause, which calls can follow.
local function wait_for_pause(run)
  if run.pausing then return end
  run.pausing = task.start(run.client, "each", nil, sleep_through_pause, nil, run.ask, run)
  run.pausing:on_done(function()
    run.pausing = nil
    wake(run)
  end)
end

local function start_more(run)
  while run.active < run.concurrency and not (run.ask and run.ask()) and has_next(run) do
    if run.now() < run.paused_until then
      wait_for_pause(run)
      if run.pausing then return end -- else it is over already, and nobody would come back to this
    end
    local item = run.upcoming
    run.upcoming = nil
    start(run, item)
  end
end

-- All that have ended before any that follow: the first may be the reason why none does.
local function advance(run)
  while run.ended[1] do settle(run, table.remove(run.ended, 1)) end
  start_more(run)
  if run.stopped and run.pausing then run.pausing:cancel() end
end

local function begin_waiting(wake_up, run)
  run.wake = wake_up
  if run.ended[1] then wake_up() end
  return function() run.wake = false end
end

-- Lua 5.1 cannot yield through pcall; and where waiting is yielding, Ctrl-C ends the loop that is yielded to.
local function wait(run)
  if not run.host:here() then return pcall(run.host.suspend, run.host, begin_waiting, run) end
  run.host:suspend(begin_waiting, run)
  return true
end

-- Returns true, or false and what was raised.
local function loop(run)
  local ok, err = pcall(advance, run)
  while ok and (run.active > 0 or run.pausing) do
    ok, err = wait(run)
    if ok then ok, err = pcall(advance, run) end
  end
  return ok, err
end

-- Nothing of it goes on when it is over, whatever ended it.
local function clear(run)
  for started in pairs(run.running) do task.abandon(started) end
  if run.pausing then task.abandon(run.pausing) end
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

--- Calls `operation` for every item, `concurrency` calls at a time, and returns a summary.
--
-- Results come in the order in which calls finish. A 429 makes all calls wait as long as the service asks. Ctrl-C ends
-- it: the summary then has `interrupted = true`. To go on later, skip the first `completed_through` items.
---@param operation string  an operation's name
---@param items table|fun(): any  argument tables, or strings for the operation's one required argument
---@param options webpubsub.EachOptions?
---@return webpubsub.Summary
function each.run(client, operation, items, options)
  options = options or {}
  local extras = core.extras(client, "each")
  local transport = extras.transport
  core.check_options(options, "each", "options", "each")
  check_context(client, options.context)
  local required = required_argument(operation)
  check_shard(options.shard, operation, required)
  local run = {
    client = client, operation = operation, required = required, next_item = iterate(items),
    concurrency = options.concurrency or DEFAULT_CONCURRENCY, on_result = options.on_result,
    stop_on_error = options.stop_on_error,
    context = options.context, cancelled = task.cancel_of(options),
    now = transport.now, sleep = transport.sleep, host = transport.host, started = transport.now(), paused_until = 0,
    wake = false,
    running = {}, active = 0, ended = {}, finished = {}, completed_through = 0, position = 0,
    total = 0, shard = options.shard, succeeded = 0, failures = {},
  }
  run.ask = run.cancelled and asker(run, run.cancelled)
  run.extras = setmetatable({ transport = pausing_transport(run, transport) }, { __index = extras })
  local ok, err = loop(run)
  if not ok or run.problem then
    clear(run)
    if run.problem then core.throw(run.problem[1]) end
    if type(err) ~= "string" or not err:find("interrupted!", 1, true) then core.throw(err) end
    run.interrupted = true -- what the interpreter raises for Ctrl-C
  end
  return summarize(run)
end

return each
