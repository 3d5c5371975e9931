-- The driver moves a call from step to step: what the call decides, the transport does.

local calls = require("spec.support.calls")
local cjson = require("cjson")
local core = require("webpubsub.core")
local driven = require("spec.support.driven")
local driver = require("webpubsub.driver")

local SIGNED = "^Bearer [%w_-]+%.[%w_-]+%.[%w_-]+$"

describe("a call that is driven", function()
  it("sends what the call says and returns the response", function()
    local response, err, transport = driven.once({ { status = 204, headers = "Date: today\r\n", takes = 0.25 } })
    assert.is_nil(err)
    assert.are.same({ 204, "today", 1, 0.25 },
      { response.status, response.headers.date, response.attempts, response.elapsed })
    assert.are.equal(1, #transport.requests)
    local request = transport.requests[1]
    assert.are.same({ "POST", "/api/hubs/chat/users/alice/:closeConnections?api-version=2024-12-01&excluded=conn-1"
      .. "&reason=because" }, { request.method, request.target })
    assert.are.equal(15, request.seconds)
    assert.is_nil(request.body)
    assert.is_truthy(request.headers.authorization:find(SIGNED))
  end)

  it("signs at the time of the wall clock, anew for each attempt", function()
    local _, _, transport = driven.once({ { status = 503, headers = "Retry-After: 2\r\n", takes = 1 }, {} })
    local function issued_at(index)
      local payload = transport.requests[index].headers.authorization:match("%.([^.]+)%.")
      return cjson.decode(calls.decode_base64url(payload)).iat
    end
    assert.are.equal(calls.WALL, issued_at(1))
    assert.are.equal(calls.WALL + 3, issued_at(2))
  end)

  it("sends a body where the operation has one", function()
    local client, transport = driven.client({ { status = 202 } })
    local arguments = { content = "hello" }
    driver.run(core.prepare(client, "send_to_all", arguments), core.extras(client), arguments)
    assert.are.equal("hello", transport.requests[1].body)
  end)

  it("sends no token where the operation needs none", function()
    local client, transport = driven.client({ { status = 200 } })
    local response = driver.run(core.prepare(client, "service_status"), core.extras(client))
    assert.are.equal(200, response.status)
    assert.is_nil(transport.requests[1].headers.authorization)
  end)

  it("waits between two attempts, with jitter", function()
    local response, _, transport = driven.once({ { status = 503 }, { failure = "transport", code = "reset" }, {} })
    assert.are.same({ 204, 3 }, { response.status, response.attempts })
    assert.are.equal(2, #transport.sleeps)
    assert.is_true(transport.sleeps[1] >= 0.64 and transport.sleeps[1] < 0.96, transport.sleeps[1])
    assert.is_true(transport.sleeps[2] >= 1.28 and transport.sleeps[2] < 1.92, transport.sleeps[2])
  end)

  it("does not wait alike in every call", function()
    local seen, different = {}, 0
    for _ = 1, 20 do
      local _, _, transport = driven.once({ { status = 200 }, {} }, nil, { classify = { [200] = "retry" } })
      if not seen[transport.sleeps[1]] then seen[transport.sleeps[1]], different = true, different + 1 end
    end
    assert.is_true(different > 15, different)
  end)

  it("waits as long as the service asks", function()
    local _, _, transport = driven.once({ { status = 429, headers = "Retry-After: 7\r\n" }, {} })
    assert.are.same({ 7 }, transport.sleeps)
  end)

  it("sleeps again when it was woken early", function()
    local client, transport = driven.client({ { status = 429, headers = "Retry-After: 8\r\n" }, {} })
    transport.nap = function(seconds) return seconds == 8 and 6 or seconds end
    assert.are.equal(204, driven.run(client).status)
    assert.are.same({ 8, 2 }, transport.sleeps)
  end)

  it("gives up when the retries are used up", function()
    local response, err, transport = driven.once({ { status = 503 }, { status = 502 }, { status = 500 } },
      { retries = 2 })
    assert.is_nil(response)
    assert.are.same({ "service", 500, 3 }, { err.kind, err.status, err.attempts })
    assert.are.equal(3, #transport.requests)
  end)

  it("tells a failure of the transport with its kind, code and message", function()
    local _, err = driven.once({ { failure = "transport", code = "connect", message = "connection refused" } },
      { retries = 0 })
    assert.are.same({ "transport", "connect", "connection refused", 1 },
      { err.kind, err.code, err.message, err.attempts })
  end)

  it("gives each attempt no more time than the call has left", function()
    local _, err, transport = driven.once({ { failure = "timeout", code = "attempt", takes = 15 },
      { failure = "timeout", code = "attempt", takes = 4 } }, { timeout = 20, retry = { delay = 1, jitter = 0 } })
    assert.are.same({ 15, 4 }, { transport.requests[1].seconds, transport.requests[2].seconds })
    assert.are.same({ "timeout", "deadline", 2, 20 }, { err.kind, err.code, err.attempts, err.elapsed })
  end)

  it("takes a null of lua-cjson for an absent option of the context", function()
    local null = cjson.null
    local client = driven.client({ { status = 503 }, { status = 400 } })
    local response, err = driven.run(client, { timeout = null, retries = null, headers = null, request_id = null,
      cancel = null, no_throw = null, classify = null, policies = null, retry = null, attempt_timeout = null })
    assert.is_nil(response)
    assert.are.same({ 400, 2 }, { err.status, err.attempts })
  end)

  it("lets what the transport raises through", function()
    local client, transport = driven.client()
    transport.exchange = function() error({ "not ours" }) end
    local ok, err = pcall(driven.run, client)
    assert.are.same({ false, { "not ours" } }, { ok, err })
  end)
end)

describe("a call that must not reach the server twice", function()
  it("is one without retries, and the transport is told", function()
    local _, _, transport = driven.once({ {} }, { retries = 0 })
    assert.is_true(transport.requests[1].once)
    _, _, transport = driven.once({ {} }, { retries = 1 })
    assert.is_false(transport.requests[1].once)
  end)
end)

describe("calls one after another on a client", function()
  local function perform(client, operation, arguments)
    return driver.perform(client, operation, arguments, core.extras(client))
  end

  it("have nothing of each other", function()
    local client, transport = driven.client({ { status = 202 }, {}, { status = 200 }, { status = 503 }, {}, {} },
      { retries = 1 })
    perform(client, "send_to_group", { group = "g", filter = "f", content = ("x"):rep(10000), content_type = "json" })
    perform(client, "close_all_connections")
    perform(client, "service_status", nil)
    perform(client, "close_user_connections", { user = "u", reason = ("r"):rep(5000) })
    perform(client, "close_connection", { connection = "c" })
    local requests, seen = transport.requests, {}
    assert.are.equal("/api/hubs/chat/:closeConnections?api-version=2024-12-01", requests[2].target)
    assert.are.equal("/api/health?api-version=2024-12-01", requests[3].target)
    assert.are.equal("/api/hubs/chat/connections/c?api-version=2024-12-01", requests[6].target)
    assert.are.equal(requests[4].target, requests[5].target)
    assert.is_nil(requests[3].headers.authorization)
    for index, request in ipairs(requests) do
      assert.are.equal(index > 1, request.body == nil and request.headers["content-type"] == nil)
      local id = request.headers["x-ms-client-request-id"]
      assert.are.equal(index == 5, seen[id] ~= nil)
      seen[id] = true
    end
  end)

  it("have each its own limits, times and counts", function()
    local client, transport = driven.client({ { status = 503, takes = 1 }, {}, { takes = 0.5 } })
    perform(client, "close_all_connections", { context = { attempt_timeout = 3 } })
    local response = perform(client, "close_all_connections")
    assert.are.same({ 3, 3, 15 }, { transport.requests[1].seconds, transport.requests[2].seconds,
      transport.requests[3].seconds })
    assert.are.same({ 1, 0.5 }, { response.attempts, response.elapsed })
  end)

  it("may be made while another one is under way", function()
    local client, transport = driven.client({ {}, {}, {} })
    perform(client, "close_all_connections")
    local exchange, inner = transport.exchange, nil
    transport.exchange = function(...)
      transport.exchange = exchange
      inner = perform(client, "close_user_connections", { user = "inner" })
      return exchange(...)
    end
    local outer = perform(client, "close_user_connections", { user = "outer" })
    assert.are_not.equal(outer.request_id, inner.request_id)
    assert.is_truthy(transport.requests[2].target:find("/users/inner/", 1, true))
    assert.is_truthy(transport.requests[3].target:find("/users/outer/", 1, true))
  end)

  it("follow one that was refused or failed", function()
    local client, transport = driven.client({ { failure = "protocol" }, {} })
    assert.are.equal("missing", calls.refusal(perform, client, "close_user_connections", {}).code)
    assert.are.equal("protocol", select(2, perform(client, "close_all_connections")).kind)
    assert.are.equal("invalid", calls.refusal(perform, client, "close_user_connections", { user = ".." }).code)
    local response = perform(client, "close_user_connections", { user = "u" })
    assert.are.same({ 204, 1 }, { response.status, response.attempts })
    assert.are.equal(2, #transport.requests)
  end)

  it("cannot be changed through a request that a policy has kept", function()
    local kept
    local client, transport = driven.client({ {}, {} })
    perform(client, "close_all_connections",
      { context = { policies = { per_call = function(request) kept = request end } } })
    transport.exchange = (function(exchange)
      return function(...)
        kept.headers["X-Late"] = "1"
        return exchange(...)
      end
    end)(transport.exchange)
    perform(client, "close_all_connections")
    assert.is_nil(transport.requests[2].headers["x-late"])
    assert.are.equal("1", kept.headers["x-late"])
  end)
end)

describe("cancel", function()
  it("before the first attempt sends nothing", function()
    local response, err, transport = driven.once({}, nil, { cancel = function() return true end })
    assert.is_nil(response)
    assert.are.same({ "cancelled", "cancelled", false }, { err.kind, err.code, err.retryable })
    assert.are.equal(0, #transport.requests)
  end)

  it("is handed to the transport, which ends the exchange", function()
    local withdrawn = false
    local cancel = function() return withdrawn end
    local client, transport = driven.client({ { failure = "cancelled" } })
    local exchange = transport.exchange
    transport.exchange = function(call, cancelled)
      withdrawn = true
      assert.is_true(cancelled())
      return exchange(call, cancelled)
    end
    local _, err = driven.run(client, { cancel = cancel })
    assert.are.same({ "cancelled", 1 }, { err.kind, err.attempts })
    assert.are.equal(cancel, transport.requests[1].cancelled)
  end)

  it("while waiting ends the wait", function()
    local withdrawn = false
    local client, transport = driven.client({ { status = 429, headers = "Retry-After: 30\r\n" } })
    transport.nap = function()
      withdrawn = true
      return 0.0625
    end
    local _, err = driven.run(client, { cancel = function() return withdrawn end })
    assert.are.same({ "cancelled", 1 }, { err.kind, err.attempts })
    assert.are.equal(0.0625, err.elapsed)
    assert.are.equal(1, #transport.sleeps)
  end)

  it("between two attempts sends no further one", function()
    local withdrawn = false
    local client, transport = driven.client({ { status = 503 } })
    transport.nap = function(seconds)
      withdrawn = true
      return seconds
    end
    local _, err = driven.run(client, { cancel = function() return withdrawn end })
    assert.are.equal("cancelled", err.kind)
    assert.are.equal(1, #transport.requests)
  end)

  it("after the answer came changes nothing", function()
    local withdrawn = false
    local client, transport = driven.client({ { status = 204 } })
    local exchange = transport.exchange
    transport.exchange = function(...)
      withdrawn = true
      return exchange(...)
    end
    assert.are.equal(204, driven.run(client, { cancel = function() return withdrawn end }).status)
  end)

  it("that raises reaches the caller", function()
    assert.error_matches(function() driven.once({}, nil, { cancel = function() error("no answer", 0) end }) end,
      "^no answer$")
  end)
end)

describe("classify", function()
  local function outcome(answers, classify, options)
    local response, err, transport = driven.once(answers, options, { classify = classify })
    return (response or err).status, response ~= nil, #transport.requests
  end

  it("as a table says which statuses are errors", function()
    assert.are.same({ 204, false, 1 }, { outcome({ { status = 204 } }, { [204] = true }) })
    assert.are.same({ 404, true, 1 }, { outcome({ { status = 404 } }, { [404] = false }) })
    assert.are.same({ 204, true, 2 }, { outcome({ { status = 404 }, {} }, { [404] = "retry" }) })
  end)

  it("as a table leaves the other statuses as they are", function()
    assert.are.same({ 204, true, 1 }, { outcome({ { status = 204 } }, { [404] = false }) })
    assert.are.equal(403, (outcome({ { status = 403 } }, { [404] = false })))
  end)

  it("as a function sees status, headers and body", function()
    local seen
    outcome({ { status = 200, headers = "X-A: 1\r\n", body = "text" } }, function(response) seen = response end)
    assert.are.same({ 200, "1", "text" }, { seen.status, seen.headers["x-A"], seen.body })
  end)

  it("as a function decides on errors and retries", function()
    local function classify(response)
      if response.body == "busy" then return "retry" end
      if response.body == "bad" then return true end
      if response.status == 404 then return false end
    end
    assert.are.same({ 204, true, 2 }, { outcome({ { status = 200, body = "busy" }, {} }, classify) })
    assert.is_false((select(2, outcome({ { status = 200, body = "bad" } }, classify))))
    assert.are.same({ 404, true, 1 }, { outcome({ { status = 404 } }, classify) })
    assert.are.same({ 204, true, 2 }, { outcome({ { status = 503 }, {} }, classify) })
  end)

  it("false ends a call that would be tried again", function()
    assert.are.same({ 503, true, 1 }, { outcome({ { status = 503 } }, { [503] = false }) })
  end)

  it("that says something else is refused", function()
    local err = calls.refusal(outcome, { {} }, { [204] = "again" })
    assert.are.same({ "argument", "type", "classify" }, { err.kind, err.code, err.argument })
  end)

  it("that raises reaches the caller unchanged", function()
    local mine = {}
    local ok, err = pcall(outcome, { {} }, function() error(mine) end)
    assert.is_false(ok)
    assert.are.equal(mine, err)
  end)

  it("of another type is refused before anything is sent", function()
    local err = calls.refusal(driven.once, {}, nil, { classify = 404 })
    assert.are.same({ "type", "classify" }, { err.code, err.argument })
  end)
end)

describe("no_throw", function()
  it("returns a service error as the response", function()
    local response, err = driven.once({ { status = 403, body = '{"code":"E","message":"m"}' } }, nil,
      { no_throw = true })
    assert.is_nil(err)
    assert.are.same({ 403, true, "E", "m" },
      { response.status, response.is_error, response.error.code, response.error.message })
  end)

  it("returns other failures as errors", function()
    for _, kind in ipairs({ "transport", "timeout", "protocol" }) do
      local response, err = driven.once({ { failure = kind } }, { retries = 0 }, { no_throw = true })
      assert.is_nil(response)
      assert.are.equal(kind, err.kind)
    end
  end)

  it("still raises for a wrong argument", function()
    assert.are.equal("type", calls.refusal(driven.once, {}, nil, { no_throw = "yes" }).code)
  end)
end)
