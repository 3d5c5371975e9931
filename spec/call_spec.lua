-- One call as a state machine: it is told what happened and when, and says what to do next. No clock, no network.

local calls = require("spec.support.calls")
local core = require("webpubsub.core")
local states = require("spec.support.call_states")

local WALL, MIDDLE = calls.WALL, states.MIDDLE
local answer, assert_near, error_of = states.answer, states.assert_near, states.error_of
local prepare, begun, sending = states.prepared, states.begun, states.sending
local waiting, done = states.waiting, states.done

describe("a call", function()
  it("asks for a token, sends, and is done", function()
    local call = prepare()
    assert.are.equal(0, call:attempt())
    assert.are.equal("token", call:begin(100))
    assert.are.equal(1, call:attempt())
    assert.are.equal("send", call:token(101, "secret"))
    assert.are.equal("Bearer secret", call:header("Authorization"))
    assert.are.equal("done", answer(call, 103.5, 204))
    local response = call:result()
    assert.are.same({ 204, 1, 3.5 }, { response.status, response.attempts, response.elapsed })
  end)

  it("takes no response that has a NUL byte in its headers", function()
    for _, headers in ipairs({ "\0", "A: b\0\r\n", "A\0: b\r\n", "A: b\r\nC: \0d\r\n" }) do
      for _, status in ipairs({ 204, 404, 503 }) do
        local call = sending()
        assert.are.equal("done", answer(call, 1, status, headers))
        local err = error_of(call)
        assert.are.same({ "protocol", "malformed", false }, { err.kind, err.code, err.retryable })
      end
    end
  end)

  it("is done after an error that is final", function()
    local call = sending()
    assert.are.equal("done", answer(call, 1, 400))
    assert.are.same({ "service", 400, false }, { error_of(call).kind, error_of(call).status, error_of(call).retryable })
  end)

  it("waits after an error that is worth a retry, then asks for a token again", function()
    local call = waiting()
    assert_near(0.8, call:seconds())
    assert.are.equal("token", call:resume(1.8))
    assert.are.equal(2, call:attempt())
    assert.are.equal("send", call:sign(1.8, WALL))
    assert.are.equal("done", answer(call, 2, 204))
    assert.are.equal(2, call:result().attempts)
  end)

  it("that is woken early waits for the rest", function()
    local call = waiting()
    assert.are.equal("wait", call:resume(1.3))
    assert_near(0.5, call:seconds())
    assert.are.equal("wait", call:resume(1.7))
    assert_near(0.1, call:seconds())
    assert.are.equal(1, call:attempt())
    assert.are.equal("token", call:resume(1.8))
  end)

  it("gives its result as often as it is asked", function()
    local call = done()
    assert.are.equal(204, call:result().status)
    assert.are.equal(204, call:result().status)
  end)

  it("has one request id for all its attempts", function()
    local call = waiting(nil, { request_id = "id-7" })
    call:resume(2)
    call:sign(2, WALL)
    local _, _, block = call:outgoing()
    assert.are.equal("id-7", core.headers(block)["x-ms-client-request-id"])
    answer(call, 2, 400)
    assert.are.equal("id-7", error_of(call).request_id)
  end)
end)

describe("a claims challenge", function()
  local CHALLENGE = 'WWW-Authenticate: Bearer error="insufficient_claims", claims="eyJhIjoxfQ=="\r\n' -- {"a":1}

  local function challenged(options)
    local all = { credential = function() end }
    for name, value in pairs(options or {}) do all[name] = value end
    local call = begun(all)
    call:token(0, "first")
    assert.are.equal("token", answer(call, 1, 401, CHALLENGE))
    return call
  end

  it("asks for a new token at once, with its claims", function()
    local call = challenged()
    assert.are.equal('{"a":1}', call:claims())
    assert.are.equal("send", call:token(1, "second"))
    assert.are.equal("Bearer second", call:header("Authorization"))
    assert.is_nil(call:claims())
    assert.are.equal("done", answer(call, 2, 204))
    assert.are.equal(2, call:result().attempts)
  end)

  it("is answered once", function()
    local call = challenged()
    call:token(1, "second")
    assert.are.equal("done", answer(call, 2, 401, CHALLENGE))
    assert.are.same({ 401, "insufficient_claims", 2 },
      { error_of(call).status, error_of(call).code, error_of(call).attempts })
  end)

  it("is answered where there are no retries", function()
    local call = challenged({ retries = 0 })
    call:token(1, "second")
    assert.are.equal("done", answer(call, 2, 204))
  end)

  it("is not counted as a retry", function()
    local call = challenged({ retries = 1 })
    call:token(1, "second")
    assert.are.equal("wait", answer(call, 2, 503))
    assert_near(0.8, call:seconds())
    call:resume(3)
    call:token(3, "third")
    assert.are.equal("done", answer(call, 3, 503))
    assert.are.equal(3, error_of(call).attempts)
  end)

  it("is not answered past the deadline", function()
    local call = begun({ credential = function() end, timeout = 5 })
    call:token(0, "first")
    assert.are.equal("done", answer(call, 5, 401, CHALLENGE))
    assert.are.same({ "timeout", "deadline" }, { error_of(call).kind, error_of(call).code })
  end)

  it("of an answer that counts as a success is not answered", function()
    assert.are.equal("done", answer(sending(), 0, 401, CHALLENGE, MIDDLE, false))
  end)
end)

describe("a failure", function()
  local cases = {
    { "transport", "connect", "wait", true }, { "transport", "reset", "wait", true },
    { "transport", "certificate", "done", false }, { "timeout", "attempt", "wait", true },
    { "protocol", "malformed", "done", false }, { "credential", "credential", "done", false },
    { "cancelled", "cancelled", "done", false },
  }
  for _, case in ipairs(cases) do
    it(("of kind %s and code %s leads to %s"):format(case[1], case[2], case[3]), function()
      assert.are.equal(case[3], sending():failure(1, MIDDLE, case[1], case[2], "it failed"))
      local call = sending({ retries = 0 })
      assert.are.equal("done", call:failure(1, MIDDLE, case[1], case[2], "it failed"))
      local err = error_of(call)
      assert.are.same({ case[1], case[2], "it failed", case[4], 1, 1 },
        { err.kind, err.code, err.message, err.retryable, err.attempts, err.elapsed })
    end)
  end

  it("of another kind is none", function()
    for _, kind in ipairs({ "service", "argument", "memory", "" }) do
      assert.is_false((pcall(function() sending():failure(0, MIDDLE, kind, "x", "x") end)))
    end
  end)

  it("may come while a token is asked for", function()
    local call = begun()
    assert.are.equal("done", call:failure(1, MIDDLE, "credential", "credential", "no token"))
    assert.are.equal("credential", error_of(call).kind)
  end)

  it("may come while the call waits: it is withdrawn", function()
    local call = waiting()
    assert.are.equal("done", call:failure(1.2, MIDDLE, "cancelled", "cancelled", "the call was cancelled"))
    assert.are.same({ "cancelled", 1 }, { error_of(call).kind, error_of(call).attempts })
  end)

  it("leaves nothing of an earlier answer", function()
    local call = sending({ retries = 1 })
    answer(call, 0, 503, "Retry-After: 2\r\n")
    call:resume(2)
    call:sign(2, WALL)
    assert.are.equal("done", call:failure(2, MIDDLE, "transport", "reset", "connection reset"))
    local err = error_of(call)
    assert.are.same({ "transport", "connection reset" }, { err.kind, err.message })
    assert.is_nil(err.response or err.status or err.retry_after)
  end)

  it("with a long message keeps the beginning of it", function()
    local call = sending({ retries = 0 })
    call:failure(0, MIDDLE, "transport", ("c"):rep(1000), ("m"):rep(1000000))
    assert.are.equal(("m"):rep(383), error_of(call).message)
    assert.are.equal(("c"):rep(63), error_of(call).code)
  end)
end)

describe("an attempt", function()
  local function seconds_of(call)
    return (select(5, call:outgoing()))
  end

  it("may take 15 s by default, and what is set otherwise", function()
    assert.are.equal(15, seconds_of(sending()))
    assert.are.equal(3, seconds_of(sending({ attempt_timeout = 3 })))
    assert.are.equal(2, seconds_of(sending({ attempt_timeout = 3 }, { attempt_timeout = 2 })))
  end)

  it("may take no longer than the call", function()
    assert.are.equal(5, seconds_of(sending({ timeout = 5 })))
    local call = begun({ timeout = 20 })
    call:sign(12, WALL)
    assert.are.equal(8, seconds_of(call))
  end)

  it("begins with the request as the call has it, whatever was done to the one before", function()
    local call = prepare()
    call:add_query("per_call", "1")
    call:set_header("X-Call", "1")
    call:begin(0)
    local url = call:url()
    call:add_query("per_attempt", "1")
    call:set_header("X-Attempt", "1")
    call:set_header("X-Call", "changed")
    call:set_header("Accept", nil)
    call:sign(0, WALL)
    call:set_header("X-Send", "1")
    assert.are.same({ "1", "changed", "1" }, { call:header("x-attempt"), call:header("x-call"), call:header("x-send") })
    assert.are.equal(url .. "&per_attempt=1", call:url())
    answer(call, 0, 503)
    call:resume(1)
    assert.are.equal(url, call:url())
    assert.are.same({ "1", "application/json" }, { call:header("x-call"), call:header("accept") })
    assert.is_nil(call:header("x-attempt") or call:header("x-send") or call:header("authorization"))
    call:sign(1, WALL)
    local _, target = call:outgoing()
    assert.are.equal(url, calls.ENDPOINT .. target)
  end)

  it("that cannot be made says why, not how the one before failed", function()
    local call = waiting()
    call:resume(2)
    assert.are.equal("done", call:token(2, ("x"):rep(70000)))
    assert.are.same({ "argument", "headers is longer than 65536 bytes" },
      { error_of(call).kind, error_of(call).message })
  end)
end)

describe("a change to the request that is refused", function()
  local LONG = ("x"):rep(70000)

  it("leaves its headers as they were", function()
    local call = begun()
    call:set_header("X-A", "1")
    local before = call:headers()
    assert.are.equal("invalid", calls.refusal(call.set_header, call, "X-B", LONG).code)
    assert.are.equal("invalid", calls.refusal(call.set_header, call, "X-A", LONG).code)
    assert.are.same(before, call:headers())
    assert.are.equal("send", call:sign(0, WALL))
  end)

  it("leaves its URL as it was", function()
    local call = begun()
    local before = call:url()
    assert.are.equal("invalid", calls.refusal(call.add_query, call, "name", LONG).code)
    assert.are.equal("empty", calls.refusal(call.add_query, call, "", "x").code)
    assert.are.equal("type", calls.refusal(call.add_query, call, "x", 1).code)
    assert.are.equal("type", calls.refusal(call.add_query, call, nil, "x").code)
    assert.are.equal(before, call:url())
    call:sign(0, WALL)
    assert.are.equal(before, calls.ENDPOINT .. select(2, call:outgoing()))
  end)

  it("comes after signing, where the URL is concerned", function()
    local err = calls.refusal(function() sending():add_query("a", "b") end)
    assert.are.same({ "argument", "invalid" }, { err.kind, err.code })
    assert.is_truthy(err.message:find("signed already", 1, true), err.message)
  end)
end)

describe("a step out of turn", function()
  local feeds = {
    begin = function(call) return call:begin(0) end,
    token = function(call) return call:token(1, "token") end,
    sign = function(call) return call:sign(1, WALL) end,
    outgoing = function(call) return call:outgoing() end,
    response = function(call) return answer(call, 1, 204) end,
    failure = function(call) return call:failure(1, MIDDLE, "transport", "reset", "reset") end,
    resume = function(call) return call:resume(5) end,
    result = function(call) return call:result() end,
  }
  local in_turn = {
    prepared = { begin = true }, begun = { token = true, sign = true, failure = true },
    sending = { outgoing = true, response = true, failure = true }, waiting = { resume = true, failure = true },
    done = { result = true },
  }
  for state, fitting in pairs(in_turn) do
    for feed, act in pairs(feeds) do
      local fits = fitting[feed] or false
      it(("%s() %s a call that is %s"):format(feed, fits and "fits" or "is refused by", state), function()
        local call = states[state]()
        local before = call:attempt()
        assert.are.equal(fits, (pcall(act, call)))
        if not fits then assert.are.equal(before, call:attempt()) end
      end)
    end
  end

  it("is a plain error of the driver's author", function()
    assert.error_matches(function() done():resume(0) end, "resume%(%) does not fit the step this call is at")
    assert.error_matches(function() begun():begin(0) end, "has begun already")
    assert.error_matches(function() feeds.failure(done()) end, "this call is done")
    assert.error_matches(function() feeds.failure(prepare()) end, "this call has not begun")
  end)
end)
