-- luacheck: std lua54+busted
if _VERSION ~= "Lua 5.4" then
  return -- the emulator runs on Lua 5.4 only
end

local support = require "spec.support.emulator_client"

local role_patterns = require "webpubsub.emulator.role_patterns"

describe("emulator, roles with patterns:", function()
  for pattern, groups in pairs {
    -- the examples of the vendor's page
    ["chat-*"] = { ["chat-1"] = true, ["chat-room"] = true, ["chat.1"] = false, ["xchat-1"] = false },
    ["clientA.*"] = {
      ["clientA.alpha"] = true, ["clientA.1"] = true, ["clientA.alpha.room1"] = false, ["clientB.alpha"] = false,
    },
    ["clientA.**"] = {
      ["clientA.alpha"] = true, ["clientA.alpha.room1"] = true, ["clientB.anything"] = false,
    },
    ["clientA.rooms.?1"] = {
      ["clientA.rooms.a1"] = true, ["clientA.rooms.11"] = true, ["clientA.rooms.1"] = false,
      ["clientA.rooms.a.1"] = false,
    },
    ["literal\\*star"] = { ["literal*star"] = true, literalXstar = false },
    -- and what they leave open
    ["**"] = { ["any.thing"] = true },
    ["*"] = { anything = true, ["any.thing"] = false },
    ["?"] = { ["ü"] = true, ["."] = false, ab = false },
    ["a\\\\b\\?"] = { ["a\\b?"] = true, ["a\\bc"] = false },
    ["a*b*c*d*e*"] = { abcde = true, ["a1b2c3d4e5"] = true, abcd = false },
    ["(%a+)[x]"] = { ["(%a+)[x]"] = true, ax = false },
  } do
    it(pattern .. " stands for what it should", function()
      local matches = assert(role_patterns.compile(pattern))
      for group, expected in pairs(groups) do
        assert.equal(expected, matches(group), group)
      end
    end)
  end

  it("have at most five stars, and a backslash only where it takes a meaning away", function()
    assert.truthy(role_patterns.compile("**.**.*"))
    for pattern, message in pairs {
      ["**.**.**"] = "it has 6 '*', at most 5 are allowed",
      ["a\\b"] = "a '\\' has to stand before '\\', '*' or '?'",
      ["a\\"] = "a '\\' has to stand before '\\', '*' or '?'",
      [""] = "it is empty or no UTF-8",
    } do
      assert.same({ nil, message }, { role_patterns.compile(pattern) })
    end
  end)

  it("are matched in a time that a hostile name cannot stretch", function()
    local matches = assert(role_patterns.compile("*a*a*a*a*b"))
    local started = os.clock()
    assert.is_false(matches(("a"):rep(1024)))
    assert.truthy(os.clock() - started < 0.5)
  end)

  describe("in a token", function()
    local server

    setup(function() server = support.launch() end)
    teardown(function() server.stop() end)

    local function may(client, request, group, ack_id)
      return client:ask(('{"type":"%s","group":"%s","dataType":"text","data":"x","ackId":%d}'):format(
        request, group, ack_id)).success
    end

    it("grant what they match, beside roles for one group", function()
      local alice = server:connect { roles = {
        "webpubsub.joinLeaveGroups.rooms.*", "webpubsub.sendToGroups.out-?", "webpubsub.sendToGroup.exact.*",
      } }
      assert.is_true(may(alice, "joinGroup", "rooms.1", 1))
      assert.is_false(may(alice, "joinGroup", "rooms.1.2", 2))
      assert.is_false(may(alice, "sendToGroup", "rooms.1", 3))
      assert.is_true(may(alice, "sendToGroup", "out-1", 4))
      assert.is_true(may(alice, "sendToGroup", "exact.*", 5))
      assert.is_false(may(alice, "sendToGroup", "exact.x", 6))
    end)

    it("do not survive that the permission for one of their groups is revoked", function()
      local alice = server:connect { roles = { "webpubsub.joinLeaveGroups.**" } }
      local path = "/permissions/joinLeaveGroup/connections/" .. alice.id
      assert.equal(200, server:call("HEAD", path .. "?targetName=a").status)
      assert.equal(404, server:call("HEAD", path).status)
      assert.equal(204, server:call("DELETE", path .. "?targetName=a").status)
      assert.is_false(may(alice, "joinGroup", "a", 1))
      assert.is_true(may(alice, "joinGroup", "b", 2))
    end)

    it("grant nothing when they are wrong, and the log says why", function()
      local alice = server:connect { roles = { "webpubsub.joinLeaveGroups.***.***" } }
      assert.is_false(may(alice, "joinGroup", "a.b", 1))
      local log = assert(io.open(server.emulator.log_path))
      local text = log:read("*a")
      log:close()
      assert.truthy(text:find("the role 'webpubsub.joinLeaveGroups.***.***' grants nothing: it has 6 '*', "
        .. "at most 5 are allowed", 1, true), text)
    end)
  end)
end)
