-- Tokens of Entra ID for an application, from an authority that does all it can.

local azure = require("spec.support.azure")
local calls = require("spec.support.calls")
local certs = require("spec.support.certs")
local identities = require("spec.support.identities")
local scripted_server = require("spec.support.scripted_server")
local steps = require("spec.support.steps")

-- {"access_token":{"a":1}}
local CHALLENGE = 'Bearer error="insufficient_claims", claims="eyJhY2Nlc3NfdG9rZW4iOnsiYSI6MX19"'

describe("a client secret", function()
  local service, authority

  setup(function()
    service = scripted_server.start({ tls = certs.valid })
    authority = scripted_server.start()
  end)
  teardown(function()
    service:stop()
    authority:stop()
  end)
  before_each(function()
    service:reset()
    authority:reset()
    service:script({ default = steps.reply({ status = 204 }) })
  end)

  local function call(own, context, options)
    return azure.client(service, own, options):close_user_connections({ user = "alice", context = context })
  end

  local function refusal(own, context)
    local err = calls.refusal(call, own, context)
    assert.is_nil(calls.everything_said(err):find("the-s3cret", 1, true))
    assert.are.equal(0, #service:requests())
    return err
  end

  it("is sent as a form, and its token with each call until it is old", function()
    authority:script({ azure.token("first"), azure.token("second") })
    local own = azure.client_secret(authority)
    for _ = 1, 3 do call(own) end
    assert.are.same({ "first", "first", "first" }, azure.tokens(service))
    local request = authority:requests()[1]
    assert.are.same({ "POST", "/contoso/oauth2/v2.0/token", "application/x-www-form-urlencoded" },
      { request.method, request.target, request.headers:get("content-type") })
    assert.are.same({ { "grant_type", "client_credentials" }, { "client_id", "app" },
      { "scope", "https://webpubsub.azure.com/.default" }, { "client_secret", "the-s3cret" },
      { "claims", '{"access_token":{"xms_cc":{"values":["cp1"]}}}' } }, identities.form(request.body))
    assert.are.equal(1, #authority:requests())
  end)

  it("answers a challenge with a new token, which has the claims, once for each call", function()
    authority:script({ azure.token("first"), azure.token("second"), azure.token("third") })
    service:script({ steps.reply({ status = 401, headers = { ["WWW-Authenticate"] = CHALLENGE } }),
      steps.reply({ status = 204 }), steps.reply({ status = 204 }),
      default = steps.reply({ status = 401, headers = { ["WWW-Authenticate"] = CHALLENGE } }) })
    local own = azure.client_secret(authority)
    assert.are.equal(2, call(own).attempts)
    call(own)
    assert.are.same({ "first", "second", "second" }, azure.tokens(service))
    assert.are.equal('{"access_token":{"xms_cc":{"values":["cp1"]},"a":1}}',
      identities.field(authority:requests()[2].body, "claims"))
    local err = calls.refusal(call, own)
    assert.are.same({ 401, 2 }, { err.status, err.attempts })
    assert.are.equal(3, #authority:requests())
  end)

  it("that is wrong is told with code, description and ids, and not asked again at once", function()
    authority:script({ default = steps.reply({ status = 401, body = '{"error":"invalid_client","error_description":'
      .. '"AADSTS7000215: Invalid client secret provided.\\r\\nTrace ID: t","trace_id":"t-1",'
      .. '"correlation_id":"c-1"}' }) })
    local own = azure.client_secret(authority)
    for _ = 1, 3 do
      local err = refusal(own)
      assert.are.same({ "credential", "invalid_client", "Entra ID answered 401 Unauthorized, invalid_client: "
        .. "AADSTS7000215: Invalid client secret provided. (trace_id t-1, correlation_id c-1)" },
        { err.kind, err.code, err.message })
    end
    assert.are.equal(1, #authority:requests())
  end)

  it("is sent again where the authority is busy, as it asks", function()
    authority:script({ steps.reply({ status = 429, headers = { ["retry-after-ms"] = 30 } }),
      steps.reply({ status = 503, headers = { ["retry-after-ms"] = 10 } }), azure.token("late") })
    call(azure.client_secret(authority))
    assert.are.same({ "late" }, azure.tokens(service))
  end)

  it("waits no longer than its call", function()
    authority:script({ default = steps.reply({ status = 429, headers = { ["Retry-After"] = 20 } }) })
    local err = refusal(azure.client_secret(authority), { timeout = 5 })
    assert.are.same({ "credential", "refused", "Entra ID answered 429 Too Many Requests" },
      { err.kind, err.code, err.message })
    authority:script({ default = steps.silence() })
    err = refusal(azure.client_secret(authority), { timeout = 0.2 })
    assert.are.same({ "timeout", "deadline" }, { err.kind, err.code })
    assert.is_true(err.elapsed < 2)
  end)

  it("goes on with the old token where the authority fails or is slow", function()
    authority:script({ azure.token("old", 2, ',"refresh_in":0'), azure.refusal(400, "invalid_client") })
    local own = azure.client_secret(authority)
    call(own)
    call(own)
    call(own)
    assert.are.same({ "old", "old", "old" }, azure.tokens(service))
    assert.are.equal(2, #authority:requests())
  end)

  it("survives garbage", function()
    for _, answer in ipairs({ steps.raw("nonsense\r\n\r\n"), steps.reply({ status = 200, body = "<html>" }),
      steps.reply({ status = 200, body = "" }), steps.reply({ status = 302, headers = { Location = "http://x/" } }),
      steps.reply({ status = 200, body = '{"access_token":"a\\nb","expires_in":5}' }) }) do
      authority:script({ default = answer })
      local err = refusal(azure.client_secret(authority), { timeout = 3 })
      assert.are.equal("credential", err.kind)
    end
  end)

  it("reads no more than a token can have", function()
    authority:script({ default = steps.reply({ status = 200,
      body = '{"access_token":"' .. ("x"):rep(10 * 1024 * 1024) .. '","expires_in":3600}' }) })
    local err = refusal(azure.client_secret(authority))
    assert.are.same({ "credential", "too_large" }, { err.kind, err.code })
  end)

  it("serves many clients with one token", function()
    authority:script({ azure.token("shared") })
    local own = azure.client_secret(authority)
    call(own)
    call(own, nil, { hub = "other" })
    assert.are.same({ "shared", "shared" }, azure.tokens(service))
    assert.are.equal(1, #authority:requests())
  end)

  it("asks the service for the token of a WebSocket client", function()
    authority:script({ azure.token("t") })
    service:script({ steps.reply({ status = 200, body = '{"token":"a.b.c"}' }) })
    local url = azure.client(service, azure.client_secret(authority)):client_access_url({ user = "alice" })
    assert.are.equal(service.origin:gsub("^http", "ws") .. "/client/hubs/chat?access_token=a.b.c", url)
  end)
end)
