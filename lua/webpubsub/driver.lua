--- Moves a call from step to step. The call decides; the driver runs what users extend (policies, credentials,
-- classifiers, the logger) between two steps and has the transport do the waiting and sending.
--
-- A transport is a table of functions: `now()` (seconds of a steady clock), `wall()` (seconds since the epoch),
-- `sleep(seconds, cancelled)`, which may wake early, and may return the kind, code and message of a failure that ends
-- the call, and `exchange(call, cancelled)`, which sends what `call:outgoing()` tells and returns true once the response
-- is delivered to the call, or nil with the kind, code and message of a failure, and whether a kept connection turned
-- out dead.

local core = require "webpubsub.core"
local log = require "webpubsub.log"
local policies = require "webpubsub.policies"

local driver = {}

-- Everything one call needs that outlives a step.
local function new_run(call, extras, arguments)
  local run = {
    call = call, transport = extras.transport, credential = extras.credential, reach = extras.reach,
    policies = extras.policies,
    cancelled = extras.cancelled, -- a task's, which asks the context's as well
  }
  local context = arguments and core.field(arguments, "context")
  if context then
    run.policies = policies.join(run.policies, policies.check(core.field(context, "policies"), call:operation()))
    run.classify = core.field(context, "classify")
    run.cancelled = run.cancelled or core.field(context, "cancel")
    run.no_throw = core.field(context, "no_throw")
  end
  if extras.logger then
    run.log = log.new(extras.logger, call, run.transport.now, extras.log_ids and arguments or nil)
  end
  return run
end

local function fail(run, kind, code, message, stale)
  return run.call:failure(run.transport.now(), core.random(), kind, code, message, stale)
end

-- An error of the core's has room for a short message only; that of a chain is longer.
local function fail_for_want_of_token(run, code, message, kind)
  run.reason = message
  return fail(run, kind, code, message)
end

local function get_token(run)
  local call, transport, credential = run.call, run.transport, run.credential
  local claims = call:claims()
  local token = credential:current(claims, transport, run.reach)
  if token then return call:token(transport.now(), token) end
  local code, message, kind
  token, code, message, kind = credential:get(claims, transport, run.reach, call:left(transport.now()))
  if not token then return fail_for_want_of_token(run, code, message, kind) end
  return call:token(transport.now(), token)
end

local function authorize(run)
  local call, transport = run.call, run.transport
  if run.policies then policies.apply(run.policies.per_attempt, call) end
  if not run.credential then return call:sign(transport.now(), transport.wall()) end
  if not call:needs_token() then return call:token(transport.now()) end
  return get_token(run)
end

local function verdict(classify, call)
  if type(classify) == "table" then return classify[call:status()] end
  local status, headers, body = call:received()
  return classify { status = status, headers = core.headers(headers), body = body }
end

local function send(run)
  local call, transport = run.call, run.transport
  if run.policies then policies.apply(run.policies.before_send, call) end
  if run.log then run.log:request() end

  local ok, kind, code, message, stale = transport.exchange(call, run.cancelled)
  if not ok then
    local step = fail(run, kind, code, message, stale)
    if run.log then run.log:failure(kind, code) end
    return step
  end
  local status = call:status()
  local decision = run.classify and verdict(run.classify, call)
  local random = (status >= 300 or decision == "retry") and core.random() or 0
  local step = call:respond(transport.now(), transport.wall(), random, decision)
  if run.log then run.log:response(status) end
  if status == 401 and run.log and step ~= "done" and call:clock_offset() then run.log:clock(call:clock_offset()) end
  return step
end

local function withdrawn(run)
  return run.cancelled and run.cancelled()
end

local function withdraw(run)
  return fail(run, "cancelled", "cancelled", "the call was cancelled")
end

local function wait(run)
  local call, transport = run.call, run.transport
  if run.log then run.log:retry() end
  local step = "wait"
  while step == "wait" do -- again, where the transport woke early
    local kind, code, message = transport.sleep(call:seconds(), run.cancelled)
    step = kind and fail(run, kind, code, message) or withdrawn(run) and withdraw(run) or call:resume(transport.now())
  end
  return step
end

local actions = { token = authorize, send = send, wait = wait }

local function finish(run)
  local call = run.call
  if run.policies then policies.apply(run.policies.per_call, call) end
  local step = call:begin(run.transport.now())
  while step ~= "done" do
    step = withdrawn(run) and withdraw(run) or actions[step](run)
  end
  local response, err = call:result(run.no_throw)
  if err and err.kind == "credential" and run.reason then err.message = run.reason end
  if run.log then
    local failure = err or response.error -- the latter with no_throw
    if failure then run.log:error(failure) end
  end
  return response, err
end

--- Runs a prepared call to its end.
---@return table|nil response
---@return table|nil error
function driver.run(call, extras, arguments)
  return finish(new_run(call, extras, arguments))
end

--- Prepares a call for a method that is no operation itself: what is wrong with its arguments is that method's error.
-- One that is `unsent`, prepared for its checks alone, may be longer than the service takes.
---@return table call
function driver.prepare_for(method, client, operation, arguments, unsent)
  local ok, result = pcall(core.prepare, client, operation, arguments, nil, unsent)
  if ok then return result end
  if type(result) == "table" then result.operation = method end
  error(result, 0)
end

--- Prepares a call and runs it to its end. Its object serves the client's next call too, unless policies or the logger
-- have seen it, for they may have kept it.
---@return table|nil response
---@return table|nil error
function driver.perform(client, name, arguments)
  local extras = core.extras(client, name)
  local spare = extras.spare
  extras.spare = nil
  local run = new_run(core.prepare(client, name, arguments, spare), extras, arguments)
  local response, err = finish(run)
  if not (run.policies or run.log) then extras.spare = run.call end
  return response, err
end

return driver
