-- Messages given as Lua values: what can be meant in one way only is sent as JSON, and everything else is refused.

local calls = require("spec.support.calls")
local cjson = require("cjson")
local core = require("webpubsub.core")
local native = require("spec_native")

local function sent(value)
  return calls.outgoing("send_to_all", { json = value })
end

local function refused(value)
  local err = calls.refusal(calls.prepare, "send_to_all", { json = value })
  assert.are.same({ "argument", "invalid", "json", "send_to_all" }, { err.kind, err.code, err.argument, err.operation })
  return err.message
end

describe("json", function()
  local values = {
    ["true"] = true, ["false"] = false, ["42"] = 42, ["-1.5"] = -1.5, ["99999999999999"] = 99999999999999,
    ['"text"'] = "text", ['""'] = "", ['"zoë"'] = "zoë", ['["a",1,true]'] = { "a", 1, true }, ['{"a":1}'] = { a = 1 },
    ['{"a":[{"b":null}]}'] = { a = { { b = cjson.null } } }, ["[1,null,3]"] = { 1, cjson.null, 3 },
    ["{}"] = {}, ['{"a":{}}'] = { a = {} }, ["[]"] = core.empty_array, ['{"a":[[]]}'] = { a = { core.empty_array } },
    ["[null]"] = { core.null }, ["1795692917.123456"] = 1795692917.123456, ["0.1"] = 0.1,
    ["9007199254740992"] = 2 ^ 53,
    ["1e+300"] = 1e300, ["100000000000001"] = 1e14 + 1,
  }
  for text, value in pairs(values) do
    it("is sent as " .. text, function()
      local outgoing = sent(value)
      assert.are.equal(text, outgoing.body)
      assert.are.equal("application/json", outgoing.headers["content-type"])
    end)
  end

  it("is what a decoder reads back", function()
    local value = { name = 'quote" back\\ \1 zoë 😀', most = 1e14, list = { { 1 }, { 2.25 } },
      deep = { a = { b = { c = "d" } } } }
    assert.are.same(value, cjson.decode(sent(value).body))
  end)

  local refusals = {
    { "json has both names and positions; JSON has objects and lists only: use one of them", { 1, a = 2 } },
    { "json is a list with holes, or with positions that are not 1 to n; fill holes with webpubsub.null, or make every "
      .. "key a string", { [1] = 1, [3] = 3 } },
    { "json is a list with holes", { [2] = 2 } },
    { "json is a list with holes", { nil, 2, [0] = 1 } },
    { "json is a list with holes", { 1, 2, [1.5] = 2 } },
    { "json is a list with holes", { 1, [-1] = 2 } },
    { "json is a list with holes", { [1 / 0] = 2 } },
    { "json.a.b[3] is a list with holes", { a = { b = { 1, 2, { [2] = 1 } } } } },
    { "json has keys that are neither strings nor numbers; use strings, or the positions 1 to n", { [true] = 1 } },
    { "json is a function, which JSON has no word for; send a string, number, boolean, table or webpubsub.null",
      print },
    { "json.a is a thread", { a = coroutine.create(function() end) } },
    { "json is a userdata", io.stdout },
    { "json[1] is a userdata", { native.light() } },
    { "json is NaN or infinite", 0 / 0 },
    { "json.x is NaN or infinite", { x = -1 / 0 } },
    { "json is not UTF-8", "\255" },
    { "json[1] is not UTF-8", { "\192\128" } },
    { "json has a key that is not UTF-8", { ["\255"] = 1 } },
  }
  for index, case in ipairs(refusals) do
    it(("that can mean two things, or none, is refused (%d): %s"):format(index, case[1]), function()
      local message = refused(case[2])
      assert.are.equal(1, message:find(case[1], 1, true), message)
    end)
  end

  local function nested(depth)
    local value = "x"
    for _ = 1, depth do value = { value } end
    return value
  end

  it("may be 100 tables deep, and no deeper", function()
    assert.are.equal(("["):rep(100) .. '"x"' .. ("]"):rep(100), sent(nested(100)).body)
    assert.is_truthy(refused(nested(101)):find("is too deep, or contains itself", 1, true))
  end)

  it("that contains itself is refused", function()
    local value = {}
    value.self = value
    assert.is_truthy(refused(value):find("is too deep, or contains itself", 1, true))
  end)

  it("may have 1 MiB once it is encoded", function()
    assert.are.equal(1024 * 1024, #sent(("x"):rep(1024 * 1024 - 2)).body)
    local err = calls.refusal(calls.prepare, "send_to_all", { json = ("x"):rep(1024 * 1024 - 1) })
    assert.are.same({ "argument", "invalid", "json" }, { err.kind, err.code, err.argument })
    assert.is_truthy(err.message:find("json is longer than 1048576 bytes", 1, true), err.message)
  end)

  it("stands in the place of content, and content in that of json", function()
    local both = calls.refusal(calls.prepare, "send_to_all", { content = "x", json = "y" })
    assert.are.equal("json", both.argument)
    assert.is_truthy(both.message:find("content and json are both given", 1, true), both.message)
    local neither = calls.refusal(calls.prepare, "send_to_all", {})
    assert.are.same({ "missing", "content" }, { neither.code, neither.argument })
    assert.is_truthy(neither.message:find("or give json", 1, true), neither.message)
    assert.are.equal("missing", calls.refusal(calls.prepare, "send_to_all", { json = cjson.null }).code)
  end)

  it("has its content type", function()
    local err = calls.refusal(calls.prepare, "send_to_all", { json = 1, content_type = "text" })
    assert.are.same({ "invalid", "content_type" }, { err.code, err.argument })
  end)

  it("is a parameter of the operations that send", function()
    for operation, arguments in pairs({ send_to_all = {}, send_to_user = { user = "u" },
      send_to_group = { group = "g" }, send_to_connection = { connection = "c" } }) do
      arguments.json = { 1 }
      assert.are.equal("[1]", calls.outgoing(operation, arguments).body)
    end
    assert.are.equal("unknown",
      calls.refusal(calls.prepare, "close_all_connections", { json = 1 }).code)
  end)

  it("is not changed by being sent", function()
    local value = { a = { 1, 2 }, b = "x" }
    sent(value)
    assert.are.same({ a = { 1, 2 }, b = "x" }, value)
  end)

  it("is encoded without the host's settings of lua-cjson, which stay as they are", function()
    local precision = cjson.encode_number_precision()
    cjson.encode_number_precision(3)
    finally(function() cjson.encode_number_precision(precision) end)
    assert.are.equal("1.23456", sent(1.23456).body)
    assert.are.equal(3, cjson.encode_number_precision())
  end)

  it("has every digit of an integer, where Lua has integers", function()
    local most = rawget(math, "maxinteger")
    if not most then return end
    assert.are.equal("9223372036854775807", sent(most).body)
    assert.are.equal("-9223372036854775808", sent(-most - 1).body)
    assert.are.equal("9007199254740993", sent(9007199254740993).body)
  end)

  it("that is long is told with the end of its path", function()
    local key = ("k"):rep(50)
    local message = refused({ [key] = { [key .. "2"] = { [key .. "3"] = print } } })
    assert.are.equal(1, message:find("json...", 1, true), message)
    assert.is_truthy(message:find("." .. key .. "3 is a function", 1, true), message)
  end)

  it("made of tables that are in each other many times is refused at once", function()
    local value = "x"
    for _ = 1, 90 do value = { value, value } end
    local err = calls.refusal(calls.prepare, "send_to_all", { json = value })
    assert.is_truthy(err.message:find("longer than 1048576 bytes", 1, true), err.message)
  end)

  it("prints its two words readably", function()
    assert.are.same({ "webpubsub.null", "webpubsub.empty_array" }, { tostring(core.null), tostring(core.empty_array) })
    local webpubsub = require("webpubsub")
    assert.are.equal(core.null, webpubsub.null)
    assert.are.equal(core.empty_array, webpubsub.empty_array)
  end)

  describe("with newer lua-cjson's words for lists", function()
    local loaded = package.loaded
    local newer = { empty_array = native.light(), empty_array_mt = {}, array_mt = {} }
    local kept

    before_each(function() kept, loaded["cjson.safe"] = loaded["cjson.safe"], newer end)
    after_each(function() loaded["cjson.safe"] = kept end)

    it("is [] for an empty one", function()
      assert.are.equal("[[],[],[],{}]", sent({ newer.empty_array, setmetatable({}, newer.empty_array_mt),
        setmetatable({}, newer.array_mt), setmetatable({}, {}) }).body)
    end)

    it("is as without them for any other", function()
      assert.are.equal("[[1],[2]]", sent({ setmetatable({ 1 }, newer.empty_array_mt),
        setmetatable({ 2 }, newer.array_mt) }).body)
      assert.are.equal('{"a":1}', sent(setmetatable({ a = 1 }, newer.array_mt)).body)
    end)
  end)
end)
