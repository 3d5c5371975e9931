-- URLs with which WebSocket clients connect: golden tokens, what may be in them, who makes them, and that they work.

require("webpubsub.client") -- gives every client its methods
local calls = require("spec.support.calls")
local cjson = require("cjson")
local driven = require("spec.support.driven")
local launch = require("webpubsub.emulator.launch")
local vectors = require("spec.vectors.client_tokens")
local webpubsub = require("webpubsub")
local websocket_clients = require("spec.support.websocket_clients")

local LONGEST_LIFETIME = 10 * 365 * 86400 -- seconds

-- The claims in a token, which is not verified here.
local function claims_of(token)
  return cjson.decode(calls.decode_base64url(token:match("^[%w_-]+%.([%w_-]+)%.[%w_-]+$")))
end

local new_client = driven.client

local function with_credential(answers, options)
  local all = { credential = function() return "entra", calls.WALL + 3600 end }
  for name, value in pairs(options or {}) do all[name] = value end
  return driven.client(answers, all)
end

local function token_answer(token)
  return { status = 200, body = cjson.encode({ token = token }) }
end

describe("client_access_url", function()
  for _, vector in ipairs(vectors) do
    it("makes the golden URL with " .. vector.name, function()
      local client, transport = new_client({}, vector.client)
      transport.wall = function() return vector.wall end
      local url, token = client:client_access_url(vector.arguments)
      local signing_input, signature = token:match("^(.*)%.(.-)$")
      assert.are.equal(vector.claims, calls.decode_base64url(signing_input:match("%.(.*)$")))
      assert.are.equal(vector.signing_input, signing_input)
      assert.are.equal(vector.signature, signature)
      assert.are.equal(vector.url .. "?access_token=" .. token, url)
      assert.are.equal(0, #transport.requests)
    end)
  end

  it("needs no arguments", function()
    local client = new_client()
    local url, token = client:client_access_url()
    assert.are.equal("wss://contoso.webpubsub.azure.com/client/hubs/chat?access_token=" .. token, url)
    assert.are.equal(url, (client:client_access_url({})))
    assert.are.equal(url, (client:client_access_url({ user = cjson.null, roles = cjson.null, context = cjson.null })))
  end)

  it("says no more than aud, iat and exp of a client that is nobody", function()
    local _, token = new_client():client_access_url()
    assert.are.same({ aud = calls.ENDPOINT .. "/client/hubs/chat", iat = calls.WALL, exp = calls.WALL + 3600 },
      claims_of(token))
  end)

  it("is signed with the key as it is now", function()
    local client = new_client({}, { key = "old" })
    local _, old = client:client_access_url()
    client:set_key("new")
    local _, new = client:client_access_url()
    assert.are.equal(old:match("^(.*)%."), new:match("^(.*)%."))
    assert.are_not.equal(old, new)
    assert.are.equal(new, select(2, new_client({}, { key = "new" }):client_access_url()))
  end)

  it("takes hundreds of roles and groups", function()
    local roles, groups = {}, {}
    for index = 1, 500 do roles[index], groups[index] = "webpubsub.sendToGroup." .. index, "group " .. index end
    local _, token = new_client():client_access_url({ roles = roles, groups = groups })
    local claims = claims_of(token)
    assert.are.same({ roles, groups }, { claims.role, claims["webpubsub.group"] })
  end)
end)

describe("client_access_url's argument", function()
  local refusals = {
    ["user"] = { { "", "empty" }, { 42, "type" }, { true, "type" }, { "\255", "invalid" } },
    ["roles"] = { { "webpubsub.sendToGroup", "type" }, { { a = 1 }, "type" }, { { [2] = "x" }, "type" } },
    ["roles[2]"] = { { { "a", 42 }, "type" }, { { "a", "" }, "empty" }, { { "a", "\255" }, "invalid" } },
    ["groups"] = { { "chat", "type" }, { { a = 1 }, "type" } },
    ["groups[1]"] = { { { "" }, "empty" }, { { " \t" }, "invalid" }, { { ("x"):rep(1025) }, "invalid" },
      { { {} }, "type" } },
    ["expires_in"] = { { "60", "type" }, { 0, "invalid" }, { 0.9, "invalid" }, { -1, "invalid" }, { 0 / 0, "invalid" },
      { math.huge, "invalid" }, { LONGEST_LIFETIME + 1, "invalid" } },
    ["protocol"] = { { "MQTT", "invalid" }, { "", "invalid" }, { 1, "type" } },
    ["context"] = { { "x", "type" } },
    ["usr"] = { { "alice", "unknown" } },
  }
  for argument, cases in pairs(refusals) do
    local name = argument:match("^%a[%w_]*")
    it(argument .. " is refused where it is wrong, whoever makes the token", function()
      for _, case in ipairs(cases) do
        for _, client in ipairs({ new_client({}), (with_credential({})) }) do
          local err = calls.refusal(client.client_access_url, client, { [name] = case[1] })
          assert.are.same({ "argument", case[2], argument, "client_access_url" },
            { err.kind, err.code, err.argument, err.operation }, tostring(err))
        end
      end
    end)
  end

  it("context is checked as that of any call", function()
    local client = new_client()
    local err = calls.refusal(client.client_access_url, client, { context = { timeot = 5 } })
    assert.are.same({ "unknown", "timeot", "client_access_url" }, { err.code, err.argument, err.operation })
  end)

  it("names what was probably meant", function()
    local client = new_client()
    local err = calls.refusal(client.client_access_url, client, { group = { "g" } })
    assert.is_truthy(err.message:find('did you mean "groups"?', 1, true), err.message)
  end)

  it("stands in a table", function()
    local client = new_client()
    local err = calls.refusal(client.client_access_url, client, "alice")
    assert.are.same({ "type", "client_access_url" }, { err.code, err.operation })
    err = calls.refusal(client.client_access_url, { user = "alice" })
    assert.are.same({ "client", "client_access_url" }, { err.argument, err.operation })
    assert.is_truthy(err.message:find("write client:client_access_url{ ... } with a colon", 1, true), err.message)
  end)
end)

describe("client_access_url of a client with a credential", function()
  it("has the service make the token", function()
    local client, transport = with_credential({ token_answer("a.b.c") })
    local url, token = client:client_access_url({ user = "al ice", roles = { "r1", "r2" }, groups = { "g" } })
    assert.are.equal("a.b.c", token)
    assert.are.equal("wss://contoso.webpubsub.azure.com/client/hubs/chat?access_token=a.b.c", url)
    local request = transport.requests[1]
    assert.are.same({ "POST", "/api/hubs/chat/:generateToken?api-version=2024-12-01&userId=al%20ice&role=r1&role=r2"
      .. "&group=g&minutesToExpire=60&clientType=Default", "Bearer entra" },
      { request.method, request.target, request.headers.authorization })
    assert.is_nil(request.body)
  end)

  for seconds, minutes in pairs({ [1] = 1, [59] = 1, [60] = 1, [61] = 1, [119] = 1, [119.9] = 1, [120] = 2, [121] = 2,
    [3600] = 60, [LONGEST_LIFETIME] = 5256000 }) do
    it(("asks for %d minutes, for %g seconds"):format(minutes, seconds), function()
      local client, transport = with_credential({ token_answer("t") })
      client:client_access_url({ expires_in = seconds })
      assert.are.equal(tostring(minutes), transport.requests[1].target:match("&minutesToExpire=(%d+)&"))
    end)
  end

  for protocol, expected in pairs({ default = { "Default", "client" }, mqtt = { "MQTT", "clients/mqtt" },
    socketio = { "socketio", "clients/socketio" } }) do
    it("says that the client speaks " .. protocol, function()
      local client, transport = with_credential({ token_answer("t") })
      local url = client:client_access_url({ protocol = protocol })
      assert.are.equal(expected[1], transport.requests[1].target:match("&clientType=(%w+)$"))
      assert.are.equal(("wss://contoso.webpubsub.azure.com/%s/hubs/chat?access_token=t"):format(expected[2]), url)
    end)
  end

  it("escapes in the URL what is no part of a usual token", function()
    local client = with_credential({ token_answer("a+b/c=&d#e") })
    local url, token = client:client_access_url()
    assert.are.equal("a+b/c=&d#e", token)
    assert.are.equal("?access_token=a%2Bb%2Fc%3D%26d%23e", url:match("%?.*"))
  end)

  it("does not lead to the reverse proxy that the service was asked through", function()
    local client, transport = with_credential({ token_answer("t") }, { reverse_proxy = "https://proxy.example/base" })
    assert.are.equal("wss://contoso.webpubsub.azure.com/client/hubs/chat?access_token=t", (client:client_access_url()))
    assert.are.equal(1, transport.requests[1].target:find("/base/api/hubs/chat/:generateToken?", 1, true))
  end)

  it("takes a context", function()
    local client, transport = with_credential({ { status = 503 }, token_answer("t") })
    client:client_access_url({ context = { request_id = "mine", retry = { delay = 0, jitter = 0 } } })
    assert.are.same({ "mine", "mine" }, { transport.requests[1].headers["x-ms-client-request-id"],
      transport.requests[2].headers["x-ms-client-request-id"] })
  end)

  it("raises what the service answers, or with no_throw returns it", function()
    local client = with_credential({ { status = 403 }, { status = 403 } })
    local err = calls.refusal(client.client_access_url, client)
    assert.are.same({ "service", 403, "generate_client_token" }, { err.kind, err.status, err.operation })
    local url, response = client:client_access_url({ context = { no_throw = true } })
    assert.is_nil(url)
    assert.are.same({ 403, true, "Forbidden" }, { response.status, response.is_error, response.error.code })
  end)

  it("raises that an answer without a token is none", function()
    local client = with_credential({ { status = 200, body = "{}" } })
    assert.are.equal("protocol", calls.refusal(client.client_access_url, client).kind)
  end)
end)

describe("a WebSocket client", function()
  local emulator, client, sockets

  setup(function()
    emulator = launch({ quiet = true })
    client = webpubsub.new({ connection_string = emulator.connection_string, hub = "doors", proxy = false })
  end)
  teardown(function() emulator.stop() end)
  after_each(function()
    if sockets then sockets:stop() end
    sockets = nil
  end)

  local function connect(url)
    sockets = websocket_clients.connect(emulator, "doors", { { url = url } })
    return sockets:frames(1)[1]
  end

  local function assert_is_alice(greeting)
    assert.are.equal("alice", greeting.userId)
    assert.is_true(client:user_exists({ user = "alice" }))
    assert.is_true(client:group_exists({ group = "lobby" }))
    local function may(permission, group)
      return (client:check_permission({ permission = permission, connection = sockets.ids[1], target_name = group }))
    end
    assert.are.same({ true, false, false }, { may("sendToGroup", "lobby"), may("sendToGroup", "attic"),
      may("joinLeaveGroup", "lobby") })
    assert.is_true(sockets:ask(1, '{"type":"sendToGroup","group":"lobby","dataType":"text","data":"hi","ackId":1,'
      .. '"noEcho":true}').success)
    assert.are.equal("Forbidden", sockets:ask(1, '{"type":"joinGroup","group":"attic","ackId":2}').error.name)
  end

  local ALICE = { user = "alice", roles = { "webpubsub.sendToGroup.lobby" }, groups = { "lobby" } }

  it("connects with the URL as its user, with its roles, in its groups", function()
    assert_is_alice(connect((client:client_access_url(ALICE))))
  end)

  it("connects with a token that the service has made", function()
    local response = client:generate_client_token(ALICE)
    local url = ("ws://127.0.0.1:%d/client/hubs/doors?access_token=%s"):format(emulator.port, response.token)
    assert_is_alice(connect(url))
  end)

  it("is nobody without a user", function()
    assert.are.equal(cjson.null, connect((client:client_access_url())).userId)
  end)

  it("has its name in every letter", function()
    local user = 'zoë "x" \\ /?#&=+ 中文 😀'
    assert.are.equal(user, connect((client:client_access_url({ user = user }))).userId)
  end)

  local refused = {
    ["for another hub"] = { options = { hub = "windows" } },
    ["signed with another key"] = { options = { key = "another" } },
    ["for another protocol"] = { arguments = { protocol = "mqtt" } },
  }
  for what, case in pairs(refused) do
    it("is not let in by a token " .. what, function()
      local options = { endpoint = emulator.endpoint, key = emulator.key, hub = "doors", proxy = false }
      for name, value in pairs(case.options or {}) do options[name] = value end
      local _, token = webpubsub.new(options):client_access_url(case.arguments)
      local url = ("ws://127.0.0.1:%d/client/hubs/doors?access_token=%s"):format(emulator.port, token)
      local ok, problem = pcall(connect, url)
      assert.is_false(ok)
      assert.is_truthy(tostring(problem):find("did not start", 1, true), tostring(problem))
    end)
  end
end)
