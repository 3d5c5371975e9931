-- luacheck: std lua54+busted
if _VERSION ~= "Lua 5.4" then
  return -- the emulator runs on Lua 5.4 only
end

local support = require "spec.support.emulator_client"
local scripted_server = require "spec.support.scripted_server"
local steps = require "spec.support.steps"
local wait = require "spec.support.wait"

local backlog = require "webpubsub.emulator.backlog"
local json = require "webpubsub.emulator.json"

local RELIABLE = "json.reliable.webpubsub.azure.v1"
local EVERYTHING = { "webpubsub.joinLeaveGroup", "webpubsub.sendToGroup" }
local SECONDS = 5

describe("emulator, a reliable client", function()
  local server

  setup(function() server = support.launch() end)
  teardown(function() server.stop() end)

  local function connect(hub, options)
    options = options or {}
    options.subprotocol = RELIABLE
    return hub:connect(options)
  end

  -- Ends a client's connection without a close frame.
  local function cut(client)
    client.websocket.socket:close()
  end

  local function recover(hub, client, token)
    local again = connect(hub, { ungreeted = true, query = ("awps_connection_id=%s&awps_reconnection_token=%s"):format(
      client.id, token or client.token or client.greeting.reconnectionToken) })
    again.token = client.token or client.greeting.reconnectionToken
    return again
  end

  local function come_back(hub, client)
    local again = recover(hub, client)
    again.greeting = again:receive()
    again.id = again.greeting.connectionId
    return again
  end

  local function acknowledge(client, sequence_id)
    client:send(('{"type":"sequenceAck","sequenceId":%d}'):format(sequence_id))
  end

  it("gets numbered messages and a token with which to come back", function()
    local hub = server:hub("numbered")
    local alice = connect(hub, { user = "alice" })
    assert.equal(RELIABLE, alice.websocket.protocol)
    assert.truthy(alice.greeting.reconnectionToken:find("^%x+$"))
    assert.is_nil(hub:connect().greeting.reconnectionToken)
    hub:send("/:send", "a")
    hub:send("/:send", "b")
    assert.equal(1, alice:receive().sequenceId)
    assert.equal(2, alice:receive().sequenceId)
    assert.truthy(alice:is_quiet())
  end)

  it("that comes back has its id, user, groups and permissions, and what it missed, in order and once", function()
    local hub = server:hub("comes_back")
    local alice = connect(hub, { user = "alice", roles = EVERYTHING, groups = { "g" } })
    hub:send("/users/alice/:send", "before")
    assert.equal("before", alice:receive().data)
    acknowledge(alice, 1)
    assert.truthy(alice:is_quiet())
    cut(alice)
    for index = 1, 20 do
      local path = index % 2 == 0 and "/users/alice/:send?messageTtlSeconds=300" or "/groups/g/:send"
      assert.equal(202, hub:send(path, tostring(index)).status)
    end
    assert.equal(200, hub:call("HEAD", "/connections/" .. alice.id).status)
    local again = come_back(hub, alice)
    assert.same({ alice.id, "alice" }, { again.id, again.greeting.userId })
    for index = 1, 20 do
      local message = again:receive()
      assert.same({ index + 1, tostring(index) }, { message.sequenceId, message.data })
    end
    assert.truthy(again:is_quiet())
    assert.is_true(again:ask('{"type":"leaveGroup","group":"g","ackId":1}').success)
  end)

  it("is not sent again what has expired meanwhile", function()
    local kept = backlog.new()
    kept:push("short", 10)
    kept:push("long", 300)
    kept:push("for ever")
    assert.same({ "short", "long", "for ever" }, kept:all(9.9))
    assert.same({ "long", "for ever" }, kept:all(10))
    assert.same({ "for ever" }, kept:all(300))
    kept:acknowledge(2)
    assert.same({ "for ever" }, kept:all(0))
    assert.equal(#"for ever", kept.bytes)
    assert.is_nil(next(kept.expires))
  end)

  it("is sent again what it has not acknowledged, and only that", function()
    local hub = server:hub("acknowledges")
    local alice = connect(hub)
    for index = 1, 5 do hub:send("/:send", tostring(index)) end
    for index = 1, 5 do assert.equal(index, alice:receive().sequenceId) end
    acknowledge(alice, 3)
    acknowledge(alice, 2) -- late, and of no consequence
    assert.truthy(alice:is_quiet())
    cut(alice)
    local again = come_back(hub, alice)
    assert.equal(4, again:receive().sequenceId)
    assert.equal(5, again:receive().sequenceId)
    acknowledge(again, 99)
    assert.truthy(again:is_quiet())
    hub:send("/:send", "6")
    assert.equal(6, again:receive().sequenceId)
  end)

  it("may be cut over and over while messages come, and loses none", function()
    local hub = server:hub("over_and_over")
    local alice = connect(hub, { user = "alice" })
    local received, sent = 0, 0
    local function send(count)
      for _ = 1, count do
        sent = sent + 1
        hub:send("/users/alice/:send", tostring(sent))
      end
    end
    for round = 1, 30 do
      send(3)
      for _ = 1, round % 4 do -- some of them, before the line is cut
        local message = alice:receive()
        if message.sequenceId > received then
          received = received + 1
          assert.same({ received, tostring(received) }, { message.sequenceId, message.data })
        end
      end
      if round % 3 == 0 then acknowledge(alice, received) end
      cut(alice)
      send(2)
      alice = come_back(hub, alice)
    end
    while received < sent do
      local message = alice:receive()
      if message.sequenceId > received then
        received = received + 1
        assert.same({ received, tostring(received) }, { message.sequenceId, message.data })
      end
    end
    assert.truthy(alice:is_quiet())
  end)

  it("takes its place over from a connection that nobody knows to be dead", function()
    local hub = server:hub("takes_over")
    local alice = connect(hub, { user = "alice" })
    local again = come_back(hub, alice)
    hub:send("/users/alice/:send", "once")
    assert.equal("once", again:receive().data)
    assert.has_error(function() alice:receive() end)
    assert.truthy(again:is_quiet())
    assert.equal(200, hub:call("HEAD", "/connections/" .. alice.id).status)
  end)

  it("has a request that it sends again carried out once", function()
    local hub = server:hub("publishes")
    local alice = connect(hub, { roles = EVERYTHING })
    local bob = hub:connect { groups = { "g" } }
    local request = '{"type":"sendToGroup","group":"g","ackId":1,"data":"x"}'
    assert.is_true(alice:ask(request).success)
    cut(alice)
    local again = come_back(hub, alice)
    assert.equal("Duplicate", again:ask(request).error.name)
    assert.equal("x", bob:receive().data)
    assert.truthy(bob:is_quiet())
  end)

  it("cannot come back with another token, to another hub, or over another protocol", function()
    local hub = server:hub("strict")
    local alice = connect(hub, { user = "alice" })
    cut(alice)
    local token = alice.greeting.reconnectionToken
    assert.equal(1008, (recover(hub, alice, token:reverse()):closed()))
    assert.equal(1008, (recover(hub, alice, "x"):closed()))
    assert.equal(1008, (recover(server:hub("other"), alice):closed()))
    assert.equal(1008, (recover(hub, { id = "none", token = token }):closed()))
    assert.equal(1008, (hub:connect { ungreeted = true, query = ("awps_connection_id=%s&awps_reconnection_token=%s")
      :format(alice.id, token) }:closed()))
    assert.equal(alice.id, come_back(hub, alice).id)
  end)

  it("cannot come back when it took leave, was closed or broke the protocol", function()
    local hub = server:hub("ended")
    local left, closed, rude = connect(hub), connect(hub, { user = "closed" }), connect(hub)
    left:close()
    hub:call("POST", "/users/closed/:closeConnections")
    rude:ask("[")
    for _, client in ipairs { left, closed, rude } do
      assert.equal(1008, (recover(hub, client):closed()))
    end
  end)

  it("is closed for good while it is away when a server closes it", function()
    local hub = server:hub("closed_away")
    local alice = connect(hub, { user = "alice" })
    cut(alice)
    assert.equal(204, hub:call("POST", "/users/alice/:closeConnections").status)
    assert.equal(404, hub:call("HEAD", "/users/alice").status)
    assert.equal(1008, (recover(hub, alice):closed()))
  end)

  it("loses its place when too much waits for it", function()
    local hub = server:hub("bounds")
    local alice = connect(hub, { user = "alice" })
    cut(alice)
    local body = ("x"):rep(1024 * 1024)
    local sent = 0
    repeat
      hub:send("/users/alice/:send", body)
      sent = sent + 1
    until hub:call("HEAD", "/users/alice").status == 404 or sent == 20
    assert.equal(8, sent)
    assert.equal(1008, (recover(hub, alice):closed()))
  end)

  it("is sent away for an acknowledgement that is none", function()
    for _, id in ipairs { '"1"', "-1", "1.5", "null" } do
      local alice = connect(server:hub("bad_ack"))
      assert.equal("The sequenceAck message is invalid: 'sequenceId' has to be an unsigned integer.",
        alice:ask('{"type":"sequenceAck","sequenceId":' .. id .. "}").message)
      assert.equal(1008, (alice:closed()))
    end
  end)

  it("is gone, with its event, when it stays away for too long", function()
    local handler = scripted_server.start()
    handler:script { steps.reply { status = 200, headers = { ["WebHook-Allowed-Origin"] = "*" } },
      default = steps.reply { status = 204 } }
    local other = support.launch { keep_seconds = 0.3, event_handler = handler.origin }
    local alice = connect(other, { user = "alice", groups = { "g" } })
    cut(alice)
    local again = come_back(other, alice) -- in time
    cut(again)
    wait.until_true(function() return other:call("HEAD", "/users/alice").status == 404 end, SECONDS, "its end")
    assert.equal(404, other:call("HEAD", "/groups/g").status)
    assert.equal(1008, (recover(other, alice):closed()))
    local names = {}
    for _, request in ipairs(wait.until_true(function()
      local requests = handler:requests()
      return requests[4] and requests
    end, SECONDS, "the event")) do
      names[#names + 1] = request.headers:get("ce-eventName")
    end
    assert.same({ "connect", "connected", "disconnected" }, names)
    assert.equal("the line was cut, and the client did not come back within 0.3 s",
      json.decode(handler:requests()[4].body).reason)
    other.stop()
    handler:stop()
  end)
end)
