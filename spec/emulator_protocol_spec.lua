-- luacheck: std lua54+busted
if _VERSION ~= "Lua 5.4" then
  return -- the emulator runs on Lua 5.4 only
end

local support = require "spec.support.emulator_client"

local auth = require "webpubsub.emulator.auth"

local EVERYTHING = { "webpubsub.joinLeaveGroup", "webpubsub.sendToGroup" }

describe("emulator, the clients' protocol:", function()
  local server

  setup(function() server = support.launch() end)
  teardown(function() server.stop() end)

  it("takes data without a type for JSON", function()
    local hub = server:hub("default_type")
    local alice = hub:connect { roles = EVERYTHING, groups = { "g" } }
    local raw = hub:connect { raw = true, groups = { "g" } }
    alice:send('{"type":"sendToGroup","group":"g","noEcho":true,"data":"text"}')
    assert.equal('"text"', (raw:receive_text()))
    assert.equal("json", alice:ask('{"type":"sendToGroup","group":"g","data":"text"}').dataType)
  end)

  describe("an unsupported request", function()
    local alice

    setup(function() alice = server:hub("unsupported"):connect { roles = EVERYTHING } end)

    for request, expected in pairs {
      ['{"type":"invoke","invocationId":"i1","target":"event","event":"e","dataType":"text","data":"x"}'] = {
        type = "invokeResponse", invocationId = "i1", success = false,
        error = { name = "NotSupported", message = "Invocations are not part of this emulator." },
      },
      ['{"type":"sendToGroup","group":"g","stream":{"streamId":"s1"}}'] = {
        type = "streamClosed", streamId = "s1",
        error = { name = "NotSupported", message = "Group streams are not part of this emulator." },
      },
      ['{"type":"streamData","streamId":"s2","streamSequenceId":1,"dataType":"text","data":"x"}'] = {
        type = "streamClosed", streamId = "s2",
        error = { name = "NotSupported", message = "Group streams are not part of this emulator." },
      },
      ['{"type":"streamEnd","streamId":"s3"}'] = {
        type = "streamClosed", streamId = "s3",
        error = { name = "NotSupported", message = "Group streams are not part of this emulator." },
      },
      ['{"type":"setGroupState","group":"g","ackId":1,"state":{}}'] = {
        type = "ack", ackId = 1, success = false,
        error = { name = "NotSupported", message = "Group state is not part of this emulator." },
      },
      ['{"type":"subscribeGroupState","group":"g","ackId":2}'] = {
        type = "ack", ackId = 2, success = false,
        error = { name = "NotSupported", message = "Group state is not part of this emulator." },
      },
      ['{"type":"unsubscribeGroupState","group":"g","ackId":3}'] = {
        type = "ack", ackId = 3, success = false,
        error = { name = "NotSupported", message = "Group state is not part of this emulator." },
      },
    } do
      it("is answered: " .. request, function()
        assert.same(expected, alice:ask(request))
        assert.truthy(alice:is_quiet())
      end)
    end

    it("does not end the connection, even where it has no response", function()
      for _, request in ipairs {
        '{"type":"cancelInvocation","invocationId":"i1"}', '{"type":"invokeResponse","invocationId":"i1"}',
        '{"type":"setGroupState","group":"g"}',
      } do
        alice:send(request)
        assert.truthy(alice:is_quiet())
      end
    end)
  end)

  describe("the choice of the sub-protocol", function()
    local function choose(offered)
      local hub = server:hub("choice")
      local token = auth.client_token(server.emulator.key, { audience = hub:audience() })
      return hub:handshake_status("/client/hubs/choice?access_token=" .. token,
        { ["sec-websocket-protocol"] = offered })
    end

    it("falls on JSON where a client offers protobuf first", function()
      local response = choose("protobuf.reliable.webpubsub.azure.v1, protobuf.webpubsub.azure.v1, "
        .. "json.webpubsub.azure.v1")
      assert.same({ 101, "json.webpubsub.azure.v1" },
        { response.status, response.headers:get("sec-websocket-protocol") })
      assert.equal(501, choose("protobuf.webpubsub.azure.v1").status)
      assert.equal(501, choose("chess, protobuf.webpubsub.azure.v1").status)
    end)
  end)

  it("answers Socket.IO and MQTT clients as promised, however they ask", function()
    for _, request in ipairs {
      { "GET", "/clients/socketio/hubs/h/?EIO=4&transport=polling" },
      { "GET", "/clients/socketio/hubs/h/?EIO=4&transport=websocket&access_token=x" },
      { "POST", "/clients/socketio/hubs/h/?EIO=4&transport=polling" },
      { "OPTIONS", "/clients/socketio/hubs/h/" },
      { "GET", "/clients/mqtt/hubs/h" },
    } do
      local response = server:http(request[1], request[2])
      assert.equal(501, response.status, request[2])
      assert.truthy(response.json.message:find("clients are not part of this emulator.", 1, true))
    end
  end)

  it("refuses groups in a token that are blank or too long", function()
    for _, group in ipairs { " ", "", ("g"):rep(1025) } do
      local hub = server:hub("bad_groups")
      local token = auth.client_token(server.emulator.key, { audience = hub:audience(), groups = { "ok", group } })
      local response = hub:handshake_status("/client/hubs/bad_groups?access_token=" .. token)
      assert.same({ 400, "group" }, { response.status, response.json.target })
    end
    assert.equal(404, server:hub("bad_groups"):call("HEAD", "/groups/ok").status)
  end)
end)
