-- One operation for many: items, concurrency, results and failures, over a transport whose time is the spec's own.

require("webpubsub.client") -- gives every client its methods
local assert_near = require("spec.support.call_states").assert_near
local calls = require("spec.support.calls")
local concurrent_transport = require("spec.support.concurrent_transport")
local shard = require("webpubsub.shard")

local OPERATION = "close_user_connections"
local NO_WAIT = { retry = { delay = 0, jitter = 0 } }

local function user_of(request)
  return request.target:match("/users/([^/]*)/")
end

-- A client whose users' calls end as `answers` says: by user, or for all by a function.
local function new_client(answers, options)
  local transport = concurrent_transport.new(type(answers) == "function" and answers or function(request)
    return answers and answers[user_of(request)]
  end)
  return concurrent_transport.client(transport, options), transport
end

local function users(count)
  local list = {}
  for index = 1, count do list[index] = "u" .. index end
  return list
end

local function users_sent(transport)
  local list = {}
  for index, request in ipairs(transport.requests) do list[index] = user_of(request) end
  return list
end

local function refused(...)
  local client = new_client()
  local err = calls.refusal(client.each, client, ...)
  assert.are.same({ "argument", "each" }, { err.kind, err.operation })
  return err
end

describe("each item", function()
  it("may be the operation's one required argument", function()
    local client, transport = new_client()
    local summary = client:each(OPERATION, { "alice", "bob" })
    assert.are.same({ 2, 2, 0, 2 }, { summary.total, summary.succeeded, summary.failed, summary.completed_through })
    assert.are.same({ "alice", "bob" }, users_sent(transport))
  end)

  it("may be a table of arguments, which is not changed", function()
    local item = { user = "alice", reason = "r" }
    local client, transport = new_client()
    client:each(OPERATION, { item, "bob" }, { context = { headers = { ["X-A"] = "1" } } })
    assert.is_truthy(transport.requests[1].target:find("/users/alice/:closeConnections?", 1, true))
    assert.is_truthy(transport.requests[1].target:find("&reason=r", 1, true))
    assert.are.same({ user = "alice", reason = "r" }, item)
  end)

  it("may come from an iterator, which is asked for no more than there is room for", function()
    local given = 0
    local client = new_client(function(request)
      assert.is_true(given <= request.index + 1, given)
    end)
    local summary = client:each(OPERATION, function()
      given = given + 1
      return given <= 20 and "u" .. given or nil
    end, { concurrency = 2 })
    assert.are.same({ 20, 21 }, { summary.total, given })
  end)

  it("may be there or not", function()
    for _, items in ipairs({ {}, function() end }) do
      local summary = new_client():each(OPERATION, items)
      assert.are.same({ 0, 0, 0, 0, 0 }, { summary.total, summary.succeeded, summary.failed, summary.elapsed,
        summary.rate })
    end
  end)

  it("has the context of all, or its own", function()
    local client, transport = new_client()
    client:each(OPERATION, { "a", { user = "b" }, { user = "c", context = { request_id = "own" } } },
      { context = { request_id = "all" } })
    local ids = {}
    for index, request in ipairs(transport.requests) do ids[index] = request.headers["x-ms-client-request-id"] end
    assert.are.same({ "all", "all", "own" }, ids)
  end)

  it("that is wrong is a failure like any other, in its place", function()
    local client, transport = new_client()
    local items = { "a", "", { usr = "b" }, 42, false, { user = ".." }, { user = "c", context = 1 }, "d" }
    local summary = client:each(OPERATION, items)
    assert.are.same({ "a", "d" }, users_sent(transport))
    local codes = {}
    for position, failure in ipairs(summary.failures) do
      assert.are.same({ "argument", OPERATION }, { failure.error.kind, failure.error.operation })
      codes[position] = failure.index .. " " .. failure.error.code
    end
    assert.are.same({ "2 empty", "3 unknown", "4 type", "5 type", "6 invalid", "7 type" }, codes)
    assert.are.same({ 8, 2, 6, 8 }, { summary.total, summary.succeeded, summary.failed, summary.completed_through })
  end)
end)

describe("what is given to each", function()
  local refusals = {
    ["operation"] = { { "close_user_connection", {} }, "unknown", 'did you mean "close_user_connections"?' },
    ["items"] = { { OPERATION, 42 }, "type", "a list or an iterator function; it is a number" },
    ["options"] = { { OPERATION, {}, 42 }, "type", "must be a table" },
    ["concurency"] = { { OPERATION, {}, { concurency = 2 } }, "unknown", 'did you mean "concurrency"?' },
    ["concurrency"] = { { OPERATION, {}, { concurrency = "2" } }, "type", "must be a number; it is a string" },
    ["on_result"] = { { OPERATION, {}, { on_result = {} } }, "type", "must be a function" },
    ["stop_on_error"] = { { OPERATION, {}, { stop_on_error = 1 } }, "type", "must be a boolean" },
    ["context"] = { { OPERATION, {}, { context = "x" } }, "type", "must be a table" },
    ["timeot"] = { { OPERATION, { "a" }, { context = { timeot = 5 } } }, "unknown", 'did you mean "timeout"?' },
    ["per_atempt"] = { { OPERATION, { "a" }, { context = { policies = { per_atempt = print } } } }, "unknown",
      'did you mean "per_attempt"?' },
  }
  for argument, case in pairs(refusals) do
    it("is refused at once where it is wrong: " .. argument, function()
      local err = refused(case[1][1], case[1][2], case[1][3])
      assert.are.same({ argument, case[2] }, { err.argument, err.code })
      assert.is_truthy(err.message:find(case[3], 1, true), err.message)
    end)
  end

  it("may be a concurrency of 1 to 256", function()
    for _, number in ipairs({ 0, 257, 1.5, -1, 0 / 0, math.huge }) do
      assert.are.equal("invalid", refused(OPERATION, {}, { concurrency = number }).code)
    end
    for _, number in ipairs({ 1, 256 }) do new_client():each(OPERATION, {}, { concurrency = number }) end
  end)

  it("is asked of a client", function()
    local client = new_client()
    local err = calls.refusal(client.each, OPERATION, {})
    assert.are.same({ "client", "each" }, { err.argument, err.operation })
  end)
end)

describe("concurrency", function()
  for _, concurrency in ipairs({ 1, 2, 7, 16, 256 }) do
    it(("of %d is reached, and never exceeded"):format(concurrency), function()
      local client, transport = new_client(function(request)
        return { takes = 0.01 * (1 + request.index * 7 % 5) }
      end)
      local summary = client:each(OPERATION, users(600), { concurrency = concurrency })
      assert.are.same({ 600, concurrency, 0, 0 }, { summary.succeeded, transport.peak, transport.under_way,
        transport.naps })
    end)
  end

  it("is 16 unless it is said", function()
    local client, transport = new_client()
    client:each(OPERATION, users(50))
    assert.are.equal(16, transport.peak)
  end)

  it("is used all the time: an item follows as soon as one is over", function()
    local client, transport = new_client()
    local summary = client:each(OPERATION, users(30), { concurrency = 3 })
    assert_near(30 / 3 * 0.01, summary.elapsed)
    assert_near(30 / summary.elapsed, summary.rate)
    assert_near(transport.requests[30].at, transport.requests[1].at + 0.09)
  end)

  it("counts a call that waits for its retry", function()
    local client, transport = new_client(function(request)
      return request.index <= 2 and { status = 503 } or nil
    end, { retry = { delay = 1, jitter = 0 } })
    client:each(OPERATION, users(4), { concurrency = 2 })
    assert_near(1.01, transport.requests[3].at - transport.requests[1].at)
    assert.are.same({ "u1", "u2" }, { users_sent(transport)[1], users_sent(transport)[2] })
  end)
end)

describe("results", function()
  it("come in the order in which calls finish, each with its index and arguments", function()
    local client = new_client({ a = { takes = 0.3 }, b = { takes = 0.1 }, c = { takes = 0.2 } })
    local seen = {}
    client:each(OPERATION, { "a", { user = "b" }, "c" }, { on_result = function(result)
      assert.are.equal(204, result.response.status)
      assert.is_nil(result.error)
      seen[#seen + 1] = result.index .. result.arguments.user
    end })
    assert.are.same({ "2b", "3c", "1a" }, seen)
  end)

  it("have the error of a call that failed, of any kind", function()
    local client = new_client({ a = { failure = "transport" }, b = { status = 404 }, c = { status = 500 } },
      { retries = 0 })
    local kinds = {}
    local summary = client:each(OPERATION, { "a", "b", "c", "", "e" }, { on_result = function(result)
      assert.is_true((result.error == nil) ~= (result.response == nil))
      kinds[result.index] = result.error and result.error.kind or "none"
    end })
    assert.are.same({ "transport", "service", "service", "argument", "none" }, kinds)
    local failed = {}
    for _, failure in ipairs(summary.failures) do failed[failure.index] = failure.error.kind end
    assert.are.same({ "transport", "service", "service", "argument" }, failed)
    assert.are.same({ 5, 1, 4, 5 }, { summary.total, summary.succeeded, summary.failed, summary.completed_through })
  end)

  it("have response and error with no_throw", function()
    local client = new_client({ a = { status = 404 } })
    local summary = client:each(OPERATION, { "a" }, { context = { no_throw = true }, on_result = function(result)
      assert.are.same({ 404, 404 }, { result.response.status, result.error.status })
    end })
    assert.are.same({ 1, 404 }, { summary.failed, summary.failures[1].error.status })
  end)

  it("are no failures where classify says so", function()
    local client = new_client({ a = { status = 404 } })
    assert.are.equal(1, client:each(OPERATION, { "a" }, { context = { classify = { [404] = false } } }).succeeded)
  end)

  it("of a question have its answer", function()
    local client = new_client(function(request)
      return { status = request.target:find("/users/a?", 1, true) and 200 or 404 }
    end)
    local answers = {}
    client:each("user_exists", { "a", "b" }, { on_result = function(result)
      answers[result.index] = result.response.exists
    end })
    assert.are.same({ true, false }, answers)
  end)

  it("are retried like any call's", function()
    local client, transport = new_client(function(request)
      return request.index <= 3 and { status = 503 } or nil
    end, NO_WAIT)
    local summary = client:each(OPERATION, { "a", "b", "c" }, { on_result = function(result)
      assert.are.equal(2, result.response.attempts)
    end })
    assert.are.same({ 3, 6 }, { summary.succeeded, #transport.requests })
  end)
end)

describe("completed_through", function()
  it("counts the items that are over, up to the first that is not", function()
    local client, transport = new_client({ u3 = { takes = 5 }, u5 = { status = 404 } })
    local summary = client:each(OPERATION, users(10), { concurrency = 2, on_result = function(result)
      if result.index == 8 then error("interrupted!") end -- as the interpreter says it
    end })
    assert.are.same({ true, 2, 8, 6, 1 }, { summary.interrupted, summary.completed_through, summary.total,
      summary.succeeded, summary.failed })
    assert.are.equal(1, transport.cancelled)
  end)

  it("is all of them in the end, whatever order they end in", function()
    local client = new_client(function(request) return { takes = 0.01 * (10 - request.index % 10) } end)
    local summary = client:each(OPERATION, users(100), { concurrency = 10 })
    assert.are.same({ 100, 100 }, { summary.total, summary.completed_through })
  end)
end)

describe("a shard", function()
  it("is a part of the items: nobody is left out, nobody comes twice", function()
    local seen, count = {}, 0
    for part = 1, 3 do
      local client, transport = new_client()
      local summary = client:each(OPERATION, users(60), { shard = { part, 3 } })
      assert.are.equal(#transport.requests, summary.total)
      assert.is_true(summary.total > 5)
      assert.are.equal(60, summary.completed_through)
      for _, user in ipairs(users_sent(transport)) do
        assert.is_nil(seen[user])
        seen[user], count = part, count + 1
      end
    end
    assert.are.equal(60, count)
    assert.are.same({ shard.of("u1", 3), shard.of("u60", 3) }, { seen.u1, seen.u60 })
  end)

  it("goes by the required argument of tables, and is told of items by their place among all", function()
    local client = new_client()
    local items, expected, told = {}, {}, {}
    for index, user in ipairs(users(20)) do
      items[index] = { user = user, reason = "r" .. index }
      if shard.of(user, 4) == 2 then expected[#expected + 1] = index end
    end
    client:each(OPERATION, items, { shard = { 2, 4 }, concurrency = 1, on_result = function(result)
      told[#told + 1] = result.index
      assert.are.equal("r" .. result.index, result.arguments.reason)
    end })
    assert.are.same(expected, told)
  end)

  it("goes on where it was, with the items after completed_through", function()
    local list, sent = users(40), {}
    local client, transport = new_client({ [list[30]] = { failure = "transport" } }, { retries = 0 })
    local function iterate(from)
      local position = from
      return function()
        position = position + 1
        return list[position]
      end
    end
    local part = { shard.of(list[30], 2), 2 }
    local stopped = client:each(OPERATION, iterate(0), { shard = part, concurrency = 1, stop_on_error = true })
    assert.is_true(stopped.completed_through >= 30 and stopped.completed_through < 40)
    client:each(OPERATION, iterate(stopped.completed_through), { shard = part, concurrency = 1 })
    for _, user in ipairs(users_sent(transport)) do
      assert.is_nil(sent[user])
      sent[user] = true
    end
    for _, user in ipairs(list) do assert.are.equal(shard.of(user, 2) == part[1] or nil, sent[user]) end
  end)

  it("has items that are wrong in the first part, and nowhere else", function()
    for part = 1, 2 do
      local client = new_client()
      local summary = client:each(OPERATION, { { reason = "x" }, { user = 7 } }, { shard = { part, 2 } })
      assert.are.equal(part == 1 and 2 or 0, summary.failed)
    end
  end)

  for _, part in ipairs({ {}, { 1 }, { 0, 2 }, { 3, 2 }, { 1.5, 2 }, { 1, 2, 3 }, { "1", 2 }, { 1, 1000001 },
    { i = 1, n = 2 }, { 1, 0 / 0 } }) do
    it("that is none is refused", function()
      local err = refused(OPERATION, {}, { shard = part })
      assert.are.same({ "invalid", "shard" }, { err.code, err.argument })
    end)
  end

  it("needs an operation with one required argument", function()
    assert.are.equal("shard goes by the one required argument of an operation; add_user_to_group has none, or several",
      refused("add_user_to_group", {}, { shard = { 1, 2 } }).message)
  end)
end)

describe("stop_on_error", function()
  it("begins nothing after a failure, and waits for what is under way", function()
    local client, transport = new_client({ u3 = { status = 404 }, u4 = { takes = 1 } })
    local summary = client:each(OPERATION, users(100), { concurrency = 4, stop_on_error = true })
    assert.are.same({ 4, 3, 1, 4 }, { summary.total, summary.succeeded, summary.failed, summary.completed_through })
    assert.are.same({ 4, 0 }, { #transport.requests, transport.cancelled })
  end)

  it("stops for arguments that are wrong", function()
    local client, transport = new_client()
    local summary = client:each(OPERATION, { "a", "", "b" }, { concurrency = 1, stop_on_error = true })
    assert.are.same({ 2, 1, 1 }, { summary.total, #transport.requests, summary.failed })
  end)

  it("is off unless it is asked for", function()
    local client = new_client({ u1 = { status = 404 } })
    assert.are.equal(5, client:each(OPERATION, users(5), { concurrency = 1 }).total)
  end)
end)

describe("memory", function()
  it("stays the same however many items there are", function()
    local ITEMS, ALLOWED_KILOBYTES = 20000, 400 -- a table each would be a thousand and more
    local client, transport = new_client()
    local begun, before, most = 0, nil, 0
    local summary = client:each(OPERATION, function()
      begun = begun + 1
      transport.requests = {}
      return begun <= ITEMS and "u" .. begun or nil
    end, { concurrency = 32, on_result = function(result)
      if result.index % 5000 == 1000 then
        collectgarbage()
        collectgarbage()
        before = before or collectgarbage("count")
        most = math.max(most, collectgarbage("count"))
      end
    end })
    assert.are.equal(ITEMS, summary.succeeded)
    assert.is_true(most - before < ALLOWED_KILOBYTES, most - before)
  end)
end)
