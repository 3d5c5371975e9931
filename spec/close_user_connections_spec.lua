-- The main job, and the operations around it, with WebSocket clients that see what happens to them.

local webpubsub = require("webpubsub")
local launch = require("webpubsub.emulator.launch")
local websocket_clients = require("spec.support.websocket_clients")

local CLOSED = 1000 -- the close code of a connection that the service ended on request
local SENTENCE = "Application server closed the connection."

local emulator, client, hub, sockets
local hubs = 0

setup(function() emulator = launch({ quiet = true }) end)
teardown(function() emulator.stop() end)

before_each(function()
  hubs = hubs + 1
  hub = "hub" .. hubs
  client = webpubsub.new({ connection_string = emulator.connection_string, hub = hub, proxy = false })
end)
after_each(function()
  if sockets then sockets:stop() end
  sockets = nil
end)

local function connect(identities)
  sockets = websocket_clients.connect(emulator, hub, identities)
end

local function assert_closed(index, message)
  assert.are.same({ code = CLOSED, reason = "", message = message or SENTENCE }, sockets:ended(index))
end

describe("close_user_connections", function()
  it("closes every connection of the user, and nobody else's", function()
    connect({ { user = "alice" }, { user = "alice" }, { user = "bob" }, {} })
    local response = client:close_user_connections({ user = "alice", reason = "signed in elsewhere" })
    assert.are.equal(204, response.status)
    assert.are.equal("", response.body)
    assert.is_false(response.is_error)
    for index = 1, 2 do assert_closed(index, SENTENCE .. " Reason: signed in elsewhere") end
    for index = 3, 4 do assert.is_true(sockets:stayed(index)) end
    assert.is_false(client:user_exists({ user = "alice" }))
    assert.is_true(client:user_exists({ user = "bob" }))
  end)

  it("needs no reason", function()
    connect({ { user = "alice" } })
    client:close_user_connections({ user = "alice" })
    assert_closed(1)
  end)

  it("closes clients without a sub-protocol, who are told no reason", function()
    connect({ { user = "alice", raw = true } })
    client:close_user_connections({ user = "alice", reason = "unheard" })
    assert.are.same({ code = CLOSED, reason = "" }, sockets:ended(1))
  end)

  it("spares the excluded connections", function()
    connect({ { user = "alice" }, { user = "alice" }, { user = "alice" } })
    client:close_user_connections({ user = "alice", excluded = { sockets.ids[1], sockets.ids[3] } })
    assert_closed(2)
    assert.is_true(sockets:stayed(1))
    assert.is_true(sockets:stayed(3))
  end)

  it("takes hundreds of excluded connections, each for itself", function()
    connect({ { user = "alice" }, { user = "alice" }, { user = "alice" } })
    local excluded = {}
    for i = 1, 200 do excluded[i] = ("%032x"):format(i) end
    excluded[150] = sockets.ids[2]
    excluded[151] = " " .. sockets.ids[1] -- exact, so not his
    excluded[152] = sockets.ids[1] .. "," .. sockets.ids[3]
    client:close_user_connections({ user = "alice", excluded = excluded })
    assert_closed(1)
    assert_closed(3)
    assert.is_true(sockets:stayed(2))
  end)

  it("succeeds for a user who is not there, again and again", function()
    for _ = 1, 2 do assert.are.equal(204, client:close_user_connections({ user = "nobody" }).status) end
  end)

  it("says the reason in every letter", function()
    for _, reason in ipairs({
      [[quotes " ' ` and \ backslash]],
      "a&reason=b#c%20d+e=f?g/h;i,j%",
      "żółć 中文 🙂",
      "two\nlines\tand a tab",
      " blanks around ",
    }) do
      connect({ { user = "alice" } })
      client:close_user_connections({ user = "alice", reason = reason })
      assert_closed(1, SENTENCE .. " Reason: " .. reason)
      sockets:stop()
    end
  end)

  it("finds users by ids that URLs would take for something else", function()
    local users = { "a/b", "a+b", "a b", "a%20b", "a%2Fb", "a?b#c", "żółć", "...", "%2e%2ea", "%2", ".hidden", "a;b=c",
      ":closeConnections", "\\...\\" }
    local identities = {}
    for index, user in ipairs(users) do identities[index] = { user = user } end
    connect(identities)
    for index, user in ipairs(users) do
      assert.is_true(client:user_exists({ user = user }), user)
      client:close_user_connections({ user = user, reason = user })
      assert_closed(index, SENTENCE .. " Reason: " .. user)
      assert.is_false(client:user_exists({ user = user }), user)
      for other = index + 1, #users do
        assert.is_true(client:connection_exists({ connection = sockets.ids[other] }), users[other])
      end
    end
  end)

  it("refuses the ids that would close the whole hub, and closes nobody", function()
    connect({ { user = "alice" } })
    for _, user in ipairs({ "", ".", ".." }) do
      local ok, err = pcall(client.close_user_connections, client, { user = user })
      assert.is_false(ok)
      assert.are.same({ "argument", "user" }, { err.kind, err.argument })
    end
    assert.is_true(sockets:stayed(1))
  end)

  it("does not reach into another hub", function()
    connect({ { user = "alice" } })
    local other = webpubsub.new({ connection_string = emulator.connection_string, hub = hub .. "x", proxy = false })
    assert.are.equal(204, other:close_user_connections({ user = "alice" }).status)
    assert.is_true(sockets:stayed(1))
  end)

  it("is refused with the wrong key, and closes nobody", function()
    connect({ { user = "alice" } })
    local stranger = webpubsub.new({ endpoint = emulator.endpoint, key = "another", hub = hub, proxy = false })
    local ok, err = pcall(stranger.close_user_connections, stranger, { user = "alice" })
    assert.is_false(ok)
    assert.are.same({ "service", 401, "invalid_token", 1, false },
      { err.kind, err.status, err.code, err.attempts, err.retryable })
    assert.is_truthy(tostring(err):find("signature is invalid", 1, true), tostring(err))
    assert.is_true(sockets:stayed(1))
    stranger:set_key(emulator.key)
    assert.are.equal(204, stranger:close_user_connections({ user = "alice" }).status)
    assert_closed(1)
  end)
end)

describe("the other closings", function()
  it("close the hub but for the excluded", function()
    connect({ { user = "alice" }, { user = "bob" }, {}, { user = "carol", raw = true } })
    local response = client:close_all_connections({ excluded = { sockets.ids[2] }, reason = "maintenance" })
    assert.are.equal(204, response.status)
    assert_closed(1, SENTENCE .. " Reason: maintenance")
    assert_closed(3, SENTENCE .. " Reason: maintenance")
    assert.are.equal(CLOSED, sockets:ended(4).code)
    assert.is_true(sockets:stayed(2))
  end)

  it("close a group but for the excluded", function()
    local room = "room 1/ü"
    connect({ { groups = { room } }, { groups = { room, "other" } }, { groups = { "other" } } })
    local response = client:close_group_connections({ group = room, excluded = { sockets.ids[2] }, reason = "over" })
    assert.are.equal(204, response.status)
    assert_closed(1, SENTENCE .. " Reason: over")
    assert.is_true(sockets:stayed(2))
    assert.is_true(sockets:stayed(3))
  end)

  it("close one connection", function()
    connect({ { user = "alice" }, { user = "alice" } })
    local response = client:close_connection({ connection = sockets.ids[1], reason = "you & only you" })
    assert.are.equal(204, response.status)
    assert_closed(1, SENTENCE .. " Reason: you & only you")
    assert.is_true(sockets:stayed(2))
    assert.are.equal(204, client:close_connection({ connection = "unknown" }).status)
  end)
end)

describe("the questions", function()
  it("are answered with yes and no", function()
    connect({ { user = "alice", groups = { "room" } } })
    local questions = {
      user_exists = { user = "alice" },
      group_exists = { group = "room" },
      connection_exists = { connection = sockets.ids[1] },
    }
    for name, arguments in pairs(questions) do
      local exists, response = client[name](client, arguments)
      assert.are.same({ true, 200, true }, { exists, response.status, response.exists }, name)
    end
    client:close_all_connections()
    assert_closed(1)
    for name, arguments in pairs(questions) do
      local exists, response = client[name](client, arguments)
      assert.are.same({ false, 404, false }, { exists, response.status, response.is_error }, name)
    end
  end)
end)
