--- Calls of the main operation in each of their states, and what is fed to them. All begin at 0 s.

local calls = require("spec.support.calls")

local call_states = {}

call_states.MIDDLE = 0.5 -- the random number that makes no jitter

--- A call that has not begun.
---@param options? table of the client
---@param context? table of the call
function call_states.prepared(options, context)
  return calls.prepare("close_user_connections", { user = "alice", context = context }, options)
end

--- A call that waits for its first token.
function call_states.begun(options, context)
  local call = call_states.prepared(options, context)
  assert(call:begin(0) == "token")
  return call
end

--- A call whose first attempt is on its way.
function call_states.sending(options, context)
  local call = call_states.begun(options, context)
  assert(call:sign(0, calls.WALL) == "send")
  return call
end

--- A call that waits for 0.8 s since 1 s, after a 503.
function call_states.waiting(options, context)
  local call = call_states.sending(options, context)
  assert(call_states.answer(call, 1, 503) == "wait")
  return call
end

--- A call that was answered with 204 at 1 s.
function call_states.done(options, context)
  local call = call_states.sending(options, context)
  assert(call_states.answer(call, 1, 204) == "done")
  return call
end

--- Feeds a response without a body; returns the next step.
---@param call table
---@param now number seconds
---@param status integer
---@param headers? string
---@param random? number default: no jitter
---@param verdict? boolean|string
function call_states.answer(call, now, status, headers, random, verdict)
  return calls.respond(call, now, calls.WALL, random or call_states.MIDDLE, status, headers or "", "", verdict)
end

--- The error of a call that failed.
function call_states.error_of(call)
  local response, err = call:result()
  assert(response == nil, "the call has a response")
  return err
end

--- Raises unless two numbers of seconds are the same, but for rounding.
function call_states.assert_near(expected, actual)
  assert(math.abs(expected - actual) < 1e-6, ("expected %.9g, got %.9g"):format(expected, actual))
end

return call_states
