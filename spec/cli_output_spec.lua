-- Output of the program `webpubsub` that cannot be written, and what may be in it at all.

local exits = require("webpubsub.cli.exits")
local json = require("webpubsub.cli.json")
local cjson = require("cjson")
local process = require("spec.support.process")
local program = require("spec.support.program")
local project = require("spec.support.project")
local scripted_server = require("spec.support.scripted_server")
local shell = require("spec.support.shell")
local steps = require("spec.support.steps")

local reply = steps.reply
local JSON = { ["Content-Type"] = "application/json" }

local server

setup(function() server = scripted_server.start() end)
teardown(function() server:stop() end)
before_each(function()
  server:reset()
  server:script({ default = reply({ status = 200 }) })
end)

local function words_of(...)
  return { "--endpoint", server.origin, "--key", "k", "--hub", "chat", "--retries", "0", ... }
end

-- With a redirection of the shell's.
local function run(words, redirection, stdin)
  return process.run({ "sh", "-c", shell.join(program.argv(words)) .. " " .. redirection },
    { env = program.environment(), stdin = stdin })
end

describe("output that cannot be written", function()
  local LOST = { [">/dev/full"] = "No space left on device", [">&-"] = "Bad file descriptor" }

  local function assert_lost(words, stdin)
    for redirection, why in pairs(LOST) do
      local result = run(words, redirection, stdin)
      assert.are.same({ 5, "webpubsub: the output cannot be written: " .. why .. "\n" },
        { result.code, result.stderr }, table.concat(words, " ") .. redirection)
    end
  end

  -- words of command lines that call nothing
  for _, line in ipairs({ "--help", "-h", "--version", "help", "help url", "help emulator", "url --help",
    "close-user-connections -h", "emulator --help", "completion bash", "completion zsh", "completion fish",
    "completion --help" }) do
    it("is no success of " .. line, function()
      local words = {}
      for word in line:gmatch("%S+") do words[#words + 1] = word end
      assert_lost(words)
    end)
  end

  it("is no success of a call, of a listing, or of a URL", function()
    assert_lost(words_of("user-exists", "alice"))
    assert_lost(words_of("service-status"))
    assert_lost(words_of("url"))
    server:script({ default = reply({ status = 200, headers = JSON, body = '{"value":[{"connectionId":"c"}]}' }) })
    assert_lost(words_of("list-connections-in-group", "g"))
  end)

  it("is no success of the prompt, whoever prints", function()
    assert_lost(words_of("repl"), "1 + 1\n")
    assert_lost(words_of("repl"), "print(1)\n")
    assert_lost(words_of("repl"), "io.write('1')\n")
  end)

  it("ends a run whose answers nobody can read", function()
    local names = {}
    for index = 1, 200 do names[index] = "user" .. index end
    local result = run(words_of("user-exists", "--users-from", "-", "--concurrency", "2"), ">/dev/full",
      table.concat(names, "\n"))
    assert.are.equal(5, result.code)
    assert.is_true(#server:requests() < 20)
    assert.is_truthy(result.stderr:find("to go on with the rest, repeat it with --skip ", 1, true), result.stderr)
  end)

  it("does not reach what is opened later under its number", function()
    run(words_of("close-all-connections"), ">&- 2>&-")
    local requests = server:requests()
    assert.are.equal(1, #requests)
    assert.are.equal("", requests[1].body)
  end)

  it("as a file is said so in JSON as well", function()
    local result = run(words_of("--json", "user-exists", "a"), ">/dev/full")
    assert.are.same({ 5, "output" }, { result.code, cjson.decode(result.stderr).error.kind })
  end)
end)

describe("exit codes", function()
  local page = project.read("lua/webpubsub/cli/README.md")
  local help = program.run({ "--help" }).stdout

  it("are all in the help and in the README, and each stands for one thing", function()
    local seen = {}
    for _, exit in ipairs(exits.table) do
      assert.is_nil(seen[exit.code])
      seen[exit.code] = true
      assert.is_truthy(help:find(("\n   %-3d  %s\n"):format(exit.code, exit.doc), 1, true), exit.name)
      assert.is_truthy(page:find(("\n| %d | %s |"):format(exit.code, exit.doc), 1, true), exit.name)
    end
    local _, rows = page:gsub("\n| %d+ | ", "")
    assert.are.equal(#exits.table, rows)
  end)

  it("say no only where the answer is no", function()
    server:script({ default = reply({ status = 404, headers = { ["x-ms-error-code"] = "Info.User.NotExisted" } }) })
    assert.are.equal(1, program.run(words_of("user-exists", "a")).code)
    server:script({ default = reply({ status = 403 }) })
    assert.are.equal(4, program.run(words_of("user-exists", "a")).code)
    server:script({ default = steps.close() })
    assert.are.equal(3, program.run(words_of("user-exists", "a")).code)
    assert.are.equal(2, program.run(words_of("user-exists")).code)
  end)

  it("tell a program that cannot run from a no", function()
    local argv = program.argv({ "user-exists", "a" })
    local environment = program.environment()
    environment.LUA_PATH = "/nowhere/?.lua"
    local result = process.run(argv, { env = environment })
    assert.are.same({ 70, "" }, { result.code, result.stdout })
    assert.is_truthy(result.stderr:find("^webpubsub: .*module 'webpubsub.cli"), result.stderr)
  end)
end)

describe("what is printed", function()
  local EVIL = "a\194\155b\226\128\174c\255d\27[2J"
  local SHOWN = "a\\u{9b}b\\u{202e}c\\xffd\\x1b[2J"

  local function assert_harmless(text)
    for _, bytes in ipairs({ "\27", "\194\155", "\226\128\174", "\255" }) do
      assert.is_nil(text:find(bytes, 1, true), text)
    end
  end

  it("is harmless in an error of the service, for people and for programs", function()
    server:script({ default = reply({ status = 403, headers = JSON,
      body = '{"code":"E","message":"a\\u009bb\\u202ec\\u001b[2J","target":"\\u202e"}' }) })
    local result = program.run(words_of("close-all-connections"))
    assert_harmless(result.stderr)
    assert.is_truthy(result.stderr:find("a\\u{9b}b\\u{202e}c", 1, true), result.stderr)
    result = program.run(words_of("--json", "close-all-connections"))
    assert_harmless(result.stderr)
    assert.are.equal("a\194\155b\226\128\174c\27[2J", cjson.decode(result.stderr).error.message)
  end)

  it("is harmless in a reason, a listing and an item of a list", function()
    server:script({ default = reply({ status = 200, reason = EVIL }) })
    local result = program.run(words_of("service-status", "--verbose"))
    assert_harmless(result.stdout .. result.stderr)
    server:script({ default = reply({ status = 200, headers = JSON,
      body = '{"value":[{"connectionId":"c\\u009b","userId":"\\u202eu"}]}' }) })
    assert.are.equal("CONNECTION  USER\nc\\u{9b}     \\u{202e}u\n",
      program.run(words_of("list-connections-in-group", "g")).stdout)
  end)

  it("is one line for one thing that is wrong, whatever is typed", function()
    for _, words in ipairs({ { "help", "a\nb" }, { "close-user-connections", "--users-from", "/a\nb" } }) do
      local result = program.run(words_of((table.unpack or unpack)(words))) -- luacheck: ignore 113 143
      assert.is_truthy(result.stderr:find("^webpubsub: [^\n]*a\\x0ab[^\n]*\n$"), result.stderr)
    end
  end)

  it("is harmless in what is wrong with the command line", function()
    for _, words in ipairs({ { EVIL }, { "close-user-connections", "--" .. EVIL }, { "help", EVIL },
      { "send-to-all", "a", "--header", EVIL }, { "close-user-connections", "--users-from", EVIL } }) do
      local result = program.run(words_of((table.unpack or unpack)(words))) -- luacheck: ignore 113 143
      assert_harmless(result.stdout .. result.stderr)
      assert.is_truthy(result.stderr:find(SHOWN, 1, true), result.stderr)
    end
  end)
end)

describe("a JSON document", function()
  it("has its names in order and no escaped slashes", function()
    assert.are.equal('{"a":{"b":["x/y",true,null],"c":{}},"z":1}',
      json.encode({ z = 1, a = { c = {}, b = { "x/y", true, print } } }))
  end)

  it("is read back as what it was", function()
    for _, text in ipairs({ "", 'quotes " and \\ and \\u0041 and \\x1b', "\n\r\t\0\31\127",
      "caf\195\169 \226\128\174 \194\155" }) do
      assert.are.equal(text, cjson.decode(json.encode({ text = text })).text)
    end
    for _, number in ipairs({ 0, -1, 0.1, 1e100, 1 / 3, 1795692917.123456, 2 ^ 53 - 1, -0.5 }) do
      assert.are.equal(number, tonumber(json.encode(number)))
    end
  end)

  it("is ASCII where a terminal could be commanded, and JSON whatever the bytes", function()
    assert.are.equal('"\\u001b\\u009b\\u202e\\ufffd\195\169"', json.encode("\27\194\155\226\128\174\255\195\169"))
    assert.are.equal("[null,null]", json.encode({ 0 / 0, 1 / 0 }))
  end)
end)
