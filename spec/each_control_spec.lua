-- One operation for many: what holds the calls up, what ends them, and what may be done meanwhile.

require("webpubsub.client") -- gives every client its methods
local assert_near = require("spec.support.call_states").assert_near
local calls = require("spec.support.calls")
local concurrent_transport = require("spec.support.concurrent_transport")

local OPERATION = "close_user_connections"
local ENDLESS_SECONDS = 1000 -- of an exchange that is not to end by itself

local function new_client(answer, options)
  local transport = concurrent_transport.new(answer)
  return concurrent_transport.client(transport, options), transport
end

-- An answer for every request, the n-th of them another one.
local function only(n, answer)
  return function(request) return request.index == n and answer or nil end
end

local function endless()
  local index = 0
  return function()
    index = index + 1
    return "u" .. index
  end
end

local function users(count)
  local list = {}
  for index = 1, count do list[index] = "u" .. index end
  return list
end

-- The times between the first request and each, in order.
local function times_of(transport)
  local times = {}
  for index, request in ipairs(transport.requests) do times[index] = request.at - transport.requests[1].at end
  return times
end

-- No request may have left between these times.
local function assert_silence(transport, from, to)
  for index, time in ipairs(times_of(transport)) do
    assert.is_true(time <= from + 1e-6 or time >= to - 1e-6, ("request %d left after %g s"):format(index, time))
  end
end

describe("a 429", function()
  it("holds all calls up for as long as the service asks", function()
    local client, transport = new_client(only(5, { status = 429, headers = "Retry-After: 7\r\n" }))
    local summary = client:each(OPERATION, users(40), { concurrency = 4 })
    assert.are.equal(40, summary.succeeded)
    assert_silence(transport, 0.01, 7.02)
    assert_near(7.02, times_of(transport)[9])
    assert.is_true(transport.naps < 20, transport.naps) -- it waits, and does not look again and again
  end)

  it("holds up the others' retries, too", function()
    local client, transport = new_client(function(request)
      if request.index == 1 then return { status = 503 } end
      if request.index == 2 then return { status = 429, headers = "Retry-After: 5\r\n" } end
    end, { retry = { delay = 1, jitter = 0 } })
    assert.are.equal(2, client:each(OPERATION, { "a", "b" }).succeeded)
    assert_silence(transport, 0, 5.01)
  end)

  it("holds up by the client's own delay where the service names no time", function()
    local client, transport = new_client(only(1, { status = 429 }), { retry = { delay = 2, jitter = 0 } })
    client:each(OPERATION, users(10), { concurrency = 2 })
    assert_silence(transport, 0, 2.01)
  end)

  it("whose time is over before anybody waits for it leaves nothing undone", function()
    local client, transport = new_client(only(1, { status = 429, headers = "Retry-After: 5\r\n" }))
    function transport.sleep(seconds) transport.wait(seconds) end -- without a coroutine that waits
    local summary = client:each(OPERATION, users(10), { concurrency = 1, context = { retries = 0 } })
    assert.are.same({ 10, 9, 1 }, { summary.total, summary.succeeded, summary.failed })
  end)

  it("that is final fails its call and holds up the others all the same", function()
    local client, transport = new_client(only(2, { status = 429, headers = "Retry-After: 120\r\n" }))
    local summary = client:each(OPERATION, users(10), { concurrency = 2, context = { retries = 0 } })
    assert.are.same({ 9, 1, 429 }, { summary.succeeded, summary.failed, summary.failures[1].error.status })
    assert_silence(transport, 0, 120.01)
  end)

  it("holds up for ten minutes at most", function()
    local client, transport = new_client(only(1, { status = 429, headers = "Retry-After: 86400\r\n" }))
    client:each(OPERATION, users(3), { concurrency = 1 })
    assert_near(600.01, times_of(transport)[2])
  end)

  it("of the last item holds nobody up", function()
    local client = new_client(only(3, { status = 429, headers = "Retry-After: 120\r\n" }))
    local summary = client:each(OPERATION, users(3), { concurrency = 1, context = { retries = 0 } })
    assert_near(0.03, summary.elapsed)
  end)

  it("lets calls end that are under way", function()
    local client, transport = new_client(function(request)
      if request.index == 1 then return { status = 429, headers = "Retry-After: 5\r\n" } end
      if request.index == 2 then return { takes = 1 } end
    end)
    local ended = {}
    client:each(OPERATION, { "a", "b" }, { on_result = function(result)
      ended[result.index] = transport.now() - transport.requests[1].at
    end })
    assert_near(1, ended[2])
  end)

  it("is the only status that holds others up", function()
    local client, transport = new_client(only(1, { status = 503, headers = "Retry-After: 5\r\n" }))
    client:each(OPERATION, users(10), { concurrency = 2 })
    assert_near(0.01, times_of(transport)[3])
  end)
end)

describe("cancel", function()
  it("withdraws what is under way and begins nothing more", function()
    local client, transport = new_client(function() return { takes = ENDLESS_SECONDS } end)
    local asked = 0
    local summary = client:each(OPERATION, endless(), { concurrency = 5, context = { cancel = function()
      asked = asked + 1
      return asked == 3 -- once is enough
    end } })
    assert.are.same({ true, 5, 0, 5, 0 }, { summary.cancelled, summary.total, summary.succeeded, summary.failed,
      summary.completed_through })
    for _, failure in ipairs(summary.failures) do
      assert.are.same({ "cancelled", "the call was cancelled" }, { failure.error.kind, failure.error.message })
    end
    assert.are.same({ 5, 0 }, { transport.cancelled, transport.under_way })
    assert_near(0.1, summary.elapsed) -- asked 20 times a second
  end)

  it("withdraws calls that wait for a retry, and ends a pause", function()
    local client, transport = new_client(function() return { status = 429, headers = "Retry-After: 50\r\n" } end)
    local summary = client:each(OPERATION, endless(), { concurrency = 3,
      context = { cancel = function() return transport.now() > 1010 end } })
    assert.are.same({ true, 3, 3, "cancelled" }, { summary.cancelled, summary.total, summary.failed,
      summary.failures[1].error.kind })
    assert.is_true(summary.elapsed > 10 and summary.elapsed < 10.2, summary.elapsed)
  end)

  it("may come before anything is begun", function()
    local client, transport = new_client()
    local summary = client:each(OPERATION, endless(), { context = { cancel = function() return true end } })
    assert.are.same({ true, 0, 0 }, { summary.cancelled, summary.total, #transport.requests })
  end)

  it("of one item withdraws that item", function()
    local client, transport = new_client(function() return { takes = 1 } end)
    local function cancel() return transport.now() >= 1000.5 end
    local summary = client:each(OPERATION, { "a", { user = "b", context = { cancel = cancel } }, "c",
      { user = "d", context = { cancel = function() return true end } } })
    assert.is_nil(summary.cancelled)
    assert.are.same({ 2, 2, 3, 1 }, { summary.succeeded, summary.failed, #transport.requests, transport.cancelled })
    for _, failure in ipairs(summary.failures) do assert.are.equal("cancelled", failure.error.kind) end
  end)

  it("that raises ends it all, and leaves nothing behind", function()
    local client, transport = new_client(function() return { takes = ENDLESS_SECONDS } end)
    assert.has_error(function()
      client:each(OPERATION, endless(), { context = { cancel = function()
        if transport.now() > 1001 then error("no answer", 0) end
      end } })
    end, "no answer")
    assert.are.same({ 16, 0 }, { transport.cancelled, transport.under_way })
  end)
end)

describe("a mistake of the program", function()
  local mistakes = {
    ["on_result"] = function(client)
      client:each(OPERATION, endless(), { on_result = function() error("oops", 0) end })
    end,
    ["the iterator"] = function(client)
      local given = 0
      client:each(OPERATION, function()
        given = given + 1
        if given == 10 then error("oops", 0) end
        return "u"
      end)
    end,
    ["a policy"] = function(client)
      client:each(OPERATION, endless(), { context = { policies = { before_send = function(request)
        if request.url:find("/u7/", 1, true) then error("oops", 0) end
      end } } })
    end,
  }
  for where, run in pairs(mistakes) do
    it(("in %s is raised as it is, and leaves nothing behind"):format(where), function()
      local client, transport = new_client()
      assert.has_error(function() run(client) end, "oops")
      assert.are.equal(0, transport.under_way)
      assert.are.equal(3, client:each(OPERATION, users(3)).succeeded)
    end)
  end

  it("may be any value", function()
    local client = new_client()
    local value = setmetatable({ code = "mine" }, {})
    local ok, err = pcall(client.each, client, OPERATION, endless(), { on_result = function() error(value) end })
    assert.is_false(ok)
    assert.are.equal(value, err)
  end)

  it("may be an error of a call made in on_result", function()
    local client = new_client()
    local err = calls.refusal(client.each, client, OPERATION, endless(), { on_result = function()
      client:each("no_such_operation", {})
    end })
    assert.are.same({ "argument", "operation" }, { err.kind, err.argument })
  end)
end)

describe("on_result", function()
  it("may use each again", function()
    local client, transport = new_client()
    local inner = 0
    local outer = client:each(OPERATION, users(10), { concurrency = 4, on_result = function(result)
      local summary = client:each("user_exists", { result.arguments.user, "x", "y" }, { concurrency = 2 })
      inner = inner + summary.succeeded
    end })
    assert.are.same({ 10, 30, 40, 0 }, { outer.succeeded, inner, #transport.requests, transport.under_way })
  end)
end)

describe("Ctrl-C", function()
  it("ends it with a summary, and withdraws what is under way", function()
    local client, transport = new_client(function(request)
      return { takes = request.index > 4 and ENDLESS_SECONDS or nil }
    end)
    local step, interrupted = transport.wait, false
    transport.wait = function(seconds) -- where a person's Ctrl-C finds it
      if transport.now() > 1010 and not interrupted then
        interrupted = true
        error("interrupted!")
      end
      step(seconds)
    end
    local summary = client:each(OPERATION, endless(), { concurrency = 2 })
    assert.are.same({ true, 6, 4, 0, 4 }, { summary.interrupted, summary.total, summary.succeeded, summary.failed,
      summary.completed_through })
    assert.are.same({ 2, 0 }, { transport.cancelled, transport.under_way })
  end)
end)
