-- What a client's logger is told, and what it is never told.

local calls = require("spec.support.calls")
local cjson = require("cjson")
local core = require("webpubsub.core")
local driven = require("spec.support.driven")
local driver = require("webpubsub.driver")

-- Runs one call; returns the events.
local function events_of(answers, options, context)
  local events = {}
  local all = { logger = function(event) events[#events + 1] = event end }
  for name, value in pairs(options or {}) do all[name] = value end
  driven.once(answers, all, context)
  return events
end

local function types_of(events)
  local types = {}
  for index, event in ipairs(events) do types[index] = event.type end
  return types
end

local function everything_in(value)
  if type(value) ~= "table" then return tostring(value) end
  local parts = {}
  for key, entry in pairs(value) do parts[#parts + 1] = tostring(key) .. "=" .. everything_in(entry) end
  return table.concat(parts, "\n")
end

describe("the logger", function()
  it("is told of an attempt that leaves and of its answer", function()
    local events = events_of({ { status = 204, takes = 0.25 } }, nil, { request_id = "id-1" })
    for _, event in ipairs(events) do event.attributes = nil end -- see trace_spec.lua
    assert.are.same({
      { type = "request", operation = "close_user_connections", request_id = "id-1", attempt = 1, method = "POST" },
      { type = "response", operation = "close_user_connections", request_id = "id-1", attempt = 1, status = 204,
        elapsed = 0.25 },
    }, events)
  end)

  it("is told of failures and waits, in the order in which they happen", function()
    local events = events_of({ { failure = "transport", code = "reset", takes = 0.5 },
      { status = 429, headers = "Retry-After: 8\r\n" }, {} })
    assert.are.same({ "request", "failure", "retry", "request", "response", "retry", "request", "response" },
      types_of(events))
    assert.are.same({ "transport", "reset", 0.5, 1 },
      { events[2].kind, events[2].code, events[2].elapsed, events[2].attempt })
    assert.are.same({ 8, 2 }, { events[6].wait, events[6].attempt })
    assert.are.same({ 3, 204 }, { events[8].attempt, events[8].status })
  end)

  it("is told once of a wait, however often the transport wakes", function()
    local events = {}
    local client, transport = driven.client({ { status = 429, headers = "Retry-After: 8\r\n" }, {} },
      { logger = function(event) events[#events + 1] = event end })
    transport.nap = function(seconds) return math.min(seconds, 1) end
    driven.run(client)
    assert.are.equal(8, #transport.sleeps)
    assert.are.same({ "request", "response", "retry", "request", "response" }, types_of(events))
  end)

  it("is told when a call failed for good", function()
    local events = events_of({ { status = 403, takes = 0.5, body = '{"code":"E"}' } })
    assert.are.same({ "request", "response", "error" }, types_of(events))
    assert.are.same({ "service", "E", 403, 0.5 },
      { events[3].kind, events[3].code, events[3].status, events[3].elapsed })
  end)

  it("is told so with no_throw as well", function()
    assert.are.same({ "request", "response", "error" },
      types_of(events_of({ { status = 403 } }, nil, { no_throw = true })))
  end)

  it("is not told of an error where a status is an answer", function()
    assert.are.same({ "request", "response" },
      types_of(events_of({ { status = 404 } }, nil, { classify = { [404] = false } })))
  end)

  it("is told of a call that was withdrawn before it sent anything", function()
    local events = events_of({}, nil, { cancel = function() return true end })
    assert.are.same({ "error" }, types_of(events))
    assert.are.equal("cancelled", events[1].kind)
  end)

  it("sees the answer before the caller, attempt by attempt", function()
    local order = {}
    local client = driven.client({ { status = 503 }, {} }, { logger = function(event)
      order[#order + 1] = event.type .. event.attempt
    end })
    driven.run(client)
    assert.are.same({ "request1", "response1", "retry1", "request2", "response2" }, order)
  end)

  it("that raises does not fail the call", function()
    local response = driven.once({ { status = 503 }, {} }, { logger = function() error("disk full") end })
    assert.are.same({ 204, 2 }, { response.status, response.attempts })
  end)

  it("does not change the call through what it is told", function()
    local client, transport = driven.client({ {} }, { logger = function(event)
      event.request_id, event.operation, event.attempt = "x", "y", 7
    end })
    local response = driven.run(client, { request_id = "id-1" })
    assert.are.same({ "id-1", "close_user_connections", 1 },
      { response.request_id, response.operation, response.attempts })
    assert.are.equal("id-1", transport.requests[1].headers["x-ms-client-request-id"])
  end)
end)

describe("what the logger is told", function()
  local SECRETS = { "5ecr3t", "Bearer", "alice", "conn-1", "because", "/users/", "hidden" }
  local answers = { { status = 503, body = '{"message":"alice conn-1 hidden"}' },
    { failure = "transport", message = "alice hidden" },
    { status = 400, body = '{"code":"E","message":"alice hidden"}' } }

  local function without_secrets(options)
    local said = everything_in(events_of(answers, options, { headers = { ["X-A"] = "hidden" } }))
    assert.is_truthy(said:find("close_user_connections", 1, true))
    for _, secret in ipairs(SECRETS) do assert.is_nil(said:find(secret, 1, true), secret .. " in " .. said) end
  end

  it("has no key, token, user, connection, reason or message in it", function()
    without_secrets({ key = "5ecr3t" })
    without_secrets({ credential = function() return "5ecr3t", 2e9 end })
    without_secrets({ key = "5ecr3t", log_ids = false })
  end)

  it("has the ids of users, groups and connections where log_ids asks for them, and nothing more", function()
    local events = events_of({ { status = 204 } }, { log_ids = true, key = "5ecr3t" })
    for _, event in ipairs(events) do
      assert.are.same({ "alice", { "conn-1" } }, { event.user, event.excluded })
      assert.is_nil(event.reason)
      assert.is_nil(everything_in(event):find("5ecr3t", 1, true))
    end
    assert.are.equal(2, #events)
  end)

  it("has ids as they are given, and a null is none", function()
    local events = {}
    local function logger(event) events[#events + 1] = event end
    local client = driven.client({ {}, {} }, { log_ids = true, logger = logger })
    local arguments = { group = "g", excluded = cjson.null }
    driver.run(core.prepare(client, "close_group_connections", arguments), core.extras(client), arguments)
    assert.are.equal("g", events[1].group)
    assert.is_nil(events[1].excluded)
    driver.run(core.prepare(client, "close_all_connections"), core.extras(client))
    assert.is_nil(events[3].group)
  end)

  it("has a request id that the response has too", function()
    local events = {}
    local client = driven.client({ {} }, { logger = function(event) events[#events + 1] = event end })
    local response = driven.run(client)
    assert.are.equal(response.request_id, events[1].request_id)
    assert.are_not.equal(calls.KEY, events[1].request_id)
  end)
end)

describe("an event as one line", function()
  local log = require("webpubsub.log")

  it("says what each type is about", function()
    local lines = { request = "request POST", response = "response 503 after 12 ms", retry = "next attempt in 0.8 s",
      failure = "transport failure (closed) after 12 ms", error = "failed: 503 Busy",
      clock = "this machine's clock is 90 s behind the service's", later = "later" }
    local fields = {
      request = { method = "POST" }, response = { status = 503, elapsed = 0.012 }, retry = { wait = 0.8 },
      failure = { kind = "transport", code = "closed", elapsed = 0.012 }, error = { status = 503, code = "Busy" },
      clock = { difference = 90 }, later = {},
    }
    for name, expected in pairs(lines) do
      local event = fields[name]
      event.type, event.request_id, event.operation, event.attempt = name, "id-1", "close_connection", 2
      assert.are.equal("id-1 close_connection, attempt 2: " .. expected, log.line(event))
    end
    fields.clock.difference = -90
    assert.is_truthy(log.line(fields.clock):find("90 s ahead of the service's", 1, true))
  end)

  it("is one line, whatever came from outside", function()
    local line = log.line({ type = "error", kind = "service", code = "a\r\nb\27[2J", request_id = "id", operation = "o",
      attempt = 1 })
    assert.is_nil(line:find("%c"))
  end)
end)
