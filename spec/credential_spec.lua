-- Tokens of a credential function: kept until shortly before they end, and asked for again when the service wants more.

local calls = require("spec.support.calls")
local core = require("webpubsub.core")
local credential = require("webpubsub.credential")
local driven = require("spec.support.driven")

local REQUEST = { scopes = { "https://webpubsub.azure.com/.default" } }

-- A cached credential whose tokens are numbered and valid until `expires_at`; a table counts and can make it fail.
local function numbered(expires_at)
  local state = { asked = 0 }
  state.get_token = credential.cached(function(request)
    state.asked, state.request = state.asked + 1, request
    if state.failure then error(state.failure, 0) end
    return "token-" .. state.asked, expires_at
  end)
  return state
end

describe("a credential", function()
  it("is asked for the scope of the service", function()
    local state = numbered(2000)
    state.get_token(credential.request(), 0)
    assert.are.same({ scopes = { "https://webpubsub.azure.com/.default" } }, state.request)
  end)

  it("is asked once while its token has more than 300 seconds to live", function()
    local state = numbered(1000)
    for _, now in ipairs({ 0, 1, 699, 699.9 }) do assert.are.equal("token-1", state.get_token(REQUEST, now)) end
    assert.are.equal(1, state.asked)
    assert.are.equal("token-2", state.get_token(REQUEST, 700))
    assert.are.equal(2, state.asked)
  end)

  it("that fails to refresh is forgiven while the old token is valid, and tried again after 30 seconds", function()
    local state = numbered(1000)
    state.get_token(REQUEST, 0)
    state.failure = "no network"
    assert.are.equal("token-1", state.get_token(REQUEST, 700))
    assert.are.equal(2, state.asked)
    assert.are.equal("token-1", state.get_token(REQUEST, 729.9))
    assert.are.equal(2, state.asked)
    assert.are.equal("token-1", state.get_token(REQUEST, 730))
    assert.are.equal(3, state.asked)
    assert.are.equal("token-1", state.get_token(REQUEST, 999.9))
  end)

  it("that fails when the old token has ended fails the call, to the second", function()
    local state = numbered(1000)
    state.get_token(REQUEST, 0)
    state.failure = "no network"
    state.get_token(REQUEST, 990)
    local token, code, message = state.get_token(REQUEST, 1000)
    assert.is_nil(token)
    assert.are.equal("credential", code)
    assert.are.equal("the credential function failed: no network", message)
  end)

  it("that works again is forgotten to have failed", function()
    local state = numbered(1000)
    state.get_token(REQUEST, 0)
    state.failure = "no network"
    state.get_token(REQUEST, 700)
    state.failure = nil
    assert.are.equal("token-3", state.get_token(REQUEST, 730))
  end)

  it("is asked for a new token when the service asks for claims, whatever is kept", function()
    local state = numbered(1000)
    state.get_token(REQUEST, 0)
    assert.are.equal("token-2", state.get_token(credential.request('{"a":1}'), 1))
    assert.are.equal('{"a":1}', state.request.claims)
    assert.are.equal("token-2", state.get_token(REQUEST, 2))
    assert.are.equal(2, state.asked)
  end)

  it("that cannot answer a challenge fails the call, though the old token is valid", function()
    local state = numbered(1000)
    state.get_token(REQUEST, 0)
    state.failure = "no such claims"
    local token, code = state.get_token(credential.request('{"a":1}'), 1)
    assert.is_nil(token)
    assert.are.equal("credential", code)
  end)

  it("that returns something else than a token and its end fails the call, and is told what to return", function()
    for _, returned in ipairs({ {}, { nil, 1000 }, { 42, 1000 }, { "", 1000 }, { "a b", 1000 }, { "a\r\nX: b", 1000 },
      { "a\0", 1000 }, { true, 1000 }, { {}, 1000 } }) do
      local _, code, message = credential.cached(function() return returned[1], returned[2] end)(REQUEST, 0)
      assert.are.equal("credential", code)
      assert.is_truthy(message:find("must return a token", 1, true), message)
    end
    for _, expires_at in ipairs({ false, "1000", {} }) do
      local _, code, message = credential.cached(function() return "token", expires_at end)(REQUEST, 0)
      assert.are.equal("credential", code)
      assert.is_truthy(message:find("when the token expires, in seconds since the epoch", 1, true), message)
    end
  end)

  it("never has its token in an error", function()
    local _, _, message = credential.cached(function() return "5ecr3t token", 1000 end)(REQUEST, 0)
    assert.is_nil(message:find("5ecr3t", 1, true))
    _, _, message = credential.cached(function() return "5ecr3t" end)(REQUEST, 0)
    assert.is_nil(message:find("5ecr3t", 1, true))
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
    local client, transport = client_with(function()
      asked = asked + 1
      return "token-" .. asked, calls.WALL + 3600
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

  it("is refused over plain http", function()
    local err = calls.refusal(driven.client, nil, { endpoint = "http://localhost:8080", credential = function() end })
    assert.are.same({ "invalid", "endpoint" }, { err.code, err.argument })
  end)
end)
