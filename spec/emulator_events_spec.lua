-- luacheck: std lua54+busted
if _VERSION ~= "Lua 5.4" then
  return -- the emulator runs on Lua 5.4 only
end

local support = require "spec.support.emulator_client"
local scripted_server = require "spec.support.scripted_server"
local steps = require "spec.support.steps"
local wait = require "spec.support.wait"

local auth = require "webpubsub.emulator.auth"
local cqueues = require "cqueues"
local hmac = require "openssl.hmac"
local journal = require "webpubsub.emulator.journal"
local json = require "webpubsub.emulator.json"
local webhook = require "webpubsub.emulator.webhook"

local reply = steps.reply
local SECONDS = 5
local ALLOWED = reply { status = 200, headers = { ["WebHook-Allowed-Origin"] = "*" } }
local NOTHING = reply { status = 204 }

describe("emulator, event handlers:", function()
  local handler, server

  before_each(function() handler = scripted_server.start() end)
  after_each(function()
    if server then server.stop() end
    server = nil
    handler:stop()
  end)

  -- An emulator whose handler has allowed it; what the handler answers then.
  local function launch(script, options)
    options = options or {}
    handler:script { ALLOWED }
    options.event_handler = handler.origin .. (options.path or "/events")
    server = support.launch(options)
    wait.until_true(function() return handler:requests()[1] end, SECONDS, "the validation")
    handler:script(script)
    return server
  end

  -- The events the handler has been sent, in order; waits for so many.
  local function events(count)
    return wait.until_true(function()
      local list = {}
      for _, request in ipairs(handler:requests()) do
        if request.method == "POST" then list[#list + 1] = request end
      end
      return #list >= count and list
    end, SECONDS, count .. " events")
  end

  local function token(options)
    options = options or {}
    options.audience = server:audience()
    return auth.client_token(server.emulator.key, options)
  end

  local function handshake(query, headers)
    return server:handshake_status("/client/hubs/spec?access_token=" .. token() .. (query or ""), headers)
  end

  -- An answer of JSON.
  local function answer(text, headers)
    headers = headers or {}
    headers["Content-Type"] = "application/json"
    return reply { status = 200, body = text, headers = headers }
  end

  describe("the validation", function()
    it("comes first, and names the host that the events come from", function()
      launch { default = NOTHING }
      server:connect { user = "alice" }
      local requests = handler:requests()
      assert.same({ "OPTIONS", "/events" }, { requests[1].method, requests[1].target })
      assert.equal("127.0.0.1:" .. server.emulator.port, requests[1].headers:get("WebHook-Request-Origin"))
      assert.equal("1.0", requests[1].headers:get("ce-awpsversion")) -- or the vendor's middleware would not answer
      assert.equal("POST", requests[2].method)
    end)

    it("is logged, with what to do where it fails", function()
      local function log_of(script)
        handler:script(script)
        server = support.launch { event_handler = handler.origin .. "/events" }
        local function read_log()
          local file = assert(io.open(server.emulator.log_path))
          local text = file:read("*a")
          file:close()
          return text:match("\n%d%d:%d%d:%d%d ([^\n]*)\n")
        end
        local line = wait.until_true(read_log, SECONDS, "a line in the log")
        server.stop()
        local host = "127.0.0.1:" .. server.emulator.port
        server = nil
        return line, host
      end
      local line, host = log_of { ALLOWED }
      assert.equal(("validate %s/events: it allows %s"):format(handler.origin, host), line)
      line, host = log_of { NOTHING }
      assert.equal(("the event handler %s/events is validated again with the first event: it does not allow the "
        .. "origin %s: its answer to the validation needs the header WebHook-Allowed-Origin: * or %s"):format(
        handler.origin, host, host), line)
    end)

    it("must allow that host: nothing is delivered before it does", function()
      handler:script { default = reply { status = 200 } }
      server = support.launch { event_handler = handler.origin .. "/events" }
      local response = handshake()
      assert.equal(500, response.status)
      assert.truthy(response.json.message:find("does not allow the origin 127.0.0.1:" .. server.emulator.port, 1, true))
      handler:script { default = reply { status = 200, headers = { ["WebHook-Allowed-Origin"] = "else.example" } } }
      assert.equal(500, handshake().status)
      handler:script { default = reply { status = 400, headers = { ["WebHook-Allowed-Origin"] = "*" } } }
      assert.equal(500, handshake().status)
      for _, request in ipairs(handler:requests()) do assert.equal("OPTIONS", request.method) end
      handler:script { reply { status = 200, headers = {
        ["WebHook-Allowed-Origin"] = "other.example, 127.0.0.1:" .. server.emulator.port } }, default = NOTHING }
      assert.equal(101, handshake().status)
      assert.equal(101, handshake().status)
    end)

    it("fails where nobody is there, and clients are told so", function()
      local port = handler.port
      handler:stop()
      server = support.launch { event_handler = ("http://127.0.0.1:%d/"):format(port) }
      local response = handshake()
      assert.equal(500, response.status)
      assert.truthy(response.json.message:find("Connection refused", 1, true), response.json.message)
    end)

    it("is made for each hub where the URL names it", function()
      handler:script { ALLOWED, NOTHING, ALLOWED, NOTHING, NOTHING }
      server = support.launch { event_handler = handler.origin .. "/hubs/{hub}/", event_handler_events = { "connect" } }
      server:hub("one"):connect()
      server:hub("two"):connect()
      server:hub("one"):connect()
      local seen = {}
      for index, request in ipairs(handler:requests()) do seen[index] = request.method .. " " .. request.target end
      assert.same({ "OPTIONS /hubs/one/", "POST /hubs/one/", "OPTIONS /hubs/two/", "POST /hubs/two/",
        "POST /hubs/one/" }, seen)
    end)
  end)

  describe("connect", function()
    it("is told who the client is and what it offers, signed with the key, and without the token", function()
      launch({ NOTHING, default = NOTHING }, { key = "the key" })
      local client = server:connect { user = "alice", query = "access_token=" .. token({ user = "alice",
        roles = { "webpubsub.sendToGroup" } }) .. "&room=1&room=2&empty=" }
      local event = events(1)[1]
      local id = client.id
      for name, value in pairs {
        ["ce-specversion"] = "1.0", ["ce-awpsversion"] = "1.0", ["ce-type"] = "azure.webpubsub.sys.connect",
        ["ce-source"] = "/hubs/spec/client/" .. id, ["ce-hub"] = "spec", ["ce-connectionId"] = id,
        ["ce-eventName"] = "connect", ["ce-userId"] = "alice", ["content-type"] = "application/json; charset=utf-8",
        ["webhook-request-origin"] = "127.0.0.1:" .. server.emulator.port,
        ["ce-signature"] = "sha256=" .. hmac.new("the key", "sha256"):final(id):gsub(".",
          function(byte) return ("%02x"):format(byte:byte()) end),
      } do
        assert.equal(value, event.headers:get(name), name)
      end
      assert.truthy(event.headers:get("ce-time"):find("^%d%d%d%d%-%d%d%-%d%dT%d%d:%d%d:%d%dZ$"))
      assert.truthy(event.headers:get("ce-id"))
      assert.is_nil(event.headers:get("ce-subprotocol"))
      local body = json.decode(event.body)
      assert.same({ "alice" }, body.claims.sub)
      assert.same({ "webpubsub.sendToGroup" }, body.claims.role)
      assert.truthy(body.claims.exp[1]:find("^%d+$"))
      assert.same({ room = { "1", "2" }, empty = { "" } }, body.query)
      assert.same({ "json.webpubsub.azure.v1" }, body.subprotocols)
      assert.same({}, body.clientCertificates)
      assert.same({ "websocket" }, body.headers.upgrade)
      assert.same({ "127.0.0.1:" .. server.emulator.port }, body.headers.host)
      assert.is_nil(event.body:find("access_token", 1, true))
    end)

    it("does not pass on a token from the Authorization header either", function()
      launch { default = NOTHING }
      assert.equal(101, server:handshake_status("/client/hubs/spec",
        { authorization = "Bearer " .. token { user = "alice" } }).status)
      assert.is_nil(json.decode(events(1)[1].body).headers.authorization)
    end)

    it("gives the client a user, groups and roles, beside those of its token", function()
      launch {
        answer '{"userId":"carol","groups":["red"],"roles":["webpubsub.sendToGroup.red"],"subprotocol":null}',
        default = NOTHING,
      }
      local client = server:connect { user = "alice", groups = { "blue" } }
      assert.equal("carol", client.greeting.userId)
      assert.equal(200, server:call("HEAD", "/users/carol").status)
      assert.equal(404, server:call("HEAD", "/users/alice").status)
      assert.equal(200, server:call("HEAD", "/groups/red").status)
      assert.equal(200, server:call("HEAD", "/groups/blue").status)
      assert.equal("x", client:ask('{"type":"sendToGroup","group":"red","data":"x"}').data)
    end)

    it("chooses a sub-protocol the client offers, and no other", function()
      launch({ answer '{"subprotocol":"chess"}', answer '{"subprotocol":"go"}' },
        { event_handler_events = { "connect" } })
      local response = handshake(nil, { ["sec-websocket-protocol"] = "checkers, chess" })
      assert.same({ 101, "chess" }, { response.status, response.headers:get("sec-websocket-protocol") })
      response = handshake(nil, { ["sec-websocket-protocol"] = "checkers, chess" })
      assert.equal(500, response.status)
      assert.truthy(response.json.message:find("'subprotocol' of its answer is 'go', which the client does not offer",
        1, true))
    end)

    it("refuses the handshake with its own 4xx", function()
      launch {
        reply { status = 401, body = "banned", headers = { ["Content-Type"] = "text/plain" } },
        default = NOTHING,
      }
      local response = handshake()
      assert.same({ 401, "banned", "text/plain" },
        { response.status, response.body, response.headers:get("content-type") })
      assert.equal(204, server:call("POST", "/:closeConnections").status)
      assert.equal(1, #events(1)) -- a client that was refused is not said to have left
    end)

    it("keeps clients out while it fails or answers nonsense", function()
      local cases = {
        { reply { status = 500 }, "it answered with 500" },
        { reply { status = 302, headers = { Location = "/elsewhere" } }, "it answered with 302" },
        { steps.close(), "" },
        { answer "x", "not a JSON object" },
        { answer '{"userId":1}', "'userId' of its answer is not a string" },
        { answer '{"groups":"red"}', "have to be lists of strings" },
        { answer '{"roles":[1]}', "have to be lists of strings" },
        { answer '{"groups":[" "]}', "blank or too long" },
        { answer("{}", { ["ce-connectionState"] = { "a", "b" } }), "more than one ce-connectionState" },
        { reply { status = 200, body = ("x"):rep(1024 * 1024 + 1) }, "more than 1048576 bytes" },
      }
      local script = { default = NOTHING }
      for index, case in ipairs(cases) do script[index] = case[1] end
      launch(script)
      for _, case in ipairs(cases) do
        local response = handshake()
        assert.equal(500, response.status, case[2])
        assert.equal("Error.EventHandler", response.json.code)
        assert.truthy(response.json.message:find(case[2], 1, true), response.json.message)
      end
    end)
  end)

  describe("a user event", function()
    it("of a JSON client carries its payload, and the client waits for the answer", function()
      launch({
        reply { status = 200, body = "pong", headers = { ["Content-Type"] = "text/plain; charset=utf-8" } },
        answer '{"list":[]}',
        reply { status = 200, body = "\0\255", headers = { ["Content-Type"] = "application/octet-stream" } },
        NOTHING,
      }, { event_handler_events = { "*" } })
      local alice = server:connect { user = "alice" }
      assert.same({ type = "message", from = "server", dataType = "text", data = "pong" },
        alice:ask('{"type":"event","event":"chat","ackId":1,"dataType":"text","data":"grüße"}'))
      assert.same({ type = "ack", ackId = 1, success = true }, alice:receive())
      alice:send('{"type":"event","event":"chat","data":{ "n": 1.50 }}')
      assert.equal('{"type":"message","from":"server","dataType":"json","data":{"list":[]}}', (alice:receive_text()))
      assert.equal("AP8=", alice:ask('{"type":"event","event":"chat","dataType":"binary","data":"AAE="}').data)
      assert.same({ type = "ack", ackId = 2, success = true },
        alice:ask('{"type":"event","event":"ä/b","ackId":2,"data":null}'))
      local list = events(4)
      local seen = {}
      for index, event in ipairs(list) do
        seen[index] = { event.headers:get("ce-type"), event.headers:get("content-type"), event.body }
        assert.equal("json.webpubsub.azure.v1", event.headers:get("ce-subprotocol"))
        assert.equal("alice", event.headers:get("ce-userId"))
      end
      assert.same({
        { "azure.webpubsub.user.chat", "text/plain", "grüße" },
        { "azure.webpubsub.user.chat", "application/json", '{ "n": 1.50 }' },
        { "azure.webpubsub.user.chat", "application/octet-stream", "\0\1" },
        { "azure.webpubsub.user.%C3%A4/b", "application/json", "null" },
      }, seen)
    end)

    it("of a raw client is each of its messages", function()
      launch({
        reply { status = 200, body = "text", headers = { ["Content-Type"] = "text/plain" } },
        reply { status = 200, body = "bytes", headers = { ["Content-Type"] = "application/octet-stream" } },
        NOTHING,
      }, { event_handler_events = { "message" } })
      local raw = server:connect { raw = true }
      raw:send("hello")
      assert.same({ "text", "text" }, { raw:receive_text() })
      raw:send("\255", "binary")
      assert.same({ "bytes", "binary" }, { raw:receive_text() })
      local list = events(2)
      assert.same({ "azure.webpubsub.user.message", "text/plain", "hello" },
        { list[1].headers:get("ce-type"), list[1].headers:get("content-type"), list[1].body })
      assert.same({ "application/octet-stream", "\255" }, { list[2].headers:get("content-type"), list[2].body })
    end)

    it("that fails costs the client its connection", function()
      for _, failure in ipairs {
        reply { status = 500 }, reply { status = 404 }, steps.close(),
        reply { status = 200, body = "x", headers = { ["Content-Type"] = "image/png" } },
        answer "x",
        reply { status = 200, body = "\255", headers = { ["Content-Type"] = "text/plain" } },
      } do
        launch({ failure, failure }, { event_handler_events = { "*" } })
        local alice, raw = server:connect { user = "alice" }, server:connect { raw = true, user = "alice" }
        local farewell = alice:ask('{"type":"event","event":"chat","ackId":1,"data":1}')
        assert.equal("disconnected", farewell.event)
        assert.truthy(farewell.message:find("The event handler failed on the event 'chat': ", 1, true))
        assert.equal(1011, (alice:closed()))
        raw:send("x")
        assert.equal(1011, (raw:closed()))
        assert.equal(404, server:call("HEAD", "/users/alice").status)
        server.stop()
        server = nil
        handler:reset()
      end
    end)

    it("holds up its own client only", function()
      launch({ { steps.delay(1), NOTHING }, NOTHING, default = NOTHING }, { event_handler_events = { "*" } })
      local slow, quick = server:connect {}, server:connect {}
      slow:send('{"type":"event","event":"slow","ackId":1,"data":1}')
      events(1)
      slow:send('{"type":"ping"}')
      assert.is_true(quick:ask('{"type":"event","event":"quick","ackId":2,"data":1}').success)
      assert.equal(202, server:send("/connections/" .. slow.id .. "/:send", "meanwhile").status)
      assert.equal("meanwhile", slow:receive().data)
      assert.equal(1, slow:receive().ackId)
      assert.equal("pong", slow:receive().type)
    end)

    it("is answered for nobody when the client was closed meanwhile", function()
      launch({ { steps.delay(0.3), answer '{"x":1}' }, default = NOTHING }, { event_handler_events = { "*" } })
      local alice = server:connect { user = "alice" }
      alice:send('{"type":"event","event":"slow","ackId":1,"data":1}')
      events(1)
      server:call("POST", "/users/alice/:closeConnections")
      assert.equal("disconnected", alice:receive().event)
      assert.equal(1000, (alice:closed()))
    end)

    it("nobody asked for is refused as without a handler", function()
      launch({}, { event_handler_events = { "chat" } })
      local ack = server:connect():ask('{"type":"event","event":"other","ackId":1,"data":1}')
      assert.same({ false, "Nobody receives the event 'other': it is none of --event-handler-events." },
        { ack.success, ack.error.message })
    end)
  end)

  it("keeps the connection's state, which each answer that blocks may replace", function()
    launch({
      reply { status = 204, headers = { ["ce-connectionState"] = "one" } },
      NOTHING, -- connected
      NOTHING,
      reply { status = 200, headers = { ["ce-connectionState"] = "two" } },
      reply { status = 204, headers = { ["ce-connectionState"] = "" } },
      NOTHING,
    })
    local alice = server:connect { user = "alice" }
    events(2)
    for ack_id = 1, 4 do
      assert.is_true(alice:ask(('{"type":"event","event":"e","ackId":%d,"data":1}'):format(ack_id)).success)
    end
    local states = {}
    for index, event in ipairs(events(6)) do
      states[index] = event.headers:get("ce-eventName") .. " " .. (event.headers:get("ce-connectionState") or "none")
    end
    assert.same({ "connect none", "connected one", "e one", "e one", "e two", "e none" }, states)
  end)

  it("tells who connected and who left, with the reason, and does not wait for that", function()
    launch { NOTHING, { steps.delay(0.3), reply { status = 500 } }, default = NOTHING }
    local alice = server:connect { user = "alice" }
    assert.truthy(alice:is_quiet())
    server:call("POST", "/users/alice/:closeConnections?reason=signed%20in%20elsewhere")
    assert.equal("disconnected", alice:receive().event)
    local list = events(3)
    assert.same({ "azure.webpubsub.sys.connected", "{}", "json.webpubsub.azure.v1" },
      { list[2].headers:get("ce-type"), list[2].body, list[2].headers:get("ce-subprotocol") })
    assert.same({ "azure.webpubsub.sys.disconnected", '{"reason":"signed in elsewhere"}' },
      { list[3].headers:get("ce-type"), list[3].body })
    server:connect { user = "bob" }:close()
    assert.equal('{"reason":"the client closed the connection"}', events(6)[6].body)
  end)

  it("tells of groups only where that is asked", function()
    launch({ default = NOTHING }, { event_handler_events = { "joined", "left" } })
    local alice = server:connect { user = "alice", groups = { "g" } }
    server:call("PUT", "/groups/g/connections/" .. alice.id) -- is in already
    server:call("DELETE", "/groups/g/connections/" .. alice.id)
    local list = events(2)
    assert.same({ "azure.webpubsub.gp.joined", '{"group":"g"}' }, { list[1].headers:get("ce-type"), list[1].body })
    assert.same({ "azure.webpubsub.gp.left", '{"group":"g"}' }, { list[2].headers:get("ce-type"), list[2].body })
  end)

  it("tells that a client connected before it tells of its groups", function()
    launch({ default = NOTHING }, { event_handler_events = { "connected", "joined" } })
    server:connect { groups = { "g" } }
    local list = events(2)
    assert.same({ "connected", "joined" },
      { list[1].headers:get("ce-eventName"), list[2].headers:get("ce-eventName") })
  end)

  it("delivers what a header cannot hold, escaped", function()
    launch { default = NOTHING }
    server:connect { user = "grüße\r\nce-userId: admin" }
    assert.equal("gr%C3%BC%C3%9Fe%0D%0Ace-userId: admin", events(1)[1].headers:get("ce-userId"))
  end)

  it("waits for no answer for ever, and for no more at once than it can", function()
    local controller, recorded = cqueues.new(), journal.new()
    handler:script { ALLOWED, default = { steps.delay(30), NOTHING } }
    local deliveries = 200
    local hook = webhook.new { url = handler.origin, key = "k", origin = "here", journal = recorded,
      answer_seconds = 0.5 }
    local problems = {}
    for index = 1, deliveries do
      controller:wrap(function()
        local answered, why = hook:deliver { type = "t", name = "n", hub = "h", connection = "c" .. index,
          content_type = "text/plain", body = "x" }
        assert.is_nil(answered)
        problems[why] = (problems[why] or 0) + 1
      end)
    end
    local started = cqueues.monotime()
    assert(controller:loop(SECONDS))
    assert.truthy(cqueues.monotime() - started < 2)
    assert.equal(deliveries, recorded.serial)
    assert.equal(0, hook.in_flight)
    assert.truthy(handler:connections() <= 140) -- some get their turn in the moment in which the others time out
    assert.truthy(problems["128 events before it have no answer yet"] > 0)
  end)

  it("keeps so many events of one client for a handler that is slow, and says what it dropped", function()
    launch({ { steps.delay(1), NOTHING }, default = NOTHING }, { event_handler_events = { "joined" } })
    local alice = server:connect()
    for index = 1, 103 do
      assert.equal(200, server:call("PUT", ("/groups/g%d/connections/%s"):format(index, alice.id)).status)
    end
    assert.equal(101, #events(101)) -- one was under way
    local file = assert(io.open(server.emulator.log_path))
    local log = file:read("*a")
    file:close()
    assert.truthy(log:find(("joined of %s was not delivered: 100 events of it wait for the event handler"):format(
      alice.id), 1, true), log)
  end)
end)
