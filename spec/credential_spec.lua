-- Tokens of a credential function: kept until shortly before they end, and asked for again when the service wants more.

local calls = require("spec.support.calls")
local core = require("webpubsub.core")
local credential = require("webpubsub.credential")
local driven = require("spec.support.driven")

local STEADY = 1000 -- of the clock that pauses are measured by

-- A credential whose tokens are numbered and valid until `expires_at`; a table counts, can make it fail, and asks.
local function numbered(expires_at)
  local state = { asked = 0, wall = 0 }
  local self = credential.of({ credential = function(request)
    state.asked, state.request = state.asked + 1, request
    if state.failure then error(state.failure, 0) end
    return "token-" .. state.asked, expires_at or state.wall + 1000
  end })
  local transport = { now = function() return STEADY + state.wall end, wall = function() return state.wall end }

  -- The token at that time; or nil, code, message.
  function state.at(wall, claims)
    state.wall = wall
    local token = self:current(claims, transport)
    if token then return token end
    return self:get({ claims = claims, transport = transport, seconds = 60 })
  end

  return state
end

describe("a credential function", function()
  it("is asked for the scope of the service", function()
    local state = numbered(2000)
    state.at(0)
    assert.are.same({ scopes = { "https://webpubsub.azure.com/.default" } }, state.request)
  end)

  it("is asked once while its token has more than 300 seconds to live", function()
    local state = numbered(1000)
    for _, now in ipairs({ 0, 1, 699, 699.9 }) do assert.are.equal("token-1", state.at(now)) end
    assert.are.equal(1, state.asked)
    assert.are.equal("token-2", state.at(700))
    assert.are.equal(2, state.asked)
  end)

  it("with tokens of a short life is asked at half of it", function()
    local state = numbered(100)
    for _, now in ipairs({ 0, 49.9 }) do assert.are.equal("token-1", state.at(now)) end
    assert.are.equal("token-2", state.at(50))
  end)

  it("that fails to refresh is forgiven while the old token is valid, and tried again after 30 seconds", function()
    local state = numbered(1000)
    state.at(0)
    state.failure = "no network"
    assert.are.equal("token-1", state.at(700))
    assert.are.equal(2, state.asked)
    assert.are.equal("token-1", state.at(729.9))
    assert.are.equal(2, state.asked)
    assert.are.equal("token-1", state.at(730))
    assert.are.equal(3, state.asked)
    assert.are.equal("token-1", state.at(999.9))
  end)

  it("that fails when the old token has ended fails the call, to the second", function()
    local state = numbered(1000)
    state.at(0)
    state.failure = "no network"
    state.at(960)
    assert.are.same({ nil, "credential", "the credential function failed: no network" }, { state.at(1000) })
  end)

  it("that fails without an old token is left in peace for a second, two, four, at most 30", function()
    local state, at = numbered(), 0
    state.failure = "no network"
    for index, pause in ipairs({ 1, 2, 4, 8, 16, 30, 30 }) do
      assert.is_nil((state.at(at)))
      assert.are.equal(index, state.asked)
      assert.are.equal("the credential function failed: no network", (select(3, state.at(at + pause - 0.1))))
      assert.are.equal(index, state.asked)
      at = at + pause
    end
    state.failure = nil
    assert.are.equal("token-8", state.at(at))
    state.failure = "again"
    assert.is_nil((state.at(at + 5000)))
    state.failure = nil
    assert.are.equal("token-10", state.at(at + 5001))
  end)

  it("that works again is forgotten to have failed", function()
    local state = numbered(1000)
    state.at(0)
    state.failure = "no network"
    state.at(700)
    state.failure = nil
    assert.are.equal("token-3", state.at(730))
  end)

  it("is asked for a new token when the service asks for claims, whatever is kept", function()
    local state = numbered(1000)
    state.at(0)
    assert.are.equal("token-2", state.at(1, '{"a":1}'))
    assert.are.equal('{"a":1}', state.request.claims)
    assert.are.equal("token-2", state.at(2))
    assert.are.equal(2, state.asked)
  end)

  it("that cannot answer a challenge fails the call, though the old token is valid, and not the others", function()
    local state = numbered(1000)
    state.at(0)
    state.failure = "no such claims"
    local token, code = state.at(1, '{"a":1}')
    assert.are.same({ nil, "credential" }, { token, code })
    assert.are.equal("token-1", state.at(2))
  end)

  it("that makes a call which needs its own token is told so", function()
    local self, again
    local transport = { now = function() return 0 end, wall = function() return 0 end }
    self = credential.of({ credential = function()
      again = { self:get({ transport = transport, seconds = 60 }) }
      return "token", 1000
    end })
    assert.are.equal("token", (self:get({ transport = transport, seconds = 60 })))
    assert.are.equal("the credential function has made a call that needs a token of its own", again[3])
  end)

  it("that returns something else than a token and its end fails the call, and is told what to return", function()
    for _, returned in ipairs({ {}, { nil, 1000 }, { 42, 1000 }, { "", 1000 }, { "a b", 1000 }, { "a\r\nX: b", 1000 },
      { "a\0", 1000 }, { true, 1000 }, { {}, 1000 } }) do
      local client = driven.client({}, { credential = function() return returned[1], returned[2] end })
      local _, err = driven.run(client)
      assert.are.same({ "credential", "credential" }, { err.kind, err.code })
      assert.is_truthy(err.message:find("must return a token", 1, true), err.message)
    end
  end)

  it("that returns no time at which the token expires is told the right unit", function()
    local function message_for(expires_at)
      local client = driven.client({}, { credential = function() return "token", expires_at end })
      local _, err = driven.run(client)
      assert.are.same({ "credential", "credential" }, { err.kind, err.code })
      return err.message
    end
    local form = "the credential function must return when the token expires, in seconds since the epoch, as its "
      .. "second value"
    for _, expires_at in ipairs({ false, "1000", {}, 0 / 0 }) do assert.are.equal(form, message_for(expires_at)) end
    assert.are.equal(form .. "; this looks like milliseconds: divide it by 1000",
      message_for((calls.WALL + 3600) * 1000))
    assert.are.equal(form .. "; this looks like a duration: add os.time() to it", message_for(3600))
    assert.are.equal(form .. "; this is in the past: the token has expired already", message_for(calls.WALL - 1))
    assert.are.equal(form .. "; this is in the past: the token has expired already", message_for(-math.huge))
    assert.are.equal(form .. "; this is infinite", message_for(math.huge))
  end)

  it("never has its token in an error", function()
    for _, expires_at in ipairs({ calls.WALL + 100, false }) do
      local client = driven.client({}, { credential = function() return "5ecr3t token", expires_at end })
      local _, err = driven.run(client)
      assert.is_nil(calls.everything_said(err):find("5ecr3t", 1, true))
    end
  end)
end)

describe("a call of a client with a credential", function()
  local CHALLENGE = 'WWW-Authenticate: Bearer error="insufficient_claims", claims="eyJhIjoxfQ=="\r\n' -- {"a":1}

  local function client_with(get_token, answers)
    return driven.client(answers, { credential = get_token })
  end

  it("sends the token as it is", function()
    local client, transport = client_with(function() return "the-token", calls.WALL + 3600 end, { {} })
    driven.run(client)
    assert.are.equal("Bearer the-token", transport.requests[1].headers.authorization)
    assert.is_false(core.has_key(client))
  end)

  it("keeps the token over attempts and calls", function()
    local asked = 0
    local client, transport
    client, transport = client_with(function()
      asked = asked + 1
      return "token-" .. asked, transport.wall() + 3600
    end, { { status = 503 }, {}, {}, {} })
    driven.run(client)
    driven.run(client)
    transport.advance(3600)
    driven.run(client)
    assert.are.equal(2, asked)
    assert.are.equal("Bearer token-1", transport.requests[3].headers.authorization)
    assert.are.equal("Bearer token-2", transport.requests[4].headers.authorization)
  end)

  it("answers a challenge with a new token, once", function()
    local requests = {}
    local client, transport = client_with(function(request)
      requests[#requests + 1] = request.claims or "none"
      return "token-" .. #requests, calls.WALL + 3600
    end, { { status = 401, headers = CHALLENGE }, { status = 401, headers = CHALLENGE } })
    local _, err = driven.run(client, { retries = 0 })
    assert.are.same({ 401, 2 }, { err.status, err.attempts })
    assert.are.same({ "none", '{"a":1}' }, requests)
    assert.are.equal("Bearer token-2", transport.requests[2].headers.authorization)
  end)

  it("fails where the credential fails, and is not tried again", function()
    local client, transport = client_with(function() error("no\nlogin", 0) end, {})
    local response, err = driven.run(client)
    assert.is_nil(response)
    assert.are.same({ "credential", "credential", "the credential function failed: no\nlogin", false },
      { err.kind, err.code, err.message, err.retryable })
    assert.are.equal(0, #transport.requests + #transport.sleeps)
    assert.is_nil(tostring(err):find("%c"))
  end)

  it("does not outlast its deadline in the credential", function()
    local client, transport
    client, transport = client_with(function()
      transport.advance(61)
      return "token", calls.WALL + 3600
    end, {})
    local _, err = driven.run(client)
    assert.are.same({ "timeout", "deadline" }, { err.kind, err.code })
    assert.are.equal(0, #transport.requests)
  end)

  it("can be one of the library's, for any number of clients, and nothing else", function()
    local shared = credential.kinds.client_secret({ tenant = "t", client_id = "c", secret = "s" })
    assert.are.equal(shared, credential.of({ credential = shared }))
    assert.are.equal("webpubsub credential (client_secret)", tostring(shared))
    assert.is_nil(next(shared))
    local err = calls.refusal(credential.of, { credential = { token = "x" } })
    assert.are.same({ "type", "credential" }, { err.code, err.argument })
  end)

  it("may be named by a connection string", function()
    local function named(parts)
      local string = "Endpoint=https://a.example;" .. parts
      assert.is_false(core.has_key(calls.client({ connection_string = string })))
      return tostring(credential.of({ connection_string = string }))
    end
    assert.are.equal("webpubsub credential (managed_identity)", named("AuthType=azure.msi"))
    assert.are.equal("webpubsub credential (managed_identity)", named("AuthType=Azure.MSI;ClientId=c;Version=1.0"))
    assert.are.equal("webpubsub credential (default)", named("AuthType=azure"))
    assert.are.equal("webpubsub credential (client_secret)",
      named("AuthType=azure.app;ClientId=c;ClientSecret=s=;TenantId=t"))
    assert.is_nil(credential.of({ connection_string = "Endpoint=https://a.example;AccessKey=k" }))
    for wrong, message in pairs({
      ["AuthType=azure.foo"] = "AuthType=azure.foo, which is unknown; expected azure, azure.msi or azure.app",
      ["AuthType="] = "AuthType=, which is unknown",
      ["AuthType=azure;AccessKey=k"] = "has AuthType and AccessKey",
      ["AuthType=azure.app;ClientId=c;TenantId=t"] = "needs ClientId, ClientSecret and TenantId",
    }) do
      local err = calls.refusal(calls.client, { connection_string = "Endpoint=https://a.example;" .. wrong })
      assert.are.same({ "invalid", "connection_string" }, { err.code, err.argument })
      assert.is_truthy(err.message:find(message, 1, true), err.message)
    end
    local err = calls.refusal(calls.client, { connection_string = "Endpoint=http://localhost;AuthType=azure" })
    assert.are.equal("endpoint", err.argument)
  end)

  it("is refused over plain http", function()
    local err = calls.refusal(driven.client, nil, { endpoint = "http://localhost:8080", credential = function() end })
    assert.are.same({ "invalid", "endpoint" }, { err.code, err.argument })
  end)
end)
