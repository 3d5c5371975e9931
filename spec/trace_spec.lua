-- W3C Trace Context: what of it is sent, what is refused, and what the logger is told, also under OpenTelemetry's
-- names.

local core = require("webpubsub.core")
local driven = require("spec.support.driven")
local calls = require("spec.support.calls")

local PARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

local function prepare(context)
  return core.prepare(calls.client(), "service_status", { context = context })
end

local function refused(context, argument)
  local ok, err = pcall(prepare, context)
  assert.is_false(ok)
  assert.are.same({ "argument", "invalid", argument }, { err.kind, err.code, err.argument })
  return err
end

describe("a call with a traceparent", function()
  it("sends it with every attempt, and tracestate with it", function()
    local _, _, transport = driven.once({ { status = 503 }, {} }, nil,
      { traceparent = PARENT, tracestate = "congo=t61rcWkgMzE,rojo=00f067aa0ba902b7" })
    assert.are.equal(2, #transport.requests)
    for _, request in ipairs(transport.requests) do
      assert.are.same({ PARENT, "congo=t61rcWkgMzE,rojo=00f067aa0ba902b7" },
        { request.headers.traceparent, request.headers.tracestate })
    end
  end)

  it("prefers it to a header of that name", function()
    local call = prepare({ traceparent = PARENT, headers = { Traceparent = "00-x" } })
    assert.are.equal(PARENT, call:header("traceparent"))
  end)

  it("has none without", function()
    local call = prepare({})
    assert.is_nil(call:header("traceparent"))
    assert.is_nil(call:header("tracestate"))
  end)
end)

describe("a traceparent", function()
  it("of a later version may have more fields", function()
    assert.is_truthy(prepare({ traceparent = "01" .. PARENT:sub(3) .. "-what-comes" }))
    assert.is_truthy(prepare({ traceparent = "cc" .. PARENT:sub(3) }))
  end)

  for what, value in pairs({
    ["is empty"] = "", ["is cut"] = PARENT:sub(1, 54), ["is longer"] = PARENT .. "-00",
    ["has capitals"] = PARENT:upper(),
    ["has a version that is none"] = "ff" .. PARENT:sub(3), ["has no trace"] = "00-" .. ("0"):rep(32) .. PARENT:sub(36),
    ["has no parent"] = PARENT:sub(1, 36) .. ("0"):rep(16) .. "-01", ["has other separators"] = PARENT:gsub("-", "_"),
    ["has another header in it"] = "01" .. PARENT:sub(3) .. "-a\r\nX: y", ["runs on"] = "01" .. PARENT:sub(3) .. "a",
    ["has a NUL"] = "00-\0bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
  }) do
    it("that " .. what .. " is refused", function()
      local err = refused({ traceparent = value }, "traceparent")
      assert.is_truthy(err.message:find(PARENT, 1, true))
    end)
  end
end)

describe("a tracestate", function()
  for _, value in ipairs({ "a=1", "a=1,b=2", "a=1, b=2", "tenant@vendor=x y", "0a-_*/=!", "a=1,,b=2", "a=1," }) do
    it(("%q is taken"):format(value), function()
      assert.are.equal(value, prepare({ traceparent = PARENT, tracestate = value }):header("tracestate"))
    end)
  end

  for _, value in ipairs({ "", "a", "=1", "A=1", "-a=1", "a=", "a=1=2", "a=b\r\nX: y", "a=\0", ("a"):rep(257) .. "=1",
    "a=" .. ("b"):rep(257), ("a=1,"):rep(32) .. "a=1", ("a=" .. ("b"):rep(250) .. ","):rep(3) }) do
    it(("%q is refused"):format(value:sub(1, 20)), function()
      refused({ traceparent = PARENT, tracestate = value }, "tracestate")
    end)
  end

  it("is refused without a traceparent", function()
    assert.are.equal("tracestate goes with traceparent, which is missing",
      refused({ tracestate = "a=1" }, "tracestate").message)
  end)
end)

describe("what the logger is told", function()
  local function events_of(answers, context)
    local events = {}
    local client = driven.client(answers, { logger = function(event) events[#events + 1] = event end })
    core.extras(client).server = { address = "contoso.webpubsub.azure.com", port = 443 }
    driven.run(client, context)
    return events
  end

  it("has the traceparent as it was sent, and that of a policy", function()
    for _, event in ipairs(events_of({ { status = 503 }, {} }, { traceparent = PARENT, tracestate = "a=1" })) do
      assert.are.same({ PARENT, "a=1" }, { event.traceparent, event.tracestate })
    end
    local own = { policies = { per_call = function(request) request.headers.traceparent = "00-own" end } }
    assert.are.equal("00-own", events_of({ {} }, own)[1].traceparent)
  end)

  it("has OpenTelemetry's names for method, status, attempt, server and error", function()
    local events = events_of({ { failure = "transport", code = "closed" }, { status = 503 }, { status = 403 } })
    local SERVER = { ["server.address"] = "contoso.webpubsub.azure.com", ["server.port"] = 443,
      ["http.request.method"] = "POST" }
    local function attributes(more)
      for name, value in pairs(SERVER) do more[name] = value end
      return more
    end
    assert.are.same({ "request", "failure", "retry", "request", "response", "retry", "request", "response", "error" },
      (function(types) for i, event in ipairs(events) do types[i] = event.type end return types end)({}))
    assert.are.same(attributes({}), events[1].attributes)
    assert.are.same(attributes({ ["error.type"] = "closed" }), events[2].attributes)
    assert.are.same(attributes({ ["http.request.resend_count"] = 1 }), events[4].attributes)
    assert.are.same(attributes({ ["http.request.resend_count"] = 1, ["http.response.status_code"] = 503,
      ["error.type"] = "503" }), events[5].attributes)
    assert.are.same(attributes({ ["http.request.resend_count"] = 2, ["http.response.status_code"] = 403,
      ["error.type"] = "403" }), events[9].attributes)
  end)
end)
