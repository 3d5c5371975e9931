-- A machine whose clock is wrong, and what the service's Date says of it.

local calls = require("spec.support.calls")
local core = require("webpubsub.core")
local driven = require("spec.support.driven")

local HOUR = 3600

-- "Tue, 14 Nov 2023 22:13:20 GMT"
local function date(wall)
  return os.date("!Date: %a, %d %b %Y %H:%M:%S GMT\r\n", wall)
end

local function refused_at(wall)
  return { status = 401, headers = date(wall) }
end

-- When the token of a request was made.
local function issued_at(request)
  local claims = calls.decode_base64url(request.headers.authorization:match("^Bearer [^.]+%.([^.]+)%."))
  return tonumber(claims:match('"iat":(%d+)'))
end

local function times(transport)
  local list = {}
  for index, request in ipairs(transport.requests) do list[index] = issued_at(request) - calls.WALL end
  return list
end

local function note(err)
  return err.message:match("this machine's clock is .*$")
end

describe("a 401 with another time than the token's", function()
  for name, difference in pairs({ ahead = -HOUR, behind = HOUR, ["very far behind"] = 40000 * HOUR }) do
    it("has the next attempt signed with the service's, where this clock is " .. name, function()
      local response, err, transport = driven.once({ refused_at(calls.WALL + difference), {} }, nil, { retries = 0 })
      assert.is_nil(err)
      assert.are.same({ 204, 2 }, { response.status, response.attempts })
      assert.are.same({ 0, difference }, times(transport))
      assert.are.same({}, transport.sleeps)
    end)
  end

  it("is one beyond two minutes", function()
    for _, difference in ipairs({ 120, -120, 1, 0 }) do
      local _, err, transport = driven.once({ refused_at(calls.WALL + difference) })
      assert.are.same({ 401, 1 }, { err.status, err.attempts })
      assert.are.equal(1, #transport.requests)
      assert.is_nil(note(err))
    end
    for _, difference in ipairs({ 121, -121 }) do
      local _, err, transport = driven.once({ refused_at(calls.WALL + difference), {} })
      assert.is_nil(err)
      assert.are.same({ 0, difference }, times(transport))
    end
  end)

  it("is believed once: a call that is refused again fails, and says that the clocks differ", function()
    local _, err, transport = driven.once({ refused_at(calls.WALL + HOUR), refused_at(calls.WALL + HOUR) })
    assert.are.same({ 401, 2 }, { err.status, err.attempts })
    assert.are.same({ 0, HOUR }, times(transport))
    assert.are.equal("this machine's clock is 3600 s behind the service's", note(err))
    _, err = driven.once({ refused_at(calls.WALL - 7200), refused_at(calls.WALL - 7200) })
    assert.are.equal("this machine's clock is 7200 s ahead of the service's", note(err))
  end)

  it("spends no retry", function()
    local response, _, transport = driven.once({ { status = 503 }, refused_at(calls.WALL + HOUR),
      { status = 503 }, {} }, nil, { retries = 2 })
    assert.are.same({ 204, 4 }, { response.status, response.attempts })
    assert.are.equal(2, #transport.sleeps)
  end)

  it("is not repeated where the time is right, missing or absurd", function()
    for _, headers in ipairs({ "", date(calls.WALL), "Date: soon\r\n", "Date: \r\n", date(0), date(1577836799),
      "Date: Fri, 01 Jan 9999 00:00:00 GMT\r\n", "Date: Tue, 99 Nov 2023 22:13:20 GMT\r\n", "Date: -1\r\n" }) do
      local _, err, transport = driven.once({ { status = 401, headers = headers } })
      assert.are.same({ 401, 1 }, { err.status, #transport.requests })
      assert.is_nil(note(err))
    end
  end)

  it("is another thing than other errors with another time", function()
    for _, status in ipairs({ 400, 403, 404 }) do
      local _, err, transport = driven.once({ { status = status, headers = date(calls.WALL + HOUR) } })
      assert.are.same({ status, 1 }, { err.status, #transport.requests })
      assert.is_nil(note(err))
    end
  end)
end)

describe("the difference of the clocks", function()
  it("is kept for the client's next calls, replaced by the next one, and forgotten when the clock is right", function()
    local client, transport = driven.client({ refused_at(calls.WALL + HOUR), {}, {},
      refused_at(calls.WALL - HOUR), {}, {}, refused_at(calls.WALL + 30), {}, {} })
    for _ = 1, 6 do assert.is_truthy(driven.run(client)) end
    assert.are.same({ 0, HOUR, HOUR, HOUR, -HOUR, -HOUR, -HOUR, 0, 0 }, times(transport))
  end)

  it("is not kept where the service refuses that, too", function()
    local client, transport = driven.client({ refused_at(calls.WALL + HOUR), refused_at(calls.WALL + HOUR), {} })
    assert.is_nil((driven.run(client)))
    assert.is_truthy(driven.run(client))
    assert.are.same({ 0, HOUR, 0 }, times(transport))
  end)

  it("counts for the tokens of WebSocket clients", function()
    local client = driven.client({ refused_at(calls.WALL + HOUR), {} })
    driven.run(client)
    local _, token = core.access(client, {}, calls.WALL)
    assert.is_truthy(calls.decode_base64url(token:match("%.([^.]+)%.")):find(('"iat":%d'):format(calls.WALL + HOUR), 1,
      true))
  end)

  it("is told to the logger", function()
    local events = {}
    driven.once({ refused_at(calls.WALL + HOUR), {} }, { logger = function(event)
      events[#events + 1] = event.type .. (event.difference and " " .. event.difference or "")
    end })
    assert.are.same({ "request", "response", "clock 3600.0", "request", "response" }, (function()
      for index, text in ipairs(events) do events[index] = text:gsub("clock 3600$", "clock 3600.0") end
      return events
    end)())
  end)

  it("is named where a credential's token is refused, which nobody here has signed", function()
    local client, transport = driven.client({ refused_at(calls.WALL + HOUR) },
      { credential = function() return "token", calls.WALL + 3600 end })
    local _, err = driven.run(client)
    assert.are.equal(1, #transport.requests)
    assert.are.equal("this machine's clock is 3600 s behind the service's", note(err))
  end)
end)
