-- luacheck: std lua54+busted
if _VERSION ~= "Lua 5.4" then
  return -- the emulator runs on Lua 5.4 only
end

local support = require "spec.support.emulator_client"

local auth = require "webpubsub.emulator.auth"
local cqueues = require "cqueues"
local json = require "webpubsub.emulator.json"

describe("emulator, WebSocket clients:", function()
  local server

  setup(function() server = support.launch() end)
  teardown(function() server.stop() end)

  local function token(hub, options)
    options = options or {}
    return auth.client_token(options.key or server.emulator.key, {
      audience = options.audience or hub:audience(), user = options.user, seconds = options.seconds,
    })
  end

  describe("the handshake", function()
    local hub

    setup(function() hub = server:hub("handshake") end)

    local function status(query, headers)
      local response = hub:handshake_status("/client/hubs/handshake" .. query, headers)
      return response.status, response.headers:get("www-authenticate")
    end

    it("greets a JSON client with its id, and a raw one with nothing", function()
      local alice = hub:connect { user = "alice" }
      assert.equal("system", alice.greeting.type)
      assert.equal("connected", alice.greeting.event)
      assert.equal("alice", alice.greeting.userId)
      assert.truthy(alice.id:find("^%x+$"))
      assert.equal(32, #alice.id)
      local raw = hub:connect { user = "bob", raw = true }
      assert.is_nil(raw.websocket.protocol)
      hub:send("/users/bob/:send", "first")
      assert.equal("first", (raw:receive_text()))
    end)

    it("takes clients without a user", function()
      local anonymous = hub:connect()
      assert.equal(require("webpubsub.emulator.json").null, anonymous.greeting.userId)
    end)

    it("takes the token from the Authorization header too", function()
      assert.equal(101, (status("", { authorization = "Bearer " .. token(hub) })))
    end)

    it("refuses clients without a valid token", function()
      local function assert_refused(description, query)
        local code, authenticate = status(query)
        assert.equal(401, code)
        assert.equal(('Bearer error="invalid_token", error_description="%s"'):format(description), authenticate)
      end
      assert_refused("There is no access token", "")
      assert_refused("The token is malformed", "?access_token=x")
      assert_refused("The signature is invalid", "?access_token=" .. token(hub, { key = "another" }))
      assert_refused("The audience is invalid", "?access_token=" .. token(server:hub("other")))
      assert_refused("The token is expired", "?access_token=" .. token(hub, { seconds = -301 }))
    end)

    it("refuses a token whose claims are not text", function()
      local bytes = auth.client_token(server.emulator.key, { audience = hub:audience(), user = "\255" })
      assert.equal(401, (status("?access_token=" .. bytes)))
    end)

    it("takes a client whose user is empty as one without a user", function()
      assert.equal(json.null, hub:connect { user = "" }.greeting.userId)
      assert.equal(404, hub:call("HEAD", "/users/%20").status)
    end)

    it("refuses a hub whose name is not valid", function()
      for _, name in ipairs { "1st", "a-b", ("h"):rep(129) } do
        local other = server:hub(name)
        local response = other:handshake_status(("/client/hubs/%s?access_token=%s"):format(name, token(other)))
        assert.equal(400, response.status)
        assert.equal("hub", response.json.target)
      end
    end)

    it("treats a client of an unknown sub-protocol as a raw one", function()
      local client = hub:connect { user = "stranger", subprotocol = "chess", ungreeted = true }
      assert.is_nil(client.websocket.protocol)
      hub:send("/users/stranger/:send", "hello")
      assert.equal("hello", (client:receive_text()))
    end)

    it("says what it leaves out", function()
      assert.equal(501, (status("?access_token=" .. token(hub),
        { ["sec-websocket-protocol"] = "protobuf.webpubsub.azure.v1" })))
      local response = hub:handshake_status("/clients/mqtt/hubs/handshake")
      assert.equal(501, response.status)
      assert.equal("MQTT clients are not part of this emulator.", response.json.message)
      assert.equal(501, hub:handshake_status("/clients/socketio/hubs/handshake").status)
      assert.equal(404, hub:handshake_status("/client/handshake").status)
    end)

    it("answers a plain request with an error that says so", function()
      local response = hub:http("GET", "/client/hubs/handshake?access_token=" .. token(hub))
      assert.equal(400, response.status)
      assert.truthy(response.json.message:find("A WebSocket handshake is expected", 1, true))
    end)

    it("takes a GET only", function()
      for _, method in ipairs { "POST", "HEAD", "OPTIONS" } do
        local response = hub:http(method, "/client/hubs/handshake?access_token=" .. token(hub), { headers = {
          upgrade = "websocket", connection = "upgrade", ["sec-websocket-version"] = "13",
          ["sec-websocket-key"] = "dGhlIHNhbXBsZSBub25jZQ==",
        } })
        assert.same({ 405, "GET" }, { response.status, response.headers:get("allow") })
      end
    end)

    it("writes no token into the log", function()
      local secret = token(hub)
      hub:connect({ token = secret }):close()
      status("?access_token=" .. secret .. "x")
      local file = assert(io.open(server.emulator.log_path))
      local log = file:read("*a")
      file:close()
      assert.truthy(log:find("GET /client/hubs/handshake: 401 The signature is invalid", 1, true))
      assert.is_nil(log:find(secret, 1, true))
      assert.is_nil(log:find("access_token", 1, true))
    end)
  end)

  describe("a JSON client", function()
    local hub, everything

    setup(function()
      hub = server:hub("json")
      everything = { "webpubsub.joinLeaveGroup", "webpubsub.sendToGroup" }
    end)

    it("gets an answer to its ping", function()
      assert.same({ type = "pong" }, hub:connect():ask('{"type":"ping"}'))
    end)

    it("joins, sends to and leaves groups if its roles allow", function()
      local alice, bob = hub:connect { user = "alice", roles = everything }, hub:connect { groups = { "g" } }
      assert.same({ type = "ack", ackId = 1, success = true }, alice:ask('{"type":"joinGroup","group":"g","ackId":1}'))
      alice:send('{"type":"sendToGroup","group":"g","ackId":2,"dataType":"json","data":{"list":[],"n":1.50}}')
      local expected = '{"type":"message","from":"group","fromUserId":"alice","group":"g","dataType":"json",'
        .. '"data":{"list":[],"n":1.50}}'
      assert.equal(expected, (alice:receive_text()))
      assert.equal(expected, (bob:receive_text()))
      assert.same({ type = "ack", ackId = 2, success = true }, alice:receive())
      assert.same(true, alice:ask('{"type":"leaveGroup","group":"g","ackId":3}').success)
      hub:send("/groups/g/:send", "now")
      assert.equal("now", bob:receive().data)
      assert.truthy(alice:is_quiet())
    end)

    it("sends three data types, with or without an echo", function()
      local alice = hub:connect { roles = everything, groups = { "types" } }
      local raw = hub:connect { raw = true, groups = { "types" } }
      alice:send('{"type":"sendToGroup","group":"types","noEcho":true,"dataType":"binary","data":"AP8="}')
      assert.same({ "\0\255", "binary" }, { raw:receive_text() })
      alice:send('{"type":"sendToGroup","group":"types","dataType":"text","data":"text"}')
      assert.same({ "text", "text" }, { raw:receive_text() })
      assert.equal("text", alice:receive().data)
      alice:send('{"type":"sendToGroup","group":"types","noEcho":true,"data":[1, 2]}')
      assert.same({ "[1, 2]", "text" }, { raw:receive_text() })
      assert.truthy(alice:is_quiet())
    end)

    it("is told when it may not", function()
      local alice = hub:connect { roles = { "webpubsub.sendToGroup.mine", "webpubsub.joinLeaveGroup.mine" } }
      for _, request in ipairs { '"joinGroup"', '"leaveGroup"', '"sendToGroup","data":"x"' } do
        local ack = alice:ask(('{"type":%s,"group":"other","ackId":7}'):format(request))
        assert.equal(false, ack.success)
        assert.equal(7, ack.ackId)
        assert.equal("Forbidden", ack.error.name)
        assert.equal(true, alice:ask(('{"type":%s,"group":"mine","ackId":%d}'):format(request, #request)).success)
      end
    end)

    it("may do what it is granted over REST, at once, and no longer what is revoked", function()
      local alice = hub:connect()
      local function join(group, ack_id)
        return alice:ask(('{"type":"joinGroup","group":"%s","ackId":%d}'):format(group, ack_id)).success
      end
      local path = "/permissions/joinLeaveGroup/connections/" .. alice.id
      assert.equal(404, hub:call("HEAD", path .. "?targetName=a").status)
      assert.is_false(join("a", 1))
      assert.equal(200, hub:call("PUT", path .. "?targetName=a").status)
      assert.equal(200, hub:call("HEAD", path .. "?targetName=a").status)
      assert.equal(404, hub:call("HEAD", path).status)
      assert.is_true(join("a", 1))
      assert.is_false(join("b", 2))
      assert.equal(200, hub:call("PUT", path).status)
      assert.equal(200, hub:call("HEAD", path).status)
      assert.is_true(join("b", 2))
      assert.equal(204, hub:call("DELETE", path .. "?targetName=b").status)
      assert.is_false(join("b", 3))
      assert.is_true(join("c", 4))
      assert.equal(404, hub:call("HEAD", path .. "?targetName=b").status)
    end)

    it("has permissions only while it is there", function()
      local grant = hub:call("PUT", "/permissions/sendToGroup/connections/none")
      assert.equal(404, grant.status)
      assert.equal("Info.Connection.NotExisted", grant.headers:get("x-ms-error-code"))
      assert.equal(404, hub:call("HEAD", "/permissions/sendToGroup/connections/none").status)
      assert.equal(204, hub:call("DELETE", "/permissions/sendToGroup/connections/none?targetName=g").status)
      local targetless = hub:call("DELETE", "/permissions/sendToGroup/connections/none")
      assert.same({ 400, "Error.BadRequest", "Request" },
        { targetless.status, targetless.json.code, targetless.json.target })
      assert.is_nil(targetless.json.errors)
      assert.equal("permission", hub:call("PUT", "/permissions/fly/connections/none").json.target)
    end)

    it("is told about a request it sent twice, which is carried out once", function()
      local alice = hub:connect { roles = everything, groups = { "twice" } }
      local request = '{"type":"sendToGroup","group":"twice","ackId":18446744073709551615,"dataType":"text",'
        .. '"data":"x"}'
      assert.equal("x", alice:ask(request).data)
      assert.equal('{"type":"ack","ackId":18446744073709551615,"success":true}', (alice:receive_text()))
      alice:send(request)
      assert.equal('{"type":"ack","ackId":18446744073709551615,"success":false,"error":{"name":"Duplicate",'
        .. '"message":"Message with ack-id: 18446744073709551615 has been processed"}}', (alice:receive_text()))
      assert.truthy(alice:is_quiet())
    end)

    it("is told that nobody handles events", function()
      local ack = hub:connect():ask('{"type":"event","event":"x","ackId":1,"dataType":"text","data":"x"}')
      assert.equal(false, ack.success)
      assert.equal("InternalServerError", ack.error.name)
      assert.equal("Nobody receives the event 'x': the emulator was started without --event-handler.",
        ack.error.message)
    end)

    it("is sent away with a reason when it sends what is no request", function()
      for frame, reason in pairs {
        ["["] = "The frame is not a JSON object: ",
        ["7"] = "The frame is not a JSON object",
        ["{}"] = "The frame has no 'type' that is a string",
        ['{"type":null}'] = "The frame has no 'type' that is a string",
        ['{"type":{}}'] = "The frame has no 'type' that is a string",
        ['{"type":"dance"}'] = "The message type 'dance' is not supported",
        [('{"type":"joinGroup","group":"%s"}'):format(("g"):rep(1025))]
          = "The joinGroup message is invalid: 'group' has to have at most 1024 characters",
        ['{"type":"sendToGroup","group":"g","dataType":{},"data":"x"}']
          = "The sendToGroup message is invalid: 'dataType' is not one of text, json and binary",
        ['{"type":"event","dataType":"text","data":"x"}']
          = "The event message is invalid: 'event' has to be a string that is not empty",
        ['{"type":"event","event":"","dataType":"text","data":"x"}']
          = "The event message is invalid: 'event' has to be a string that is not empty",
        ['{"type":"joinGroup"}'] = "The joinGroup message is invalid: 'group' has to be a string that is not empty",
        ['{"type":"joinGroup","group":"g","ackId":"1"}']
          = "The joinGroup message is invalid: 'ackId' has to be an unsigned integer",
        ['{"type":"joinGroup","group":"g","ackId":' .. ("1"):rep(21) .. '}']
          = "The joinGroup message is invalid: 'ackId' has to be an unsigned integer",
        ['{"type":"sendToGroup","group":"g"}'] = "The sendToGroup message is invalid: 'data' is missing",
        ['{"type":"sendToGroup","group":"g","dataType":"binary","data":"?"}']
          = "The sendToGroup message is invalid: 'data' is not base64",
        ['{"type":"sendToGroup","group":"g","dataType":"text","data":1}']
          = "The sendToGroup message is invalid: 'data' has to be a string when 'dataType' is 'text'",
      } do
        local alice = hub:connect { user = "rude" }
        local farewell = alice:ask(frame)
        assert.equal("disconnected", farewell.event)
        assert.equal(reason, farewell.message:sub(1, #reason))
        assert.equal(1008, (alice:closed()))
      end
      assert.equal(404, hub:call("HEAD", "/users/rude").status)
    end)

    it("cannot have others sent what is not UTF-8", function()
      local alice = hub:connect { roles = { "webpubsub.sendToGroup" }, groups = { "bytes" } }
      local bob = hub:connect { groups = { "bytes" } }
      alice:send('{"type":"sendToGroup","group":"bytes","dataType":"text","data":"\255"}', "binary")
      assert.equal("The frame is not UTF-8.", alice:receive().message)
      assert.equal(1008, (alice:closed()))
      assert.truthy(bob:is_quiet())
    end)

    it("is gone when it leaves", function()
      local alice = hub:connect { user = "leaving", groups = { "left" } }
      alice:close()
      local deadline = cqueues.monotime() + 5
      repeat
        local status = hub:call("HEAD", "/users/leaving").status
      until status == 404 or cqueues.monotime() > deadline
      assert.equal(404, hub:call("HEAD", "/users/leaving").status)
      assert.equal(404, hub:call("HEAD", "/groups/left").status)
    end)
  end)
end)
