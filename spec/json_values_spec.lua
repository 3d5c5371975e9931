-- Any JSON as Lua values, and back: what clients send and connections keep.

local core = require("webpubsub.core")
local webpubsub = require("webpubsub")

local decode, encode = core.decode_json, core.encode_json

describe("JSON as Lua values", function()
  it("is read whatever it is", function()
    assert.are.same({ a = { 1, "two", true, false }, b = { c = {} } },
      decode('{"a":[1,"two",true,false],"b":{"c":{}}}'))
    assert.are.same({ "h\195\164\n\"\240\159\152\128\0" }, decode([=[["h\u00e4\n\"\ud83d\ude00\u0000"]]=]))
    for text, value in pairs({ ["1"] = 1, ["-2.5e3"] = -2500, ['"x"'] = "x", [" true "] = true, ["false"] = false }) do
      assert.are.equal(value, decode(text))
    end
  end)

  it("has a null that keeps its name", function()
    assert.are.equal(webpubsub.null, decode("null"))
    assert.are.same({ a = webpubsub.null }, decode('{"a":null}'))
    assert.are.same({ webpubsub.null, 2 }, decode("[null,2]"))
  end)

  it("has infinity for a number beyond all of Lua's", function()
    assert.are.same({ math.huge, -math.huge }, decode("[1e999,-1e999]"))
  end)

  it("keeps the digits of whole numbers where Lua has integers", function()
    if not math.type then return end -- luacheck: ignore 143 (Lua 5.3)
    assert.are.equal("9007199254740993", encode(decode("9007199254740993")))
  end)

  it("goes back to what it was", function()
    for _, text in ipairs({ "[]", "{}", "null", "[[],{},null]", '{"a":[]}', '["\195\164"]', "0.1", "[1,2,3]" }) do
      assert.are.equal(text, encode(decode(text)))
    end
    local list = decode('{"list":[]}').list
    list[1] = "a"
    assert.are.equal('["a"]', encode(list))
  end)

  it("is told from what is none", function()
    for _, text in ipairs({ "", " ", "{", "[1,]", "nul", "'x'", '{"a":1}}', "[1] 2", '{"a"}', '"\255"', "NaN", "01",
      ("["):rep(101) .. ("]"):rep(101) }) do
      assert.is_nil(decode(text), text)
    end
    assert.is_table(decode(("["):rep(100) .. ("]"):rep(100)))
  end)

  it("has a bound on its values, for tables take more memory than their text", function()
    assert.is_nil(decode("[" .. ("[],"):rep(1000000) .. "1]"))
  end)
end)
