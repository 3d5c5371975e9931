-- The tokens that sign requests, against golden ones (spec/vectors/tokens.lua).

local calls = require("spec.support.calls")
local core = require("webpubsub.core")
local vectors = require("spec.vectors.tokens")

local function client_of(vector)
  local options = { hub = "chat" }
  for name, value in pairs(vector.client) do options[name] = value end
  return core.client(options)
end

local function sign(call, now, wall)
  assert.are.equal("send", call:sign(now, wall))
  local _, _, block = call:outgoing()
  return calls.token_of(block)
end

-- The call's next attempt: what it waits for has passed.
local function fail_and_resume(call, now)
  assert.are.equal("wait", calls.respond(call, now, calls.WALL, 0.5, 503, "", ""))
  assert.are.equal("token", call:resume(now + call:seconds()))
end

describe("the token of a request", function()
  for _, vector in ipairs(vectors) do
    it("is the golden one for " .. vector.name, function()
      local call = core.prepare(client_of(vector), vector.operation, vector.arguments)
      assert.are.equal("token", call:begin(0))
      local made = sign(call, 0, vector.wall)
      assert.are.equal(vector.claims, made.claims)
      assert.are.equal(vector.signing_input, made.signing_input)
      assert.are.equal(vector.signature, made.signature)
      assert.are.equal("Bearer " .. vector.signing_input .. "." .. vector.signature, call:header("authorization"))
    end)

    it("is signed for the URL that is sent, with " .. vector.name, function()
      local call = core.prepare(client_of(vector), vector.operation, vector.arguments)
      local audience = vector.claims:match('^{"aud":"([^"]+)"')
      assert.are.equal(audience, call:url())
    end)
  end

  it("has the claims aud, iat and exp, and nothing else", function()
    local claims = require("cjson").decode(calls.token_of(calls.outgoing("close_all_connections").block).claims)
    assert.are.same({ aud = calls.ENDPOINT .. "/api/hubs/chat/:closeConnections?api-version=2024-12-01",
      iat = calls.WALL, exp = calls.WALL + 300 }, claims)
  end)

  it("is made anew for every attempt, at that attempt's time", function()
    local call = calls.prepare("user_exists", { user = "alice" })
    call:begin(0)
    local first = sign(call, 0, calls.WALL)
    fail_and_resume(call, 1)
    local second = sign(call, 2, calls.WALL + 2)
    assert.is_truthy(first.claims:find('"iat":1700000000,"exp":1700000300}', 1, true), first.claims)
    assert.is_truthy(second.claims:find('"iat":1700000002,"exp":1700000302}', 1, true), second.claims)
    assert.are_not.equal(first.signature, second.signature)
  end)

  it("stands in the headers once, however many attempts there are", function()
    local call = calls.prepare("user_exists", { user = "alice" })
    call:begin(0)
    sign(call, 0, calls.WALL)
    fail_and_resume(call, 1)
    sign(call, 2, calls.WALL)
    local _, _, block = call:outgoing()
    assert.are.equal(1, select(2, block:gsub("Authorization:", "")))
  end)

  it("covers the query that a policy has added", function()
    local call = calls.prepare("user_exists", { user = "alice" })
    call:begin(0)
    call:add_query("trace", "a b")
    local claims = sign(call, 0, calls.WALL).claims
    assert.is_truthy(claims:find('?api-version=2024-12-01&trace=a%20b"', 1, true), claims)
  end)
end)

describe("replacing the key", function()
  local function signature_with(key)
    return calls.token_of(calls.outgoing("user_exists", { user = "alice" }, { key = key }).block).signature
  end

  it("takes effect at the next attempt of a call that is under way", function()
    local client = calls.client({ key = "old" })
    local call = core.prepare(client, "user_exists", { user = "alice" })
    call:begin(0)
    assert.are.equal(signature_with("old"), sign(call, 0, calls.WALL).signature)
    core.set_key(client, "new")
    fail_and_resume(call, 1)
    assert.are.equal(signature_with("new"), sign(call, 2, calls.WALL).signature)
  end)

  it("leaves the old key when the new one is refused", function()
    local client = calls.client({ key = "old" })
    local err = calls.refusal(core.set_key, client, "")
    assert.are.same({ "argument", "empty", "key", "set_key" }, { err.kind, err.code, err.argument, err.operation })
    for _, value in ipairs({ 42, true, {} }) do
      assert.are.equal("type", calls.refusal(core.set_key, client, value).code)
    end
    assert.are.equal("type", calls.refusal(core.set_key, client).code)
    local call = core.prepare(client, "user_exists", { user = "alice" })
    call:begin(0)
    assert.are.equal(signature_with("old"), sign(call, 0, calls.WALL).signature)
  end)

  it("is refused for a client that has a credential", function()
    local err = calls.refusal(core.set_key, calls.client({ credential = function() end }), "key")
    assert.are.same({ "argument", "invalid", "key" }, { err.kind, err.code, err.argument })
  end)
end)

describe("signing without a key", function()
  it("ends the call with a credential error", function()
    local call = calls.prepare("user_exists", { user = "alice" }, { credential = function() end })
    call:begin(0)
    assert.are.equal("done", call:sign(0, calls.WALL))
    local _, err = call:result()
    assert.are.same({ "credential", "missing", false }, { err.kind, err.code, err.retryable })
  end)
end)
