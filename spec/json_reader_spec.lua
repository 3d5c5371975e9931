-- The core's reader of JSON, against what RFC 8259 says, and against lua-cjson over generated documents.

local cjson = require("cjson").new()
local native = require("spec_native")

cjson.decode_max_depth(1000)

local NULL = cjson.null

-- A Lua value from the reader's events, as lua-cjson makes it.
local function decode(text, limits)
  local events, problem, at = native.events(text, limits)
  if not events then return nil, problem, at end
  local position = 0
  local value

  local function container(ending, take)
    while events[position + 1][1] ~= ending do take() end
    position = position + 1
  end

  function value()
    position = position + 1
    local event, content = events[position][1], events[position][2]
    if event == "string" then return content end
    if event == "number" then return native.double(content) or tonumber(content) end -- infinite
    if event == "true" or event == "false" then return event == "true" end
    if event == "null" then return NULL end
    local result = {}
    if event == "[" then
      container("]", function() result[#result + 1] = value() end)
    else
      container("}", function()
        position = position + 1
        assert(events[position][1] == "name")
        local name = events[position][2]
        result[name] = value()
      end)
    end
    return result
  end

  local result = value()
  assert(position == #events)
  return result
end

local function problem_of(text, limits)
  local events, problem = native.events(text, limits)
  assert.is_nil(events, text)
  return problem
end

-- A generator that is the same on every Lua.
local function random_from(seed)
  return function(most)
    seed = (seed * 16807) % 2147483647
    return seed % most + 1
  end
end

local PIECES = { "a", "zoë", "😀", "\\n", "\\u0041", "\\u00e9", "\\ud83d\\ude00", "\\\"", "\\\\", "\\/", " ", "\127",
  "{", "]", ",", "\\u0001", "\\b\\f\\r\\t" }
local NUMBERS = { "0", "-0", "1", "-1", "12", "1.5", "-2.25e3", "1E2", "1e-2", "1.7976931348623157e308", "5e-324",
  "123456789012", "0.1", "1e+2" }
local BLANKS = { "", "", " ", "\n", "\t\r\n" }

local function document(random, depth)
  local function blank() return BLANKS[random(#BLANKS)] end
  local function text()
    local pieces = {}
    for i = 1, random(4) - 1 do pieces[i] = PIECES[random(#PIECES)] end
    return '"' .. table.concat(pieces) .. '"'
  end
  local function list(open, close, item)
    local items = {}
    for i = 1, random(4) - 1 do items[i] = blank() .. item(i) .. blank() end
    return open .. (#items == 0 and blank() or table.concat(items, ",")) .. close
  end
  local kind = random(depth > 0 and 8 or 5)
  if kind == 1 then return NUMBERS[random(#NUMBERS)] end
  if kind == 2 then return text() end
  if kind == 3 then return "true" end
  if kind == 4 then return "false" end
  if kind == 5 then return "null" end
  if kind == 6 then return list("[", "]", function() return document(random, depth - 1) end) end
  return list("{", "}", function(i)
    return ('"%d%s"%s:%s%s'):format(i, text():sub(2, -2), blank(), blank(), document(random, depth - 1))
  end)
end

describe("the reader", function()
  it("reads 3,000 documents as lua-cjson does, and their pieces and damaged copies too", function()
    local random = random_from(20261126)
    for _ = 1, 3000 do
      local text = document(random, 4)
      assert.are.same({ cjson.decode("[" .. text .. "]") }, { (decode("[" .. text .. "]")) }, text)
      local position = random(#text)
      for _, damaged in ipairs({ "[" .. text:sub(1, position), "[" .. text:sub(1, position - 1) ..
        text:sub(position + 1) .. "]", "[" .. text:sub(1, position) .. ('"{}[],:e0-\\'):sub(random(11)):sub(1, 1) ..
        text:sub(position + 1) .. "]" }) do
        local ok, value = pcall(cjson.decode, damaged)
        local mine, problem = decode(damaged)
        if problem then
          -- lua-cjson takes leading zeros, hexadecimal and other numbers of strtod, and bytes that are not UTF-8
          assert.is_true(not ok or problem:find("a number ", 1, true) == 1
            or problem:find("UTF-8", 1, true) ~= nil or problem == "a comma is expected", damaged .. ": " .. problem)
        else
          assert.is_true(ok, damaged)
          assert.are.same(value, mine, damaged)
        end
      end
    end
  end)

  local refused = {
    [""] = "it ends too early", [" "] = "it ends too early", ["["] = "it ends too early",
    ['{"a"'] = "it ends too early", ['{"a":'] = "it ends too early", ['{"a":1'] = "it ends too early",
    ['"a'] = "it ends too early", ["[1,"] = "it ends too early", ["-"] = "it ends too early",
    ["1."] = "it ends too early", ["1e"] = "it ends too early",
    ["[1,]"] = "a value is expected", ["[,1]"] = "a value is expected", ["{,}"] = "a name in double quotes is expected",
    ['{"a":1,}'] = "a name in double quotes is expected", ["{a:1}"] = "a name in double quotes is expected",
    ["{1:1}"] = "a name in double quotes is expected", ['{"a" 1}'] = "a colon is expected",
    ["[1 2]"] = "a comma is expected", ["[1}"] = "a comma is expected", ['{"a":1]'] = "a comma is expected",
    ["01"] = "a number begins with a zero", ["-01"] = "a number begins with a zero",
    ["+1"] = "a value is expected", [".5"] = "a value is expected", ["1.e5"] = "a number lacks a digit",
    ["0x10"] = "something is behind it", ["NaN"] = "a value is expected", ["Infinity"] = "a value is expected",
    ["-Infinity"] = "a number lacks a digit", ["nul"] = "it has a word that is none of true, false and null",
    ["True"] = "a value is expected", ["'a'"] = "a value is expected", ["1 1"] = "something is behind it",
    ["{}}"] = "something is behind it", ["1\0"] = "something is behind it", ["\0"] = "a value is expected",
    ["// a\n1"] = "a value is expected", ["\239\187\191\239\187\191" .. "1"] = "a value is expected",
    ['"\0"'] = "a string has a control byte", ['"\n"'] = "a string has a control byte",
    ['"\\x41"'] = "a string has an invalid escape, or half a surrogate pair",
    ['"\\u12g4"'] = "a string has an invalid escape, or half a surrogate pair",
    ['"\\ud800"'] = "a string has an invalid escape, or half a surrogate pair",
    ['"\\ud800\\u0041"'] = "a string has an invalid escape, or half a surrogate pair",
    ['"\\ude00\\ud83d"'] = "a string has an invalid escape, or half a surrogate pair",
    ['"\\'] = "a string has an invalid escape, or half a surrogate pair",
    ['"\255"'] = "a string is not UTF-8", ['"\192\128"'] = "a string is not UTF-8",
    ['"\237\160\128"'] = "a string is not UTF-8", ['{"\255":1}'] = "a string is not UTF-8",
  }
  for text, problem in pairs(refused) do
    it(("refuses %q"):format(text):gsub("\n", "n"), function()
      assert.are.equal(problem, problem_of(text))
    end)
  end

  it("says where the problem is", function()
    assert.are.same({ nil, "a comma is expected", 3 }, { native.events("[1 2]") })
  end)

  it("skips one byte order mark, and takes a NUL that is escaped", function()
    assert.are.same({ { "string", "a\0b" } }, native.events('\239\187\191"a\\u0000b"'))
  end)

  it("takes any bytes where it is told to, but no control bytes", function()
    assert.are.same({ { "string", "\255\200" } }, native.events('"\255\200"', { any_bytes = 1 }))
    assert.are.equal("a string has a control byte", problem_of('"\1"', { any_bytes = 1 }))
  end)

  it("has limits of bytes, values and depth", function()
    assert.is_table(native.events("[1]", { bytes = 3, values = 2, depth = 1 }))
    assert.are.equal("it is too long", problem_of("[1] ", { bytes = 3 }))
    assert.are.equal("it has too many values", problem_of("[1,2]", { values = 2 }))
    assert.are.equal("it has too many values", problem_of('{"a":1}', { values = 2 }))
    assert.are.equal("it is nested too deep", problem_of("[[1]]", { depth = 1 }))
    assert.are.equal("it is nested too deep", problem_of("{}", { depth = 0 }))
    assert.is_table(native.events(("["):rep(1000) .. ("]"):rep(1000), { depth = 5000 }))
    assert.are.equal("it is nested too deep", problem_of(("["):rep(1001) .. ("]"):rep(1001), { depth = 5000 }))
  end)
end)

describe("looking for members", function()
  it("finds them in any order, and skips what is not asked for", function()
    local found = native.members('{"x":{"a":[1,{"b":2}]},"b":[1,[2]],"y":[{"a":1}],"\\u0061":"t"}')
    assert.are.same({ "a", "b" }, { found.a and "a", found.b and "b" })
    assert.are.same({}, native.members('{"":1,"A":2,"ab":3}'))
  end)

  it("refuses one that is there twice, however it is written, and only that", function()
    assert.are.same({ nil, "a name is there twice" }, { native.members('{"a":1,"b":2,"\\u0061":3}') })
    assert.is_table(native.members('{"x":1,"x":2,"a":{"a":1}}'))
  end)
end)

describe("a number that is read", function()
  local function same(text)
    local expected, got = native.strtod(text), native.double(text)
    assert.are.equal(("%.17g"):format(expected), ("%.17g"):format(got), text)
  end

  it("is the nearest double", function()
    for _, text in ipairs({ "0", "1", "0.1", "0.2", "0.3", "1e22", "1e23", "9007199254740993", "9007199254740992",
      "9007199254740991.5", "9007199254740992.9999999999999999999999", "4.9406564584124654e-324", "5e-324", "3e-324",
      "2.4703282292062327e-324", "2.4703282292062328e-324", "2.2250738585072011e-308", "2.2250738585072012e-308",
      "2.2250738585072014e-308", "1.7976931348623157e308", "1.7976931348623158e308", "1e-400", "0e999999999999",
      "0.000000000000000000000000000000000000000000000000000000000001e60", "123456789012345678901234567890e-10",
      "6.631236846766476e-316", "3.237883913302901e-319", "1090544144181609348671888949248",
      "17976931348623158079372897140530341507993413271003782693617377898044496829276475094664901797758720709633028"
      .. "64166928879109465555478519404026306574886715058206819089020007083836762738548458177115317644757302700698555"
      .. "71366959622842914819860834936475292719074168444365510704342711559699508093042880" }) do
      same(text)
      same("-" .. text)
    end
    for _, text in ipairs({ "1" .. ("0"):rep(800) .. "e-800", "0." .. ("0"):rep(400) .. "1e401",
      "9007199254740993" .. ("0"):rep(1000) .. "1e-1001", "9007199254740993." .. ("0"):rep(790) .. "1",
      ("9"):rep(900) .. "e-900" }) do same(text) end
  end)

  it("is the nearest double in 20,000 random cases", function()
    local random = random_from(7)
    for _ = 1, 20000 do
      local digits = {}
      for i = 1, random(25) do digits[i] = random(10) - 1 end
      same(("%d.%se%d"):format(random(10) - 1, table.concat(digits), random(650) - 345))
    end
  end)

  it("beyond all doubles is none", function()
    for _, text in ipairs({ "1e309", "-1e309", "1.7976931348623159e308", "1e99999999999999999999",
      "1" .. ("0"):rep(400) }) do
      assert.is_nil(native.double(text), text)
    end
  end)

  it("is an integer where it is one in so many digits", function()
    for _, text in ipairs({ "0", "1", "-1", "9007199254740993", "9223372036854775807", "-9223372036854775808" }) do
      assert.are.equal(text, native.integer(text))
    end
    assert.are.equal("0", native.integer("-0"))
    for _, text in ipairs({ "9223372036854775808", "-9223372036854775809", "18446744073709551616", "1.0", "1e3",
      ("9"):rep(30) }) do
      assert.is_nil(native.integer(text), text)
    end
  end)
end)

describe("a number that is written", function()
  it("has as few digits as read back the same", function()
    local numbers = { ["0"] = 0, ["-0"] = -1 / (1 / 0), ["0.1"] = 0.1, ["1.5"] = 1.5,
      ["1795692917.123456"] = 1795692917.123456, ["0.30000000000000004"] = 0.1 + 0.2, ["9007199254740992"] = 2 ^ 53,
      ["-9007199254740992"] = -2 ^ 53,
      ["1000000000000000"] = 1e15, ["1e+20"] = 1e20, ["1.7976931348623157e+308"] = 1.7976931348623157e308,
      ["5e-324"] = 5e-324, ["3.141592653589793"] = math.pi }
    for text, number in pairs(numbers) do
      local written = native.number(number)
      assert.are.equal(text == "5e-324" and "4.94065645841247e-324" or text, written)
      assert.are.equal(number, tonumber(written))
    end
  end)

  it("reads back the same in 20,000 random cases", function()
    local random = random_from(99)
    for _ = 1, 20000 do
      local number = native.bits(("%04x%04x%04x%04x"):format(random(65536) - 1, random(65536) - 1, random(65536) - 1,
        random(65536) - 1))
      if number == number and number ~= 1 / 0 and number ~= -1 / 0 then
        local text = native.number(number)
        assert.are.equal(number, tonumber(text), text)
        assert.are.equal(number, native.double(text), text)
        assert.is_true(#text <= 24, text)
      end
    end
  end)
end)
