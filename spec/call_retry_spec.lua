-- When a call tries again, how long it waits before, and when it gives up.

local calls = require("spec.support.calls")
local states = require("spec.support.call_states")

local WALL, MIDDLE = calls.WALL, states.MIDDLE
local ALMOST_ONE = 1 - 2 ^ -32
local answer, assert_near, error_of = states.answer, states.assert_near, states.error_of
local begun, sending, waiting = states.begun, states.sending, states.waiting

-- Sends the next attempt at `now`, and has it answered with 503.
local function attempt_fails(call, now, random, headers)
  assert.are.equal("send", call:sign(now, WALL))
  return answer(call, now, 503, headers, random)
end

describe("back-off", function()
  local function waits(random, retry)
    local call, now, list = begun({ timeout = 86400, retry = retry }), 0, {}
    while attempt_fails(call, now, random) == "wait" do
      list[#list + 1] = call:seconds()
      now = now + call:seconds()
      assert.are.equal("token", call:resume(now))
    end
    return list
  end

  local cases = {
    { "doubles three times by default", MIDDLE, nil, { 0.8, 1.6, 3.2 } },
    { "is 20 % less at most", 0, nil, { 0.64, 1.28, 2.56 } },
    { "is 20 % more at most", ALMOST_ONE, nil, { 0.96, 1.92, 3.84 } },
    { "grows by its factor", MIDDLE, { delay = 1, factor = 3, retries = 4 }, { 1, 3, 9, 27 } },
    { "need not grow", MIDDLE, { delay = 2, factor = 1 }, { 2, 2, 2 } },
    { "need not vary", 0, { jitter = 0 }, { 0.8, 1.6, 3.2 } },
    { "may vary down to nothing", 0, { jitter = 1 }, { 0, 0, 0 } },
    { "may vary up to twice", ALMOST_ONE, { jitter = 1 }, { 1.6, 3.2, 6.4 } },
    { "may be nothing", ALMOST_ONE, { delay = 0 }, { 0, 0, 0 } },
    { "has a maximum, jitter included", ALMOST_ONE, { delay = 30 }, { 36, 60, 60 } },
    { "varies below its maximum", 0, { delay = 30 }, { 24, 48, 48 } },
    { "never begins above its maximum", MIDDLE, { delay = 10, max_delay = 3 }, { 3, 3, 3 } },
    { "does not overflow", MIDDLE, { delay = 86400, factor = 100, retries = 3, max_delay = 1 }, { 1, 1, 1 } },
    { "may be left out", MIDDLE, { retries = 0 }, {} },
  }
  for _, case in ipairs(cases) do
    it(case[1], function()
      local actual = waits(case[2], case[3])
      assert.are.equal(#case[4], #actual)
      for index, expected in ipairs(case[4]) do assert_near(expected, actual[index]) end
    end)
  end

  it("yields to a longer Retry-After, and only to a longer one", function()
    local call = sending()
    assert.are.equal("wait", answer(call, 0, 503, "Retry-After: 7\r\n"))
    assert.are.equal(7, call:seconds())
    call:resume(7)
    assert.are.equal("wait", attempt_fails(call, 7, MIDDLE, "Retry-After: 1\r\n"))
    assert_near(1.6, call:seconds())
  end)

  it("has a maximum that a Retry-After may exceed", function()
    local call = sending({ retry = { max_delay = 2 } })
    assert.are.equal("wait", answer(call, 0, 503, "Retry-After: 30\r\n"))
    assert.are.equal(30, call:seconds())
  end)

  it("forgets the Retry-After of an earlier attempt", function()
    local call = sending()
    answer(call, 0, 503, "Retry-After: 7\r\n")
    call:resume(7)
    call:sign(7, WALL)
    assert.are.equal("wait", call:failure(7, MIDDLE, "transport", "reset", "connection reset"))
    assert_near(1.6, call:seconds())
  end)
end)

describe("a kept connection that died unanswered", function()
  local function dies(call, now)
    return call:failure(now, MIDDLE, "transport", "closed", "the connection was closed before any answer", true)
  end

  local function fresh(call) return (select(7, call:outgoing())) end

  it("is followed by another attempt at once, on a new connection", function()
    local call = sending()
    assert.is_false(fresh(call))
    assert.are.equal("token", dies(call, 1))
    assert.are.equal("send", call:sign(1, WALL))
    assert.is_true(fresh(call))
    assert.are.equal(2, call:attempt())
  end)

  it("takes one of the retries", function()
    local call = sending({ retries = 1 })
    assert.are.equal("token", dies(call, 1))
    call:sign(1, WALL)
    assert.are.equal("done", answer(call, 1, 503))
    assert.are.equal(2, error_of(call).attempts)
  end)

  it("ends a call without retries", function()
    local call = sending({ retries = 0 })
    assert.are.equal("done", dies(call, 1))
    assert.are.same({ "transport", "closed", 1 }, { error_of(call).kind, error_of(call).code, error_of(call).attempts })
  end)

  it("is waited after like any failure where it was a new one", function()
    local call = sending()
    assert.are.equal("wait", call:failure(1, MIDDLE, "transport", "closed", "closed"))
    call:resume(10)
    call:sign(10, WALL)
    assert.is_true(fresh(call))
  end)
end)

describe("a status", function()
  it("is worth a retry if it is one of six", function()
    for status = 100, 599 do
      local call = sending()
      local expected = (status == 408 or status == 429 or status == 500 or status == 502 or status == 503
        or status == 504) and "wait" or "done"
      assert.are.equal(expected, answer(call, 0, status), status)
    end
  end)

  it("is worth a retry if the option says so, instead of the six", function()
    local options = { retry = { statuses = { 418, 409 } } }
    assert.are.equal("wait", answer(sending(options), 0, 418))
    assert.are.equal("wait", answer(sending(options), 0, 409))
    assert.are.equal("done", answer(sending(options), 0, 503))
    assert.are.equal("done", answer(sending({ retry = { statuses = {} } }), 0, 503))
  end)

  it("worth a retry is said to be so when there are no retries", function()
    local call = sending({ retries = 0 })
    assert.are.equal("done", answer(call, 0, 503))
    assert.is_true(error_of(call).retryable)
    assert.are.equal("the service answered 503 Service Unavailable", error_of(call).message)
  end)
end)

describe("a failure of the transport", function()
  local codes = { resolve = true, connect = true, proxy = true, tls = true, certificate = false, closed = true,
    busy = true, failed = true, forked = false, unheard_of = true }
  for code, retryable in pairs(codes) do
    it(("is %sworth a retry where its code is %s, whatever its words are"):format(retryable and "" or "not ", code),
      function()
        for _, words in ipairs({ "", "forked", "certificate", "connection closed", "not retryable" }) do
          local call = sending()
          assert.are.equal(retryable and "wait" or "done", call:failure(0, MIDDLE, "transport", code, words))
          call = sending({ retries = 0 })
          call:failure(0, MIDDLE, "transport", code, words)
          assert.are.equal(retryable, error_of(call).retryable)
        end
      end)
  end
end)

describe("a verdict", function()
  it("true makes any answer an error", function()
    local call = sending()
    assert.are.equal("done", answer(call, 0, 204, "", MIDDLE, true))
    assert.are.same({ "service", 204, false }, { error_of(call).kind, error_of(call).status, error_of(call).retryable })
  end)

  it("true leaves the status to say whether a retry is worth it", function()
    assert.are.equal("wait", answer(sending(), 0, 503, "", MIDDLE, true))
  end)

  it("false makes any answer a success", function()
    for _, status in ipairs({ 404, 500, 503, 302 }) do
      local call = sending()
      assert.are.equal("done", answer(call, 0, status, "", MIDDLE, false))
      assert.are.same({ status, false }, { call:result().status, call:result().is_error })
    end
  end)

  it("\"retry\" makes any answer worth a retry, until there are none left", function()
    local call = sending({ retries = 1 })
    assert.are.equal("wait", answer(call, 0, 200, "", MIDDLE, "retry"))
    call:resume(1)
    call:sign(1, WALL)
    assert.are.equal("done", answer(call, 1, 200, "", MIDDLE, "retry"))
    assert.is_true(error_of(call).retryable)
  end)

  it("nil leaves it to the status", function()
    assert.are.equal("done", answer(sending(), 0, 200, "", MIDDLE, nil))
    assert.are.equal("wait", answer(sending(), 0, 503, "", MIDDLE, nil))
  end)

  it("of any other kind is refused", function()
    for _, verdict in ipairs({ "error", "", 1, {} }) do
      local err = calls.refusal(answer, sending(), 0, 200, "", MIDDLE, verdict)
      assert.are.same({ "argument", "type", "classify", "close_user_connections" },
        { err.kind, err.code, err.argument, err.operation })
    end
  end)
end)

describe("the deadline", function()
  local function assert_deadline(call, attempts)
    local err = error_of(call)
    assert.are.same({ "timeout", "deadline", attempts, true }, { err.kind, err.code, err.attempts, err.retryable })
    assert.is_truthy(err.message:find(("timeout of 10 s has passed after %d attempt"):format(attempts), 1, true),
      err.message)
  end

  it("may pass while a token is made", function()
    local call = begun({ timeout = 10 })
    assert.are.equal("done", call:token(10, "token"))
    assert_deadline(call, 1)
    call = begun({ timeout = 10 })
    assert.are.equal("done", call:sign(11, WALL))
    assert_deadline(call, 1)
  end)

  it("may pass in an attempt", function()
    local call = sending({ timeout = 10 })
    assert.are.equal("done", call:failure(10, MIDDLE, "timeout", "attempt", "no answer in time"))
    assert_deadline(call, 1)
  end)

  it("may pass in a wait that took too long", function()
    local call = waiting({ timeout = 10 })
    assert.are.equal("done", call:resume(10))
    assert_deadline(call, 1)
  end)

  it("does not take away an answer that came", function()
    local call = sending({ timeout = 10 })
    assert.are.equal("done", answer(call, 11, 204))
    assert.are.equal(204, call:result().status)
  end)

  it("is of the context before that of the client", function()
    local call = begun({ timeout = 100 }, { timeout = 10 })
    assert.are.equal("done", call:sign(10, WALL))
    assert_deadline(call, 1)
  end)

  it("ends a call at once when the next attempt would come after it, and the error says so", function()
    local call = sending({ timeout = 10 })
    assert.are.equal("done", answer(call, 9.5, 503))
    local err = error_of(call)
    assert.are.same({ "service", 503, true }, { err.kind, err.status, err.retryable })
    assert.are.equal("the service answered 503 Service Unavailable; not retried: the next attempt would come after "
      .. "the call's timeout of 10 s", err.message)
  end)

  it("ends a call at once when the service asks to wait for longer, and the error says so", function()
    local call = sending({ timeout = 10 })
    assert.are.equal("done", answer(call, 2, 429, "Retry-After: 8\r\n"))
    local err = error_of(call)
    assert.are.same({ "service", 429, 8, true }, { err.kind, err.status, err.retry_after, err.retryable })
    assert.are.equal("the service answered 429 Too Many Requests; not retried: the service asks to wait 8 s, and 8 s "
      .. "are left of the call's timeout of 10 s", err.message)
  end)

  it("leaves time for a wait that just fits", function()
    assert.are.equal("wait", answer(sending({ timeout = 10 }), 2, 429, "Retry-After: 7.999\r\n"))
  end)

  it("is said behind the message of a failure", function()
    local call = sending({ timeout = 10 })
    assert.are.equal("done", call:failure(9.5, MIDDLE, "transport", "reset", "connection reset"))
    assert.are.equal("connection reset; not retried: the next attempt would come after the call's timeout of 10 s",
      error_of(call).message)
  end)

  it("is held against a Retry-After that nobody would wait for", function()
    local call = sending()
    assert.are.equal("done", answer(call, 0, 503, "Retry-After: 99999999999999999999\r\n"))
    assert.is_truthy(error_of(call).message:find("asks to wait 1e+20 s", 1, true), error_of(call).message)
  end)
end)
