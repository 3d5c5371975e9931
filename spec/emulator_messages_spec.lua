-- luacheck: std lua54+busted
if _VERSION ~= "Lua 5.4" then
  return -- the emulator runs on Lua 5.4 only
end

local support = require "spec.support.emulator_client"

local base64 = require "webpubsub.emulator.base64"
local filter = require "webpubsub.emulator.filter"

describe("emulator, messages and groups:", function()
  local server

  setup(function() server = support.launch() end)
  teardown(function() server.stop() end)

  local MIB = 1024 * 1024

  describe("sending", function()
    local hub, alice, bob, raw

    setup(function()
      hub = server:hub("send")
      alice = hub:connect { user = "alice", groups = { "g" } }
      bob = hub:connect { user = "bob" }
      raw = hub:connect { user = "carol", raw = true, groups = { "g" } }
    end)

    local function assert_accepted(response)
      assert.equal(202, response.status)
      assert.equal("", response.body)
    end

    it("reaches everyone, in three data types", function()
      assert_accepted(hub:send("/:send", "grüße"))
      assert.same({ type = "message", from = "server", dataType = "text", data = "grüße" }, alice:receive())
      assert.same("grüße", bob:receive().data)
      assert.same({ "grüße", "text" }, { raw:receive_text() })

      assert_accepted(hub:send("/:send", "\0\255", "application/octet-stream"))
      assert.same({ type = "message", from = "server", dataType = "binary", data = "AP8=" }, alice:receive())
      assert.same("binary", bob:receive().dataType)
      assert.same({ "\0\255", "binary" }, { raw:receive_text() })

      assert_accepted(hub:send("/:send", '{ "list": [], "n": 12345678901234567890 }', "application/json; charset=x"))
      assert.equal('{"type":"message","from":"server","dataType":"json",'
        .. '"data":{ "list": [], "n": 12345678901234567890 }}', (alice:receive_text()))
      assert.same("json", bob:receive().dataType)
      assert.same({ '{ "list": [], "n": 12345678901234567890 }', "text" }, { raw:receive_text() })
    end)

    it("reaches a user, a connection, a group, and nobody else", function()
      assert_accepted(hub:send("/users/bob/:send", "to bob"))
      assert.equal("to bob", bob:receive().data)
      assert_accepted(hub:send("/connections/" .. alice.id .. "/:send", "to alice"))
      assert.equal("to alice", alice:receive().data)
      assert_accepted(hub:send("/groups/g/:send", "to g"))
      assert.equal('{"type":"message","from":"group","fromUserId":null,"group":"g","dataType":"text","data":"to g"}',
        (alice:receive_text()))
      assert.equal("to g", (raw:receive_text()))
      assert.truthy(alice:is_quiet())
      assert.truthy(bob:is_quiet())
    end)

    it("accepts messages for nobody", function()
      assert_accepted(hub:send("/users/nobody/:send", "x"))
      assert_accepted(hub:send("/connections/none/:send", "x"))
      assert_accepted(hub:send("/groups/none/:send", "x"))
    end)

    it("leaves out the excluded and those a filter does not match", function()
      assert_accepted(hub:send("/:send?filter=userId%20eq%20'alice'", "filtered"))
      assert.equal("filtered", alice:receive().data)
      assert_accepted(hub:send("/groups/g/:send?excluded=" .. alice.id, "excluding"))
      assert.equal("excluding", (raw:receive_text()))
      assert_accepted(hub:send("/users/alice/:send?filter='other'%20in%20groups", "not in the group"))
      assert.truthy(alice:is_quiet())
      assert.truthy(bob:is_quiet())
    end)

    it("refuses a filter that is not valid and says where", function()
      local response = hub:send("/:send?filter=invalid%20filter", "x")
      assert.equal(400, response.status)
      assert.equal("application/problem+json; charset=utf-8", response.headers:get("content-type"))
      assert.equal("filter", response.json.target)
      assert.equal("Invalid syntax for 'invalid filter': Syntax error at position 14 in 'invalid filter'. "
        .. "(Parameter 'filter')", response.json.message)
    end)

    it("takes a time to live of 0 to 300 seconds", function()
      assert_accepted(hub:send("/users/nobody/:send?messageTtlSeconds=0", "x"))
      assert_accepted(hub:send("/users/nobody/:send?messageTtlSeconds=300", "x"))
      for _, seconds in ipairs { "301", "-1", "1.5", "soon" } do
        local response = hub:send("/:send?messageTtlSeconds=" .. seconds, "x")
        assert.equal(400, response.status)
        assert.equal("messageTtlSeconds", response.json.target)
      end
    end)

    it("refuses other content types, bodies that are not what they say, and bodies without a length", function()
      local response = hub:send("/:send", "x", "image/png")
      assert.equal(415, response.status)
      assert.equal("Error.UnsupportedMediaType", response.json.code)
      assert.equal(415, hub:call("POST", "/:send", { body = "x" }).status)
      assert.equal(400, hub:send("/:send", "{broken", "application/json").status)
      assert.equal(400, hub:send("/:send", "\255", "text/plain").status)
      assert.equal(411, hub:call("POST", "/:send",
        { body = "x", chunked = true, headers = { ["content-type"] = "text/plain" } }).status)
    end)

    it("takes a body of 1 MiB, not a byte more, and goes on serving", function()
      assert_accepted(hub:send("/users/alice/:send", ("x"):rep(MIB)))
      assert.equal(MIB, #alice:receive().data)
      local response = hub:send("/users/alice/:send", ("x"):rep(MIB + 1))
      assert.equal(413, response.status)
      assert.truthy(alice:is_quiet())
      assert.truthy(bob:is_quiet())
    end)
  end)

  describe("groups", function()
    local function groups_of(hub, id, names)
      local found = {}
      for _, name in ipairs(names) do
        for _, member in ipairs(hub:call("GET", "/groups/" .. name .. "/connections").json.value) do
          if member.connectionId == id then
            found[#found + 1] = name
          end
        end
      end
      return table.concat(found, " ")
    end

    it("takes one connection in and out", function()
      local hub = server:hub("group_connection")
      local alice = hub:connect()
      assert.equal(200, hub:call("PUT", "/groups/a/connections/" .. alice.id).status)
      assert.equal(200, hub:call("PUT", "/groups/b/connections/" .. alice.id).status)
      assert.equal("a b", groups_of(hub, alice.id, { "a", "b" }))
      assert.equal(204, hub:call("DELETE", "/groups/a/connections/" .. alice.id).status)
      assert.equal("b", groups_of(hub, alice.id, { "a", "b" }))
      assert.equal(204, hub:call("DELETE", "/connections/" .. alice.id .. "/groups").status)
      assert.equal("", groups_of(hub, alice.id, { "a", "b" }))
      assert.equal(404, hub:call("HEAD", "/groups/b").status)
    end)

    it("reports a connection that is not there when it is added, not when it is removed", function()
      local response = server:call("PUT", "/groups/a/connections/none")
      assert.equal(404, response.status)
      assert.equal("Error.Connection.NotExisted", response.headers:get("x-ms-error-code"))
      assert.equal('{"code":"Error.Connection.NotExisted","message":"Connection `none` is not found.",'
        .. '"target":"Connection","details":null,"inner":null}', response.body)
      assert.equal(204, server:call("DELETE", "/groups/a/connections/none").status)
      assert.equal(204, server:call("DELETE", "/connections/none/groups").status)
    end)

    it("takes all connections of a user in and out", function()
      local hub = server:hub("group_user")
      local one, two = hub:connect { user = "alice" }, hub:connect { user = "alice" }
      assert.equal(200, hub:call("PUT", "/users/alice/groups/a").status)
      assert.equal(200, hub:call("PUT", "/users/alice/groups/b").status)
      assert.equal("a b", groups_of(hub, one.id, { "a", "b" }))
      assert.equal("a b", groups_of(hub, two.id, { "a", "b" }))
      assert.equal(204, hub:call("DELETE", "/users/alice/groups/a").status)
      assert.equal("b", groups_of(hub, one.id, { "a", "b" }))
      assert.equal(204, hub:call("DELETE", "/users/alice/groups").status)
      assert.equal("", groups_of(hub, two.id, { "a", "b" }))
      local response = hub:call("PUT", "/users/nobody/groups/a")
      assert.equal(404, response.status)
      assert.equal("Warning.User.NotExisted", response.json.code)
      assert.equal(204, hub:call("DELETE", "/users/nobody/groups/a").status)
    end)

    it("takes in and out the connections a filter matches", function()
      local hub = server:hub("group_filter")
      local alice, bob = hub:connect { user = "alice" }, hub:connect { user = "bob" }
      local function change(operation, body)
        return hub:call("POST", operation, { body = body, headers = { ["content-type"] = "application/json" } })
      end
      assert.equal(200, change("/:addToGroups", [[{"groups":["a","b"],"filter":"userId eq 'alice'"}]]).status)
      assert.equal("a b", groups_of(hub, alice.id, { "a", "b" }))
      assert.equal("", groups_of(hub, bob.id, { "a", "b" }))
      assert.equal(200, change("/:addToGroups", [[{"groups":["b"],"filter":null}]]).status)
      assert.equal("b", groups_of(hub, bob.id, { "a", "b" }))
      assert.equal(200, change("/:removeFromGroups", [[{"groups":["b"],"filter":"'a' in groups"}]]).status)
      assert.equal("a", groups_of(hub, alice.id, { "a", "b" }))
      assert.equal("b", groups_of(hub, bob.id, { "a", "b" }))
      for target, body in pairs {
        body = "[",
        Groups = "{}",
        Filter = [[{"groups":["a"],"filter":"userId eq"}]],
      } do
        local response = change("/:addToGroups", body)
        assert.equal(400, response.status)
        assert.equal(target, response.json.target)
      end
      assert.equal("Groups", change("/:addToGroups", '{"groups":[" "]}').json.target)
      assert.equal("Filter", change("/:addToGroups", '{"groups":["a"],"filter":1}').json.target)
      local untyped = hub:call("POST", "/:addToGroups", { body = '{"groups":["a"]}' })
      assert.same({ 415, "Error.UnsupportedMediaType" }, { untyped.status, untyped.json.code })
      for _, body in ipairs {
        '{"groups":["\255"]}', [[{"groups":["a"],"filter":"substring('\xFF',0) eq ''"}]], '{"groups":["a",null]}',
      } do
        assert.equal(400, change("/:addToGroups", body:gsub("\\xFF", "\255")).status, body)
      end
    end)
  end)

  describe("a filter", function()
    local alice = { user = "alice", id = "1a", groups = { a = true, b = true } }
    local quoted = { user = "vic's", id = "2b", groups = {} }
    local nobody = { id = "3c", groups = { a = true } }

    local function matching(text)
      local matches = assert(filter.compile(text))
      local ids = {}
      for _, connection in ipairs { alice, quoted, nobody } do
        if matches(connection) then
          ids[#ids + 1] = connection.id
        end
      end
      return table.concat(ids, " ")
    end

    for text, expected in pairs {
      ["userId eq 'alice'"] = "1a",
      ["USERID eq 'alice'"] = "1a",
      ["userId eq 'Alice'"] = "",
      ["userId eq 'vic''s'"] = "2b",
      ["userId ne 'alice'"] = "2b 3c",
      ["userId eq null"] = "3c",
      ["null ne userId"] = "1a 2b",
      ["userId gt 'b'"] = "2b",
      ["userId le 'alice'"] = "1a",
      ["connectionId ge '2'"] = "2b 3c",
      ["connectionId lt '2'"] = "1a",
      ["'a' in groups"] = "1a 3c",
      ["'b' in (groups)"] = "1a",
      ["not ('a' in groups)"] = "2b",
      ["'a' in groups and not('b' in groups)"] = "3c",
      ["userId in ('alice', 'vic''s')"] = "1a 2b",
      ["userId in (null)"] = "3c",
      ["userId eq 'alice' or 'a' in groups and userId eq null"] = "1a 3c",
      ["(userId eq 'alice' or 'a' in groups) and userId eq null"] = "3c",
      ["true"] = "1a 2b 3c",
      ["not true"] = "",
      ["1 lt 2 and -1 lt +1"] = "1a 2b 3c",
      ["startswith(userId, 'al')"] = "1a",
      ["endswith(userId, '''s')"] = "2b",
      ["contains(userId, 'ic')"] = "1a 2b",
      ["indexof(userId, 'c') eq 3"] = "1a",
      ["length(userId) eq 5"] = "1a 2b",
      ["length(groups) gt 1"] = "1a",
      ["substring(userId, 1, 2) eq 'li'"] = "1a",
      ["substring(userId, 3) eq '''s'"] = "2b",
      ["toupper(concat(userId, '!')) eq 'ALICE!'"] = "1a",
      ["tolower(trim(' ALICE ')) eq userId"] = "1a",
    } do
      it("can say " .. text, function() assert.equal(expected, matching(text)) end)
    end

    for text, expected in pairs {
      [""] = "Syntax error at position 0",
      ["userId eq"] = "Syntax error at position 9",
      ["userId eq 'alice"] = "Syntax error at position 16",
      ["userId eq alice"] = "Unknown identifier 'alice'",
      ["userId = 'alice'"] = "Syntax error at position 8",
      ["userId"] = "Type 'string', expect 'bool'",
      ["userId eq 5"] = "Type 'int', expect 'string'",
      ["not userId eq 'alice'"] = "Type 'string', expect 'bool'",
      ["groups eq 'a'"] = "Type 'groups', expect 'string'",
      ["true gt false"] = "Type 'bool', expect 'string'",
      ["1 in groups"] = "Type 'int', expect 'string'",
      ["'a' in userId"] = "Type 'string', expect 'groups'",
      ["'a' in ('a', groups)"] = "Syntax error",
      ["'a' in (groups, 'a')"] = "Syntax error",
      ["userId in (1)"] = "Type 'int', expect 'string'",
      ["reverse(userId) eq 'x'"] = "Unknown function 'reverse'",
      ["length(userId, 1) eq 2"] = "Function 'length' takes 1 arguments, got 2",
      ["length(1) eq 2"] = "Type 'int', expect 'string groups'",
      ["(userId eq 'alice'"] = "Syntax error at position 18",
      ["userId eq 99999999999999999999"] = "Syntax error at position 30",
    } do
      it("cannot say " .. (text == "" and "nothing" or text), function()
        local matches, message = filter.compile(text)
        assert.is_nil(matches)
        assert.truthy(message:find("Invalid syntax for '" .. text .. "': " .. expected, 1, true), message)
      end)
    end

    it("is not nested without end", function()
      assert.truthy(filter.compile(("("):rep(49) .. "true" .. (")"):rep(49)))
      local _, message = filter.compile(("("):rep(5000) .. "true" .. (")"):rep(5000))
      assert.truthy(message:find("nested deeper than 50 levels", 1, true))
    end)

    it("counts characters, not bytes", function()
      local matches = assert(filter.compile("length(userId) eq 5 and substring(userId, 2, 1) eq 'ü'"))
      assert.truthy(matches { user = "grüße" })
    end)
  end)

  describe("its base64", function()
    it("is the inverse of itself, in both alphabets", function()
      for length = 0, 20 do
        local bytes = ("\251\255\190\0a"):rep(4):sub(1, length)
        assert.equal(bytes, base64.decode(base64.encode(bytes)))
        assert.equal(bytes, base64.decode_url(base64.encode_url(bytes)))
        assert.is_nil(base64.encode_url(bytes):find("[+/=]"))
      end
    end)

    it("knows what is not base64", function()
      for _, text in ipairs { "a", "ab", "a===", "ab=c", "ab cd===", "____" } do
        assert.is_nil(base64.decode(text), text)
      end
      assert.is_nil(base64.decode_url("ab=="))
      assert.is_nil(base64.decode_url("a+b/"))
    end)
  end)
end)
