-- Answers that ask for another attempt, those that do not, and how long is waited in between.

local curl = require("webpubsub.curl")
local failing_calls = require("spec.support.failing_calls")
local scripted_server = require("spec.support.scripted_server")
local steps = require("spec.support.steps")

local failure_of, assert_error = failing_calls.failure_of, failing_calls.assert_error

local NO_CONTENT = steps.reply({ status = 204 })
local PROMPTLY_SECONDS = 5 -- far below the waits that are asked for
local SHORT_SECONDS = 0.05
local RETRYABLE = { [408] = "Request Timeout", [429] = "Too Many Requests", [500] = "Internal Server Error",
  [502] = "Bad Gateway", [503] = "Service Unavailable", [504] = "Gateway Timeout" }
local FINAL = { [301] = "Moved Permanently", [302] = "Found", [307] = "Temporary Redirect", [400] = "Bad Request",
  [401] = "Unauthorized", [403] = "Forbidden", [404] = "Not Found", [409] = "Conflict", [413] = "Content Too Large",
  [415] = "Unsupported Media Type", [501] = "Not Implemented", [505] = "HTTP 505" }

local server

setup(function() server = scripted_server.start() end)
teardown(function() server:stop() end)
before_each(function() server:reset() end)

local function new_client(options)
  return failing_calls.client(server.origin, options)
end

local function refusal(status, headers)
  return steps.reply({ status = status, headers = headers })
end

describe("an answer", function()
  for status, name in pairs(RETRYABLE) do
    it(status .. " is worth every retry", function()
      server:script({ default = refusal(status) })
      local err = failure_of(new_client({ retries = 2 }))
      assert_error({ "service", name, 3, true }, err)
      assert.are.same({ status, status, 3 }, { err.status, err.response.status, #server:requests() })
      server:script({ refusal(status), default = NO_CONTENT })
      local response = new_client():close_all_connections()
      assert.are.same({ 204, 2 }, { response.status, response.attempts })
    end)
  end

  for status, name in pairs(FINAL) do
    it(status .. " is final", function()
      server:script({ refusal(status, { Location = server.origin .. "/elsewhere" }), default = NO_CONTENT })
      local err = failure_of(new_client({ retries = 2 }))
      assert_error({ "service", name, 1, false }, err)
      assert.are.same({ status, 1 }, { err.status, #server:requests() })
    end)
  end

  it("is final with retries = 0, and after the attempts of retries = n", function()
    for _, retries in ipairs({ 0, 5 }) do
      server:reset()
      server:script({ default = refusal(503) })
      assert_error({ "service", "Service Unavailable", retries + 1, true },
        failure_of(new_client(), { retries = retries }))
      assert.are.equal(retries + 1, #server:requests())
    end
  end)

  it("is judged by the client's own statuses, where it has some", function()
    server:script({ refusal(409), refusal(503), default = NO_CONTENT })
    local client = new_client({ retry = { statuses = { 409 }, delay = 0.001 } })
    assert_error({ "service", "Service Unavailable", 2, false }, failure_of(client))
  end)

  it("of a failed attempt does not show in the next one's", function()
    local body = '{"code":"Error.Busy","message":"try later"}'
    server:script({ steps.reply({ status = 503, body = body, headers = { ["X-First"] = "1" } }), default = NO_CONTENT })
    local response = new_client():close_all_connections()
    assert.are.same({ "", 204 }, { response.body, response.status })
    assert.is_nil(response.headers["X-First"])
    assert.is_nil(response.error)
  end)
end)

describe("a wait", function()
  local function seconds_between_attempts(headers, options)
    server:reset()
    server:script({ refusal(429, headers), default = NO_CONTENT })
    local response = new_client(options):close_user_connections({ user = "alice" })
    assert.are.same({ 204, 2 }, { response.status, response.attempts })
    local requests = server:requests()
    return requests[2].at - requests[1].at
  end

  it("is what the service asks for, in milliseconds or seconds", function()
    for name, value in pairs({ ["retry-after-ms"] = "50", ["x-ms-retry-after-ms"] = "50", ["Retry-After"] = "1" }) do
      local expected = name == "Retry-After" and 1 or SHORT_SECONDS
      local waited = seconds_between_attempts({ [name] = value })
      assert.is_true(waited >= expected and waited < expected + PROMPTLY_SECONDS, name .. ": " .. waited)
    end
  end)

  it("is until the date the service names", function()
    local MARGIN_SECONDS = 0.05 -- between the steady clock that is slept by and the one that knows the date
    local date = math.floor(curl.time()) + 1
    seconds_between_attempts({ ["Retry-After"] = os.date("!%a, %d %b %Y %H:%M:%S GMT", date) })
    assert.is_true(curl.time() >= date - MARGIN_SECONDS)
    assert.is_true(curl.time() < date + PROMPTLY_SECONDS)
  end)

  it("is the client's own where that is longer, or where the service says nothing it understands", function()
    local options = { retry = { delay = SHORT_SECONDS, jitter = 0 } }
    for _, value in ipairs({ "0", "soon", "-1", "Mon, 01 Jan 2001 00:00:00 GMT" }) do
      local waited = seconds_between_attempts({ ["Retry-After"] = value }, options)
      assert.is_true(waited >= SHORT_SECONDS and waited < PROMPTLY_SECONDS, value .. ": " .. waited)
    end
  end)

  it("grows from one retry to the next", function()
    server:script({ default = refusal(503) })
    failure_of(new_client({ retries = 3, retry = { delay = 0.02, factor = 3, jitter = 0 } }))
    local requests, waited = server:requests(), {}
    for i = 1, 3 do waited[i] = requests[i + 1].at - requests[i].at end
    assert.is_true(waited[1] >= 0.02 and waited[2] >= 0.06 and waited[3] >= 0.18, table.concat(waited, ", "))
  end)

  it("past the deadline is not begun", function()
    local far_date = os.date("!%a, %d %b %Y %H:%M:%S GMT", os.time() + 3600)
    for name, value in pairs({ ["Retry-After"] = "120", ["retry-after-ms"] = "120000" }) do
      for _, given in ipairs({ value, name == "Retry-After" and far_date or nil }) do
        server:reset()
        server:script({ default = refusal(429, { [name] = given }) })
        local err = failure_of(new_client({ retries = 3 }))
        assert_error({ "service", "Too Many Requests", 1, true }, err)
        assert.is_true(err.elapsed < PROMPTLY_SECONDS, err.elapsed)
        assert.is_true(err.retry_after >= 120, err.retry_after)
        assert.is_truthy(err.message:find("not retried: the service asks to wait", 1, true), err.message)
        assert.are.equal(1, #server:requests())
      end
    end
  end)

  it("past the deadline is not begun for the client's own sake either", function()
    server:script({ default = refusal(503) })
    local err = failure_of(new_client({ timeout = 1, retry = { delay = 30 } }))
    assert_error({ "service", "Service Unavailable", 1, true }, err)
    assert.is_nil(err.retry_after)
    assert.is_truthy(err.message:find("after the call's timeout of 1 s", 1, true), err.message)
    assert.are.equal(1, #server:requests())
  end)
end)
