-- What the prompt `webpubsub repl` is made of, and the prompt without a terminal.

local completion = require("webpubsub.cli.repl.completion")
local core = require("webpubsub.core")
local evaluate = require("webpubsub.cli.repl.evaluate")
local launch = require("webpubsub.emulator.launch")
local pretty = require("webpubsub.cli.repl.pretty")
local program = require("spec.support.program")
local webpubsub = require("webpubsub")

local NOTHING_RAISED = tostring((select(2, pcall(error)))) -- no nil, in Lua 5.5

local KEY = "a-key-that-nobody-may-see"

describe("what is typed", function()
  it("is an expression where it can be one", function()
    assert.are.equal(3, evaluate.compile("1 + 2")())
    assert.are.equal(3, evaluate.compile("= 1 + 2")())
    assert.are.equal(3, evaluate.compile("  =1 + 2 -- three")())
    assert.are.same({ 1, 2 }, { evaluate.compile("1, 2")() })
    assert.are.equal(3, evaluate.compile("return 3")())
  end)

  it("is statements otherwise", function()
    assert.is_nil(evaluate.compile("local x = 1")())
    assert.is_nil((evaluate.compile("")()))
    assert.are.equal("yes", evaluate.compile("for _ = 1, 1 do return 'yes' end")())
  end)

  it("is asked to go on where its end is missing", function()
    for _, text in ipairs({ "client:close {", "= {", "function f()", "for i = 1, 2 do\nprint(i)", "x = ", "1 +", "f(",
      "[[long", "--[[ comment", "if x then" }) do
      local chunk, message = evaluate.compile(text)
      assert.are.same({}, { chunk, message }, text)
    end
  end)

  it("is refused where nothing can make it right", function()
    for _, text in ipairs({ "foo bar", "end", "= end", "x = = 1", "1 1", "'open", "}" }) do
      local chunk, message = evaluate.compile(text)
      assert.is_nil(chunk)
      assert.is_truthy(message:find("^prompt:1: "), text)
    end
  end)
end)

describe("a value", function()
  -- value, text
  local values = {
    { "plain\ttext\nof two lines", "plain\ttext\nof two lines" },
    { "\27[2J\0\127", "\\x1b[2J\\x00\\x7f" },
    { 5, "5" },
    { true, "true" },
    { {}, "{}" },
    { { 1, "a\n\"b\"\\", { 2 } }, '{ 1, "a\\n\\"b\\"\\\\", { 2 } }' },
    { { b = 1, a = 2, ["not a name"] = 3, ["end"] = 4, [7] = 5, [true] = 6 },
      '{ [true] = 6, [7] = 5, a = 2, b = 1, ["end"] = 4, ["not a name"] = 3 }' },
    { { { { { 1 } } } }, "{ { { {...} } } }" },
    { setmetatable({}, { __tostring = function() return "itself\27" end }), "itself\\x1b" },
    { setmetatable({}, { __tostring = function() error("no") end }), "(table that cannot be printed)" },
    { setmetatable({ a = 1 }, { __index = { b = 2 } }), "{ a = 1 }" },
  }
  for _, case in ipairs(values) do
    it("prints as " .. case[2]:gsub("\n", "\\n"), function()
      assert.are.equal(case[2], pretty.format(case[1]))
    end)
  end

  it("that holds itself prints all the same", function()
    local value = { name = "x" }
    value.me = value
    assert.are.equal('{ me = (itself), name = "x" }', pretty.format(value))
  end)

  it("that does not fit on a line has one for each entry", function()
    assert.are.equal(('{\n  "%s",\n  "%s"\n}'):format(("a"):rep(50), ("b"):rep(50)),
      pretty.format({ ("a"):rep(50), ("b"):rep(50) }))
  end)

  it("is shortened where it is large", function()
    local list = {}
    for index = 1, 1000 do list[index] = index end
    assert.is_truthy(pretty.format(list):find("40,\n  ... (960 more)\n}", 1, true))
    assert.is_true(#pretty.format(("x"):rep(1e6)) < 3000)
    assert.is_truthy(pretty.format({ ("x"):rep(1e6) }):find("... (1000000 bytes)", 1, true))
  end)

  it("of the library prints as it says itself", function()
    local client = webpubsub.new({ endpoint = "https://h", key = KEY, hub = "chat" })
    assert.are.equal(tostring(client), pretty.format(client))
    assert.are.equal("{ " .. tostring(client) .. " }", pretty.format({ client }))
    local _, err = pcall(client.close_user_connections, client, { user = "" })
    assert.are.equal(tostring(err), pretty.format(err))
  end)
end)

describe("completion", function()
  setup(function() rawset(_G, "client", webpubsub.new({ endpoint = "https://h", key = KEY, hub = "chat" })) end)
  teardown(function() rawset(_G, "client", nil) end)

  -- As readline does it: words end at these bytes, and nothing else does.
  local function complete(text)
    return completion.complete(text, text:match("[^ \t\n\"\\'`@$><=;|&{(]*$"))
  end

  -- typed, what it could become
  local cases = {
    { "toston", {} },
    { "tos", { "tostring" } },
    { "string.re", { "string.rep", "string.reverse" } },
    { "print(string.rep", { "string.rep" } },
    { "whi", { "while" } },
    { "nothing.at.all", {} },
    { "client:add_user_to_group", { "client:add_user_to_group", "client:add_user_to_group_async" } },
    { "client:send_to_all_a", { "client:send_to_all_async { " } },
    { "x = client:set_k", { "client:set_key" } },
    { "client.set_k", { "client.set_key" } },
    { "client:close_user_connections {", { "context", "excluded", "reason", "user" } },
    { "client:close_user_connections { ", { "context", "excluded", "reason", "user" } },
    { "client:close_user_connections { us", { "user = " } },
    { "client:close_user_connections({ us", { "user = " } },
    { "client:close_user_connections_async {us", { "user = " } },
    { 'client:close_user_connections { user = "a", re', { "reason = " } },
    { 'client:close_user_connections{user="a",re', { ",reason = " } },
    { 'client:close_user_connections { user = "a{", excluded = { "}" }, re', { "reason = " } },
    { "client:close_user_connections {\n  user = 'a',\n  re", { "reason = " } },
    { "client:close_user_connections { context = { time", { "timeout = " } },
    { "client:client_access_url { exp", { "expires_in = " } },
    { "c = webpubsub.new { conn", { "connect_timeout", "connection_string" } },
    { "c = webpubsub.new({ hu", { "hub = " } },
    { "c = mywebpubsub.new { hu", {} },
    { "client:close_user_connections { user = to", { "tonumber", "tostring" } },
    { 'client:close_user_connections { user = "us', {} },
    { "print { us", {} },
    { "object:", { "object:method" } },
    { "object:me", { "object:method" } },
    { "object.fi", { "object.field" } },
    { "object.me", { "object.method" } },
    { "object.field.na", { "object.field.name" } },
  }
  for _, case in ipairs(cases) do
    it(("of %q"):format(case[1]), function()
      rawset(_G, "object", setmetatable({ field = { name = 1 } }, { __index = { method = print, __call = print } }))
      finally(function() rawset(_G, "object", nil) end)
      assert.are.same(case[2], (complete(case[1])))
    end)
  end

  it("knows the arguments of every operation, and the library knows all it offers", function()
    for _, operation in ipairs(core.operations()) do
      for _, name in ipairs(complete("client:" .. operation.name .. " { ")) do
        name = name:match("^[%w_]+")
        local _, err = pcall(core.prepare, rawget(_G, "client"), operation.name, { [name] = print })
        assert.are_not.equal("unknown", type(err) == "table" and err.code, operation.name .. ": " .. name)
      end
      local _, err = pcall(core.prepare, rawget(_G, "client"), operation.name, { nothing_like_it = 1 })
      assert.are.equal("unknown", err.code)
    end
    for _, name in ipairs(complete("client:send_to_all { context = { ")) do
      local arguments = { content = "", context = { [name] = 1 } }
      local _, err = pcall(core.prepare, rawget(_G, "client"), "send_to_all", arguments)
      assert.are_not.equal("unknown", type(err) == "table" and err.code, name)
    end
  end)

  it("knows the options of a client, all of them and no others", function()
    local offered, listed = {}, {}
    for _, name in ipairs(complete("webpubsub.new { ")) do offered[name] = true end
    for _, option in ipairs(core.options("new")) do listed[option.name] = true end
    assert.are.same(listed, offered)
  end)

  it("runs nothing", function()
    rawset(_G, "trap", setmetatable({}, { __index = function() error("run") end }))
    finally(function() rawset(_G, "trap", nil) end)
    assert.are.same({}, complete("trap.field.na"))
    assert.are.same({}, complete("trap:me"))
  end)
end)

describe("the prompt without a terminal", function()
  local emulator

  setup(function() emulator = launch({ key = KEY, quiet = true }) end)
  teardown(function() emulator.stop() end)

  local function run(text)
    return program.run({ "repl", "--endpoint", emulator.endpoint, "--key", KEY, "--hub", "chat" }, { stdin = text })
  end

  it("evaluates what it reads and prints the results, nothing else", function()
    local result = run('1 + 1\nx = 5\n=x, nil\nfilter("userId eq %s", "x\'y")\n{ a = { "b" } }\nclient\n'
      .. "for i = 1, 2 do\nprint(i)\nend\n")
    assert.are.same({ 0, "2\n5\tnil\nuserId eq 'x''y'\n{ a = { \"b\" } }\n"
      .. ("webpubsub client of hub chat at %s\n1\n2\n"):format(emulator.endpoint), "" },
      { result.code, result.stdout, result.stderr })
  end)

  it("calls the service", function()
    local result = run('client:user_exists { user = "alice" }\nclient:close_user_connections {\n  user = "alice",\n}\n')
    assert.are.equal("false\t404 Not Found (user_exists, 1 attempt, T ms)\n"
      .. "204 No Content (close_user_connections, 1 attempt, T ms)\n", (result.stdout:gsub("%d+ ms", "T ms")))
  end)

  it("prints errors without colors and goes on", function()
    local result = run('client:close_user_connections { user = "" }\nfoo bar\nerror("mine")\nerror()\n"still here"\n')
    assert.are.equal("still here\n", result.stdout)
    local lines = {}
    for line in result.stderr:gmatch("[^\n]+") do lines[#lines + 1] = line end
    assert.are.equal("webpubsub: close_user_connections: user must not be empty; expected the user's id "
      .. "(argument empty)", lines[1])
    assert.is_truthy(lines[2]:find("^prompt:1: .*near 'bar'$"), lines[2])
    assert.is_truthy(lines[3]:find("mine$"), lines[3])
    assert.are.same({ NOTHING_RAISED, 4 }, { lines[4], #lines })
  end)

  it("says what an entry lacks that is not finished at the end", function()
    local result = run('"before"\nclient:close_user_connections {\n')
    assert.are.same({ 0, "before\n" }, { result.code, result.stdout })
    assert.is_truthy(result.stderr:find("^prompt:1: [^\n]*<eof>'?\n$"), result.stderr)
  end)

  it("has help at hand", function()
    assert.is_truthy(run("help()\n").stdout:find("close_user_connections", 1, true))
    assert.is_truthy(run('help "close_user_connections"\n').stdout:find("excluded", 1, true))
  end)

  it("shows the key nowhere", function()
    local result = run("client\nwebpubsub\narg\n_G\nclient:close_user_connections { user = '' }\n")
    assert.is_nil((result.stdout .. result.stderr):find(KEY, 1, true))
  end)
end)
