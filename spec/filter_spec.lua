-- Filters: how values are quoted, what is refused, and that the service finds exactly the connections that are meant.

local calls = require("spec.support.calls")
local filter = require("webpubsub.filter")
local launch = require("webpubsub.emulator.launch")
local webpubsub = require("webpubsub")
local websocket_clients = require("spec.support.websocket_clients")

local unpack = table.unpack or unpack -- luacheck: ignore 113 143

local LARGEST = 9007199254740992 -- 2^53
local HAS_INTEGERS = LARGEST + 1 > LARGEST -- a double cannot tell them apart

local function refused(...)
  local err = calls.refusal(filter, ...)
  assert.are.same({ "argument", "filter", "filter" }, { err.kind, err.argument, err.operation })
  return err
end

describe("a filter's value", function()
  local written = {
    { "alice", "'alice'" },
    { "", "''" },
    { "vic's", "'vic''s'" },
    { "'", "''''" },
    { "''", "''''''" },
    { "' or true or '", "''' or true or '''" },
    { "x' eq 'x", "'x'' eq ''x'" },
    { [["double" and `back`]], [['"double" and `back`']] },
    { [[back\slash\']], [['back\slash\''']] },
    { "%s", "'%s'" },
    { "%1%%", "'%1%%'" },
    { "a\0b", "'a\0b'" },
    { "line\r\nline", "'line\r\nline'" },
    { "zoë 中文 😀", "'zoë 中文 😀'" },
    { "null", "'null'" },
    { "12", "'12'" },
    { 0, "0" },
    { -0.0, "0" },
    { 12, "12" },
    { -7, "-7" },
    { 1e6, "1000000" },
    { LARGEST, "9007199254740992" },
    { -LARGEST, "-9007199254740992" },
    { true, "true" },
    { false, "false" },
  }
  for _, case in ipairs(written) do
    it(("%q is written %q"):format(tostring(case[1]), case[2]), function()
      assert.are.equal("a eq " .. case[2], filter("a eq %s", case[1]))
    end)
  end

  it("nil is written null, wherever it stands", function()
    assert.are.equal("userId eq null", filter("userId eq %s", nil))
    assert.are.equal("null eq 1", filter("%s eq %s", nil, 1))
    assert.are.equal("1 eq null", filter("%s eq %s", 1, nil))
  end)

  it("may be very long", function()
    local quotes = ("'"):rep(100000)
    assert.are.equal("a eq '" .. quotes .. quotes .. "'", filter("a eq %s", quotes))
  end)

  it("is never read as a template", function()
    assert.are.equal("'%s' eq '%d'", filter("%s eq %s", "%s", "%d"))
  end)

  local refusals = {
    ["half a number"] = { 1.5, "invalid", "whole and within 2^53; it is 1.5" },
    ["NaN"] = { 0 / 0, "invalid", "whole and within 2^53" },
    ["infinity"] = { math.huge, "invalid", "whole and within 2^53; it is inf" },
    ["minus infinity"] = { -math.huge, "invalid", "whole and within 2^53; it is -inf" },
    ["a number beyond 2^53"] = { LARGEST + 2, "invalid", "whole and within 2^53" },
    ["a number below -2^53"] = { -LARGEST - 2, "invalid", "whole and within 2^53" },
    ["a table"] = { {}, "type", "it is a table" },
    ["a function"] = { print, "type", "it is a function" },
    ["userdata"] = { io.stdout, "type", "it is a userdata" },
    ["a coroutine"] = { coroutine.create(function() end), "type", "it is a thread" },
  }
  for what, case in pairs(refusals) do
    it(what .. " is refused", function()
      local err = refused("userId eq 'x' and a eq %s", case[1])
      assert.are.equal(case[2], err.code)
      assert.is_truthy(err.message:find(case[3], 1, true), err.message)
    end)
  end

  if HAS_INTEGERS then
    it("that is an integer is exact up to 2^53 and refused beyond", function()
      assert.are.equal("a eq 9007199254740991", filter("a eq %s", LARGEST - 1))
      for _, value in ipairs({ LARGEST + 1, -LARGEST - 1, 9223372036854775807 }) do
        local err = refused("a eq %s", value)
        assert.are.equal("invalid", err.code)
        assert.is_truthy(err.message:find(tostring(value), 1, true), err.message)
      end
    end)
  end

  it("of the wrong type is named by its position", function()
    assert.is_truthy(refused("a eq %s and b eq %s", "x", {}).message:find("value 2 of the filter", 1, true))
  end)
end)

describe("a filter's template", function()
  local accepted = {
    { "userId eq 'alice'", "userId eq 'alice'" },
    { "userId eq 'vic''s' and %s in groups", "userId eq 'vic''s' and 'g' in groups", "g" },
    { "not(%s in groups)", "not('g' in groups)", "g" },
    { "%s,(%s)=%s", "'a',('b')=1", "a", "b", 1 },
    { "a eq 100%%", "a eq 100%" },
    { "a eq '100%%'", "a eq '100%'" },
    { "a eq '%%s' and b eq %s", "a eq '%s' and b eq 1", 1 },
    { "%%%s%%", "%1%", 1 },
    { "", "" },
    { "a\0b eq %s", "a\0b eq 1", 1 },
  }
  for _, case in ipairs(accepted) do
    it(("%q is filled in"):format(case[1]), function()
      assert.are.equal(case[2], filter(case[1], unpack(case, 3)))
    end)
  end

  local refusals = {
    ["that is no string"] = { "type", "must be a string", 42 },
    ["that is missing"] = { "type", "it is a nil" },
    ["with fewer values than placeholders"] = { "missing", "more placeholders than the 1 values", "%s eq %s", 1 },
    ["with more values than placeholders"] = { "invalid", "1 placeholders for 2 values", "a eq %s", 1, 2 },
    ["with a nil too many"] = { "invalid", "0 placeholders for 1 values", "a eq 1", count = 4 },
    ["with another directive"] = { "invalid", "it has %d", "a eq %d", 1 },
    ["with a per cent sign at its end"] = { "invalid", "it has %", "a eq 100%" },
    ["with a quoted placeholder"] = { "invalid", "leave the quotes out", "a eq '%s'", "x" },
    ["with a placeholder between quotes"] = { "invalid", "leave the quotes out", "a eq 'x %s y' and b eq %s", 1, 2 },
    ["with an open quote"] = { "invalid", "not closed", "a eq 'x" },
    ["with an open quote after a doubled one"] = { "invalid", "not closed", "a eq 'it''s and b eq %s", "x" },
    ["with a placeholder against another"] = { "invalid", "by itself", "a eq %s%s", "x", "y" },
    ["with a placeholder against a quote"] = { "invalid", "by itself", "a eq 'x'%s", "y" },
    ["with a quote against a placeholder"] = { "invalid", "by itself", "a eq %s'x'", "y" },
    ["with a placeholder against a word"] = { "invalid", "by itself", "a eq 1%s", 2 },
    ["with a word against a placeholder"] = { "invalid", "by itself", "a eq %sand", 2 },
    ["whose value would close a quote"] = { "invalid", "not closed", "a eq '%s", "x" },
  }
  for what, case in pairs(refusals) do
    it(what .. " is refused", function()
      local err = refused(unpack(case, 3, case.count or #case))
      assert.are.equal(case[1], err.code)
      assert.is_truthy(err.message:find(case[2], 1, true), err.message)
    end)
  end
end)

describe("the service, asked with a filter,", function()
  local LONG = ("long ' "):rep(140) -- a group has at most 1,024 characters
  local users = { "alice", "vic's", "vics", "'", "''", "' or true or '", "x' eq 'x", "alice' or 'a' eq 'a", "%s",
    "100%", [[back\slash]], [["double"]], "zoë 中文 😀", "null", "true", "12", "two\nlines", "a\0b", "a", LONG }
  local emulator, client, sockets

  setup(function()
    emulator = launch({ quiet = true })
    client = webpubsub.new({ connection_string = emulator.connection_string, hub = "filters", proxy = false })
    local identities = {}
    for index, user in ipairs(users) do identities[index] = { user = user, groups = { "all", "of " .. user } } end
    identities[#identities + 1] = { groups = { "all" } } -- nobody
    sockets = websocket_clients.connect(emulator, "filters", identities)
  end)
  teardown(function()
    sockets:stop()
    emulator.stop()
  end)

  -- The users of the connections that a filter chooses; "(nobody)" for a connection without one.
  local function chosen(text)
    client:add_connections_to_groups({ groups = { "chosen" }, filter = text })
    local names = {}
    for member in client:list_connections_in_group({ group = "chosen" }) do
      names[#names + 1] = member.user or "(nobody)"
    end
    client:remove_connections_from_groups({ groups = { "chosen" } })
    table.sort(names)
    return names
  end

  it("finds each user, and that one only", function()
    for _, user in ipairs(users) do
      assert.are.same({ user }, chosen(filter("userId eq %s", user)), user)
      assert.are.same({ user }, chosen(filter("%s in groups", "of " .. user)), user)
      assert.are.equal(#users, #chosen(filter("userId ne %s", user)), user)
    end
  end)

  it("finds connections by id", function()
    assert.are.same({ "vic's" }, chosen(filter("connectionId eq %s", sockets.ids[2])))
    assert.are.same({}, chosen(filter("connectionId eq %s", sockets.ids[2] .. "' or 'a' eq 'a")))
  end)

  it("takes numbers, booleans and null", function()
    assert.are.same({ "'", "a" }, chosen(filter("length(userId) eq %s", 1)))
    assert.are.same({ "vic's", "vics" }, chosen(filter("startswith(userId, %s) eq %s", "vic", true)))
    assert.are.same({ "(nobody)" }, chosen(filter("userId eq %s", nil)))
    assert.are.same({}, chosen(filter("length(userId) gt %s", LARGEST)))
    assert.are.equal(#users, #chosen(filter("length(userId) gt %s", -LARGEST)))
  end)

  it("says where a filter that was put together by hand is wrong", function()
    local err = calls.refusal(client.send_to_all, client, { content = "x", filter = "userId eq 'vic's'" })
    assert.are.same({ "service", 400, "filter" }, { err.kind, err.status, err.target })
  end)
end)
