--- Moves a call from step to step. The call decides; the driver runs what users extend (policies, credentials,
-- classifiers, the logger) between two steps and has the transport do the waiting and sending.
--
-- A transport is a table of functions: `now()` (seconds of a steady clock), `wall()` (seconds since the epoch),
-- `sleep(seconds, cancelled)`, which may wake early, and may return the kind, code and message of a failure that ends
-- the call, and `exchange(call, cancelled)`, which sends what `call:outgoing()` tells and returns true once the
-- response is delivered to the call, or nil with the kind, code and message of a failure, and whether a kept connection
-- turned out dead. They wait where they are called. `host` is where they wait: see host/.
--
-- `cancelled` may be asked whether the call is withdrawn: it is the program's function, or a task.

local core = require "webpubsub.core"
local log = require "webpubsub.log"
local policies = require "webpubsub.policies"

local driver = {}

local MAX_SPARE = 256 -- calls of a client that are over and kept to be used again

-- With room for what set_up() puts into it, or the table would grow field by field.
local function new_run()
  return { call = false, transport = false, policies = false, credential = false, reach = false }
end

-- Everything one call needs that outlives a step; a task is that itself.
local function set_up(run, call, extras, arguments)
  run.call, run.transport, run.policies = call, extras.transport, extras.policies
  run.credential, run.reach = extras.credential, extras.reach
  local context = arguments and core.field(arguments, "context")
  if context then
    run.policies = policies.join(run.policies, policies.check(core.field(context, "policies"), call:operation()))
    run.classify = core.field(context, "classify")
    run.withdrawn = run.withdrawn or core.field(context, "cancel")
    run.no_throw = core.field(context, "no_throw")
  end
  if extras.logger then
    run.log = log.new(extras.logger, call, run.transport.now, extras.log_ids and arguments or nil,
      extras.server)
  end
  return run
end

local function fail(run, kind, code, message, stale)
  return run.call:failure(run.transport.now(), core.random(), kind, code, message, stale)
end

local function is_withdrawn(run)
  return run.withdrawn and run.withdrawn()
end

local function withdraw(run)
  return fail(run, "cancelled", "cancelled", "the call was cancelled")
end

-- Calls a function of the program's, which may wait, but neither past the call's time nor past its cancellation.
-- Returns true and what it returns; or false and what has ended the wait.
local function ask(run, action, first, second)
  local host = run.transport.host
  if not host then return true, action(first, second) end
  return host:call(run.call:left(run.transport.now()), run.withdrawn, action, first, second)
end

-- The step after a function was left.
local function leave(run, why)
  if why == "cancelled" then return withdraw(run) end
  return fail(run, "timeout", "deadline", "a function of the program's did not return in the call's time")
end

-- Runs the policies of a stage; returns what ended them before they were through, or nil.
local function apply(run, stage)
  local functions = run.policies and run.policies[stage]
  if not functions or #functions == 0 then return nil end
  local over, why = ask(run, policies.apply, functions, run.call)
  return not over and why or is_withdrawn(run) and "cancelled" or nil
end

local function get_token(run)
  local call, transport, credential = run.call, run.transport, run.credential
  local claims = call:claims()
  local token = credential:current(claims, transport, run.reach)
  if token then return call:token(transport.now(), token) end
  local over, code, message
  local request = {
    claims = claims, transport = transport, reach = run.reach, seconds = call:left(transport.now()),
    cancelled = run.withdrawn,
  }
  over, token, code, message = ask(run, credential.get, credential, request)
  if not over then
    credential:leave(request)
    return leave(run, token)
  end
  if token then return call:token(transport.now(), token) end
  if is_withdrawn(run) then return withdraw(run) end
  run.reason = message -- an error of the core's has room for a short one only, and a chain's is longer
  return fail(run, code == "deadline" and "timeout" or "credential", code, message)
end

local function authorize(run)
  local call, transport = run.call, run.transport
  local stopped = apply(run, "per_attempt")
  if stopped then return leave(run, stopped) end
  if not run.credential then return call:sign(transport.now(), transport.wall()) end
  if not call:needs_token() then return call:token(transport.now()) end
  return get_token(run)
end

local function verdict(classify, call)
  local status, headers, body = call:received()
  return classify { status = status, headers = core.headers(headers), body = body }
end

local function send(run)
  local call, transport = run.call, run.transport
  local stopped = apply(run, "before_send")
  if stopped then return leave(run, stopped) end
  if run.log then run.log:request() end

  local ok, kind, code, message, stale = transport.exchange(call, run.withdrawn)
  if not ok then
    local step = fail(run, kind, code, message, stale)
    if run.log then run.log:failure(kind, code) end
    return step
  end
  local status, classify = call:status(), run.classify
  local decision
  if type(classify) == "table" then
    decision = classify[status]
  elseif classify then
    local over, result = ask(run, verdict, classify, call)
    if not over then return leave(run, result) end
    decision = result
  end
  local random = (status >= 300 or decision == "retry") and core.random() or 0
  local step = call:respond(transport.now(), transport.wall(), random, decision)
  if run.log then run.log:response(status) end
  if status == 401 and run.log and step ~= "done" and call:clock_offset() then run.log:clock(call:clock_offset()) end
  return step
end

local function wait(run)
  local call, transport = run.call, run.transport
  if run.log then run.log:retry() end
  local step = "wait"
  while step == "wait" do -- again, where the transport woke early
    local kind, code, message = transport.sleep(call:seconds(), run.withdrawn)
    step = kind and fail(run, kind, code, message) or is_withdrawn(run) and withdraw(run)
      or call:resume(transport.now())
  end
  return step
end

local actions = { token = authorize, send = send, wait = wait }

local function begin(run)
  local call, transport = run.call, run.transport
  local started = transport.now()
  -- Where nothing of the program's comes in between, one step of C begins and signs.
  if not (run.policies or run.credential) then return call:begin(started, transport.wall()) end
  local stopped = apply(run, "per_call")
  local step = call:begin(started)
  if stopped and step ~= "done" then return leave(run, stopped) end
  return step
end

local function finish(run)
  local call, step = run.call, begin(run)
  while step ~= "done" do
    step = is_withdrawn(run) and withdraw(run) or actions[step](run)
  end
  local response, err = call:result(run.no_throw)
  if err and err.kind == "credential" and run.reason then err.message = run.reason end
  if run.log then
    local failure = err or response.error -- the latter with no_throw
    if failure then run.log:error(failure) end
  end
  return response, err
end

-- A call's object serves another call of the client too, unless policies or the logger have seen it, for they may have
-- kept it.
local function keep(run, spare)
  if not (run.policies or run.log) and #spare < MAX_SPARE then spare[#spare + 1] = run.call end
end

--- Runs a prepared call to its end.
---@param run table|nil  where it keeps what it needs: a task
---@return table|nil response
---@return table|nil error
function driver.run(call, extras, arguments, run)
  return finish(set_up(run or new_run(), call, extras, arguments))
end

--- Prepares a call for a method that is no operation itself: what is wrong with its arguments is that method's error.
-- One that is `unsent`, prepared for its checks alone, may be longer than the service takes.
---@return table call
function driver.prepare_for(method, client, operation, arguments, unsent)
  local ok, result = pcall(core.prepare, client, operation, arguments, nil, unsent)
  if ok then return result end
  if type(result) == "table" then result.operation = method end
  core.throw(result)
end

--- Prepares a call of the client, in an object that is kept for another one once it is over.
---@param operation string|integer  its name, or its position in `core.operations()`
---@return table call
function driver.prepare(client, operation, arguments, extras)
  local spare = extras.spare or {}
  extras.spare = spare
  local call = spare[#spare]
  if not call then return core.prepare(client, operation, arguments) end
  spare[#spare] = nil
  return core.prepare(client, operation, arguments, call)
end

--- Runs a call from `driver.prepare` to its end, in a task.
---@return table|nil response
---@return table|nil error
function driver.complete(run, call, extras, arguments)
  local response, err = finish(set_up(run, call, extras, arguments))
  keep(run, extras.spare)
  return response, err
end

--- Prepares a call and runs it to its end.
---@param operation string|integer  as `driver.prepare` takes it
---@return table|nil response
---@return table|nil error
function driver.perform(client, operation, arguments, extras)
  return driver.complete(new_run(), driver.prepare(client, operation, arguments, extras), extras, arguments)
end

--- Do failures come back as nil and the error, or are they raised?
---@return boolean
function driver.returns_errors(extras, arguments)
  local context = type(arguments) == "table" and core.field(arguments, "context")
  local mode = type(context) == "table" and core.field(context, "errors") or extras.errors
  return mode == "return"
end

--- What a method does with a failure: it raises it, or returns nil and the error.
function driver.failed(err, extras, arguments)
  if not driver.returns_errors(extras, arguments) then core.throw(err) end
  return nil, err
end

return driver
