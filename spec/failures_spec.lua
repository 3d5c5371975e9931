-- Servers that misbehave: what the caller is told, how often it was tried, and that nothing is worse for it afterwards.

local curl = require("webpubsub.curl")
local webpubsub = require("webpubsub")
local scripted_server = require("spec.support.scripted_server")
local failing_calls = require("spec.support.failing_calls")
local steps = require("spec.support.steps")

local reply, raw = steps.reply, steps.raw
local NO_CONTENT = reply({ status = 204 })
local SHORT_SECONDS = 0.1 -- for an attempt whose server says nothing
local PROMPTLY_SECONDS = 5 -- far below what a call may take by itself
local ATTEMPTS = 2

local failure_of, assert_error = failing_calls.failure_of, failing_calls.assert_error

local server

setup(function() server = scripted_server.start() end)
teardown(function() server:stop() end)
before_each(function() server:reset() end)

local function new_client(options)
  return failing_calls.client(server.origin, options)
end

-- A whole case: every attempt meets the same script, and the next call a server that behaves.
local function assert_fails(expected, script, options)
  server:reset()
  server:script({ default = script })
  local client = new_client(options)
  local err = failure_of(client)
  assert_error(expected, err)
  assert.is_truthy(err.message:find("127.0.0.1:" .. server.port, 1, true), err.message)
  server:script({ default = NO_CONTENT })
  assert.are.equal(204, client:close_user_connections({ user = "alice" }).status)
  return err
end

describe("a connection that breaks", function()
  local full = reply({ status = 200, body = "0123456789" })
  local cases = {
    ["right after it was accepted"] = steps.on_accept(steps.close()),
    ["before the response"] = steps.close(),
    ["before the response, with a reset"] = steps.abort(),
    ["within the headers"] = { steps.truncate(full, 30), steps.close() },
    ["within the headers, with a reset"] = { steps.truncate(full, 30), steps.abort() },
    ["within the body"] = { raw("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n01234"), steps.close() },
    ["within the body, with a reset"] = { raw("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n01234"), steps.abort() },
    ["within a chunk"] = { raw("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n01"), steps.close() },
  }
  for name, script in pairs(cases) do
    it(name .. " is a transport error, after every attempt", function()
      local err = assert_fails({ "transport", "closed", ATTEMPTS, true }, script)
      assert.is_nil(err.status)
      assert.is_nil(err.response)
    end)
  end

  it("is forgotten when the next attempt succeeds", function()
    server:script({ steps.abort(), NO_CONTENT })
    local response = new_client():close_user_connections({ user = "alice" })
    assert.are.same({ 204, 2 }, { response.status, response.attempts })
  end)

  local function call_on_a_stale_connection(retries)
    server:script({ NO_CONTENT, steps.close(), default = NO_CONTENT })
    local client = new_client({ retries = retries })
    client:close_all_connections()
    return client
  end

  it("costs an attempt but no wait when it had only been kept too long", function()
    local client = call_on_a_stale_connection(1)
    local started = curl.now()
    local response = client:close_all_connections()
    assert.are.same({ 204, 2, 3 }, { response.status, response.attempts, #server:requests() })
    assert.is_true(curl.now() - started < 0.5)
  end)

  it("is an error even then for a call that must not be sent twice", function()
    local client = call_on_a_stale_connection(0)
    local err = failure_of(client)
    assert_error({ "transport", "closed", 1, true }, err)
    assert.is_truthy(err.message:find("the request may have been carried out", 1, true), err.message)
    assert.are.equal(2, #server:requests())
    assert.are.equal(204, client:close_all_connections().status)
  end)
end)

describe("a response that is not acceptable HTTP", function()
  local cases = {
    ["another protocol"] = raw("SSH-2.0-OpenSSH_9.2\r\n"),
    ["a page without headers"] = raw("<html>hello</html>\r\n\r\n"),
    ["an unknown version"] = raw("HTTP/9.9 200 OK\r\n\r\n"),
    ["a status that is no number"] = raw("HTTP/1.1 abc\r\n\r\n"),
    ["a NUL byte in a header"] = raw("HTTP/1.1 200 OK\r\nA: \0\r\n\r\n"),
    ["a broken chunk"] = raw("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nabc\r\n0\r\n\r\n"),
  }
  for name, script in pairs(cases) do
    it("is malformed and tried once: " .. name, function()
      assert_fails({ "protocol", "malformed", 1, false }, { script, steps.close() })
    end)
  end

  it("is too large and tried once, in its body or its headers", function()
    for script, option in pairs({
      [reply({ status = 200, body = ("x"):rep(1001) })] = "max_response_bytes",
      [steps.endless_body()] = "max_response_bytes",
      [steps.endless_headers()] = "max_header_bytes",
    }) do
      local err = assert_fails({ "protocol", "too_large", 1, false }, script,
        { max_response_bytes = 1000, max_header_bytes = 1000 })
      assert.is_truthy(err.message:find(option .. " (1000 bytes)", 1, true), err.message)
    end
  end)
end)

describe("a server that is slow", function()
  it("is given attempt_timeout, and another attempt", function()
    for _, script in ipairs({
      steps.silence(),
      { raw("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n01234"), steps.silence() },
      steps.slowly(reply({ status = 200, body = ("x"):rep(1000) }), 0.01),
    }) do
      local started = curl.now()
      local err = assert_fails({ "timeout", "attempt_timeout", ATTEMPTS, true }, script,
        { attempt_timeout = SHORT_SECONDS })
      local elapsed = curl.now() - started
      assert.is_true(elapsed >= ATTEMPTS * SHORT_SECONDS and elapsed < PROMPTLY_SECONDS, elapsed)
      assert.is_truthy(err.message:find("within 0.1 s", 1, true), err.message)
    end
  end)

  it("is not waited for when the next attempt is in time", function()
    server:script({ steps.silence(), NO_CONTENT })
    local response = new_client({ attempt_timeout = SHORT_SECONDS }):close_user_connections({ user = "alice" })
    assert.are.same({ 204, 2 }, { response.status, response.attempts })
    assert.is_true(response.elapsed >= SHORT_SECONDS and response.elapsed < PROMPTLY_SECONDS, response.elapsed)
  end)

  it("ends the call at its deadline, over however many attempts", function()
    server:script({ default = steps.silence() })
    local client = new_client({ attempt_timeout = SHORT_SECONDS, retries = 100 })
    local err = failure_of(client, { timeout = 0.35 })
    assert_error({ "timeout", "deadline", err.attempts, true }, err)
    assert.is_true(err.attempts >= 2 and err.attempts <= 4, err.attempts)
    assert.is_true(err.elapsed >= 0.35 and err.elapsed < PROMPTLY_SECONDS, err.elapsed)
    assert.is_truthy(err.message:find("timeout of 0.35 s", 1, true), err.message)
  end)

  it("ends the call at its deadline within the first attempt", function()
    server:script({ default = steps.silence() })
    assert_error({ "timeout", "deadline", 1, true }, failure_of(new_client(), { timeout = SHORT_SECONDS }))
    server:script({ default = NO_CONTENT })
    assert.are.equal(204, new_client():close_all_connections().status)
  end)
end)

describe("a server that cannot be reached", function()
  it("because nothing listens there", function()
    local gone = scripted_server.start()
    gone:stop()
    local err = failure_of(failing_calls.client(gone.origin))
    assert_error({ "transport", "connect", ATTEMPTS, true }, err)
    assert.is_truthy(err.message:find("127.0.0.1:" .. gone.port, 1, true), err.message)
  end)

  it("because it has no address", function()
    local err = failure_of(failing_calls.client("https://nowhere.invalid"))
    assert_error({ "transport", "resolve", ATTEMPTS, true }, err)
    assert.is_truthy(err.message:find("nowhere.invalid:443", 1, true), err.message)
  end)
end)

describe("a call that raised", function()
  it("raises the same kind of object for every operation, and names it", function()
    server:script({ default = reply({ status = 404 }) })
    local client = new_client()
    local err = failing_calls.raised_by(client.add_user_to_group, client, { user = "alice", group = "g" })
    assert_error({ "service", "Not Found", 1, false }, err)
    assert.are.equal("add_user_to_group", err.operation)
    assert.are.equal(server:requests()[1].headers:get("x-ms-client-request-id"), err.request_id)
  end)

  it("leaves other clients of the process alone", function()
    server:script({ steps.abort(), default = NO_CONTENT })
    local other = webpubsub.new({ endpoint = server.origin, key = "another key", hub = "hub", proxy = false })
    failure_of(new_client({ retries = 0 }))
    assert.are.equal(204, other:close_all_connections().status)
  end)
end)
