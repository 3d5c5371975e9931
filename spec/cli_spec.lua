-- The program `webpubsub`: what it understands, prints and exits with.

local arguments = require("webpubsub.cli.arguments")
local cjson = require("cjson")
local core = require("webpubsub.core")
local launch = require("webpubsub.emulator.launch")
local process = require("spec.support.process")
local program = require("spec.support.program")
local project = require("spec.support.project")
local readme = require("spec.support.readme")

local KEY = "a-key-that-nobody-may-see"
local NO_SUCH_PORT = "http://127.0.0.1:1"

local emulator

setup(function() emulator = launch({ key = KEY, quiet = true }) end)
teardown(function() emulator.stop() end)

local function run(words, options)
  options = options or {}
  local settings = { WebPubSubConnectionString = emulator.connection_string, WebPubSubHub = "chat" }
  for name, value in pairs(options.settings or {}) do settings[name] = value end
  return program.run(words, { settings = settings, stdin = options.stdin })
end

local function assert_result(code, stdout, stderr, result)
  assert.are.same({ code, stdout, stderr }, { result.code, result.stdout, result.stderr })
end

-- The one line on standard error, with its request id left out.
local function complaint(result)
  local line = result.stderr:match("^([^\n]+)\n$")
  assert.is_truthy(line, result.stderr)
  return (line:gsub("request [%x-]+", "request R"))
end

local function words_of(line)
  local words = {}
  if line == "" then return words end
  for word in process.run({ "sh", "-c", "printf '%s\\n' " .. line }).stdout:gmatch("([^\n]*)\n") do
    words[#words + 1] = word
  end
  return words
end

describe("the commands", function()
  it("are the operations, and help tells about each parameter", function()
    for _, operation in ipairs(core.operations()) do
      local text = assert(arguments.parse({ "help", (operation.name:gsub("_", "-")) })).text
      assert.is_truthy(text:find(operation.doc, 1, true), operation.name)
      for _, parameter in ipairs(operation.parameters) do
        local singular = parameter.name:gsub("_", "-"):gsub("(.)s$", "%1")
        assert.is_truthy(text:find(singular, 1, true), operation.name .. ": " .. parameter.name)
      end
    end
  end)

  it("may be written as the client's methods are", function()
    local parsed = arguments.parse({ "close_user_connections", "alice" })
    assert.are.same({ "close-user-connections", "close_user_connections", "alice" },
      { parsed.command, parsed.operation.name, parsed.user })
  end)

  it("take required parameters of the path in order, and the others as options", function()
    local parsed = arguments.parse({ "grant-permission", "sendToGroup", "c1", "--target-name", "g" })
    assert.are.same({ "sendToGroup", "c1", "g" }, { parsed.permission, parsed.connection, parsed.target_name })
    parsed = arguments.parse({ "close-user-connections", "--excluded", "c1", "alice", "--excluded=c2", "--reason",
      "bye" })
    assert.are.same({ "alice", { "c1", "c2" }, "bye" }, { parsed.user, parsed.excluded, parsed.reason })
  end)

  it("take whatever an operation must have in order, or as an option", function()
    -- words, parameters
    local same = {
      { { "send-to-user", "alice", "hello" }, { user = "alice", content = "hello" } },
      { { "send-to-user", "alice", "--content", "hello" }, { user = "alice", content = "hello" } },
      { { "send-to-user", "--content", "hello", "--", "-alice" }, { user = "-alice", content = "hello" } },
      { { "send-to-user", "--users-from", "f", "hello" }, { content = "hello" } },
      { { "send-to-all", "-" }, { content = "-" } },
      { { "send-to-all", "" }, { content = "" } },
      { { "send-to-all", "--json-content", "[]" }, { json_content = "[]" } },
      { { "revoke-permission", "sendToGroup", "c", "g" },
        { permission = "sendToGroup", connection = "c", target_name = "g" } },
      { { "revoke-permission", "--target-name", "g", "sendToGroup", "c" },
        { permission = "sendToGroup", connection = "c", target_name = "g" } },
      { { "add-connections-to-groups", "a", "b", "--filter", "f" }, { groups = { "a", "b" }, filter = "f" } },
      { { "add-connections-to-groups", "--group", "a", "--group", "b" }, { groups = { "a", "b" } } },
    }
    for _, case in ipairs(same) do
      local parsed = assert(arguments.parse(case[1], os.getenv))
      for name, value in pairs(case[2]) do assert.are.same(value, parsed[name], table.concat(case[1], " ")) end
    end
  end)

  it("leave out the parameter that comes from a list", function()
    local parsed = arguments.parse({ "add-user-to-group", "news", "--users-from", "file" })
    assert.are.same({ "news", "user", "file" }, { parsed.group, parsed.listed.name, parsed.list })
    parsed = arguments.parse({ "add-user-to-group", "alice", "--groups-from", "-" })
    assert.are.same({ "alice", "group", "-" }, { parsed.user, parsed.listed.name, parsed.list })
  end)

  it("that the README shows are understood", function()
    local shown = 0
    local blocks = readme.blocks("sh")
    for block in project.read("lua/webpubsub/cli/README.md"):gmatch("\n```sh\n(.-)\n```\n") do
      blocks[#blocks + 1] = block
    end
    for _, block in ipairs(blocks) do
      for line in block:gmatch("webpubsub ([%l-]+ [^\n#&|<]*)") do
        assert.is_truthy(arguments.parse(words_of((line:gsub("{}", "1")))), line)
        shown = shown + 1
      end
    end
    assert.is_true(shown >= 15, shown)
  end)

  local function is_installed(name)
    return process.run({ "sh", "-c", "command -v " .. name }).code == 0
  end

  for _, shell in ipairs({ "bash", "zsh", "fish" }) do
    it("complete in " .. shell, function()
      local script = run({ "completion", shell }).stdout
      for _, word in ipairs({ "close-user-connections", "users-from", "key-file" }) do
        assert.is_truthy(script:find(word, 1, true), word)
      end
      if is_installed(shell) then assert_result(0, "", "", process.run({ shell, "-n" }, { stdin = script })) end
    end)
  end

  it("are in the manual page, with every option", function()
    local page = run({ "manual" }).stdout
    local plain = page:gsub("\\%-", "-")
    for _, operation in ipairs(core.operations()) do
      assert.is_truthy(plain:find("\n.SH " .. operation.name:gsub("_", "-"):upper() .. "\n", 1, true), operation.name)
    end
    for option in (run({ "--help" }).stdout .. run({ "help", "send-to-group" }).stdout):gmatch("\n   (%-%-[%l-]+)") do
      assert.is_truthy(plain:find("\n.B " .. option, 1, true), option)
    end
    for request in page:gmatch("\n%.(%S*)") do
      assert.is_truthy((" SH SS TP B PP nf fi br "):find(" " .. request .. " ", 1, true), request)
    end
    if is_installed("groff") then
      assert_result(0, "", "", process.run({ "sh", "-c", "groff -man -Tutf8 -ww >/dev/null" }, { stdin = page }))
    end
  end)
end)

describe("a call", function()
  -- words, exit code, output
  local calls = {
    { "service-status", 0, "healthy: 200 OK\n" },
    { "close-all-connections --reason 'good bye' --excluded c", 0, "closed: 204 No Content\n" },
    { "close-user-connections alice --excluded c1 --excluded c2 --reason bye", 0, "closed: 204 No Content\n" },
    { "close-group-connections news", 0, "closed: 204 No Content\n" },
    { "close-connection c1", 0, "closed: 204 No Content\n" },
    { "connection-exists c1", 1, "no\n" },
    { "user-exists alice", 1, "no\n" },
    { "group-exists news", 1, "no\n" },
    { "send-to-all --content hello", 0, "sent: 202 Accepted\n" },
    { "send-to-user alice --content hello --ttl 300", 0, "sent: 202 Accepted\n" },
    { "send-to-group news --json-content '[]'", 0, "sent: 202 Accepted\n" },
    { "send-to-connection c1 --content-file /etc/hostname --content-type binary", 0, "sent: 202 Accepted\n" },
    { "remove-connection-from-group news c1", 0, "removed: 204 No Content\n" },
    { "remove-connection-from-all-groups c1", 0, "removed: 204 No Content\n" },
    { "remove-user-from-group alice news", 0, "removed: 204 No Content\n" },
    { "remove-user-from-all-groups alice", 0, "removed: 204 No Content\n" },
    { [[add-connections-to-groups --group a --group b --filter "userId eq 'x'"]], 0, "added: 200 OK\n" },
    { "remove-connections-from-groups --group a", 0, "removed: 200 OK\n" },
    { "list-connections-in-group news --page-size 10", 0, "CONNECTION  USER\n" },
    { "revoke-permission sendToGroup c1 --target-name news", 0, "revoked: 204 No Content\n" },
    { "check-permission sendToGroup c1", 1, "no\n" },
  }
  for _, call in ipairs(calls) do
    it(call[1] .. " prints a line and exits with " .. call[2], function()
      assert_result(call[2], call[3], "", run(words_of(call[1])))
    end)
  end

  it("that the service refuses is one line on standard error and exit code 4", function()
    local result = run({ "add-connection-to-group", "news", "c1" })
    assert.are.same({ 4, "" }, { result.code, result.stdout })
    assert.are.equal("webpubsub: add_connection_to_group: Connection `c1` is not found. "
      .. "(404 Error.Connection.NotExisted, 1 attempt, request R)", complaint(result))
    result = run({ "add-user-to-group", "alice", "news" })
    assert.are.same({ 4, "" }, { result.code, result.stdout })
    assert.are.equal("webpubsub: add_user_to_group: User `alice` is not found. "
      .. "(404 Warning.User.NotExisted, 1 attempt, request R)", complaint(result))
  end)

  it("that gets no answer exits with 3", function()
    local result = run({ "--endpoint", NO_SUCH_PORT, "--key", KEY, "--retries", "0", "user-exists", "alice" })
    assert.are.same({ 3, "" }, { result.code, result.stdout })
    assert.is_truthy(complaint(result):find("(transport connect, 1 attempt, request R)", 1, true))
  end)

  it("that makes a token prints it, and nothing else", function()
    assert.is_truthy(run({ "generate-client-token", "--user", "alice" }).stdout:find("^[%w_-]+%.[%w_-]+%.[%w_-]+\n$"))
  end)

  it("says what happens when asked to", function()
    local result = run({ "close-user-connections", "alice", "--verbose", "--request-id", "r-1" })
    assert.are.equal("closed: 204 No Content\n", result.stdout)
    assert.are.equal("r-1 close_user_connections, attempt 1: request POST\n"
      .. "r-1 close_user_connections, attempt 1: response 204 after T ms\n", (result.stderr:gsub("%d+ ms", "T ms")))
  end)
end)

describe("url", function()
  it("prints a URL with a token", function()
    local result = run({ "url", "--user", "alice", "--role", "r", "--group", "g", "--expires-in", "60" })
    assert.are.same({ 0, "" }, { result.code, result.stderr })
    local url = emulator.endpoint:gsub("http", "ws") .. "/client/hubs/chat?access_token="
    assert.are.equal(url, result.stdout:sub(1, #url))
  end)

  it("refuses a protocol there is none of", function()
    local result = run({ "url", "--protocol", "http" })
    assert.are.equal(2, result.code)
    assert.is_truthy(complaint(result):find('"default", "mqtt" or "socketio"', 1, true))
  end)
end)

describe("--json", function()
  it("prints a document a line", function()
    local result = run({ "--json", "close-user-connections", "alice", "--request-id", "r-1" })
    local document = cjson.decode(result.stdout:match("^([^\n]+)\n$"))
    assert.is_number(document.elapsed)
    document.elapsed = nil
    assert.are.same({ operation = "close_user_connections", status = 204, reason = "No Content", request_id = "r-1",
      attempts = 1 }, document)
    assert.are.equal("", result.stderr)
  end)

  it("answers questions with a boolean, and keeps the exit code", function()
    local result = run({ "user-exists", "alice", "--json" })
    assert.are.same({ 1, false }, { result.code, cjson.decode(result.stdout).exists })
  end)

  it("has tokens and URLs as members", function()
    assert.is_string(cjson.decode(run({ "generate-client-token", "--json" }).stdout).token)
    local document = cjson.decode(run({ "url", "--json" }).stdout)
    assert.are.equal(document.token, document.url:match("access_token=(.*)$"))
  end)

  it("prints errors as documents on standard error", function()
    local refused = run({ "add-connection-to-group", "news", "c1", "--json" })
    assert.are.same({ 4, "" }, { refused.code, refused.stdout })
    local err = cjson.decode(refused.stderr:match("^([^\n]+)\n$")).error
    assert.are.same({ "service", "Error.Connection.NotExisted", 404, "Connection", "Connection `c1` is not found.",
      "add_connection_to_group", 1, false }, { err.kind, err.code, err.status, err.target, err.message, err.operation,
      err.attempts, err.retryable })
    assert.is_nil(err.response)
    err = cjson.decode(run({ "close-user-connections", "", "--json" }).stderr).error
    assert.are.same({ "argument", "empty", "user" }, { err.kind, err.code, err.argument })
    err = cjson.decode(run({ "close-user-connections", "--json" }).stderr).error
    assert.are.same({ "argument", "usage" }, { err.kind, err.code })
  end)
end)

describe("a wrong command line", function()
  -- words, what is said about them
  local wrong = {
    { "", "a command is required (see webpubsub --help)" },
    { "close-user-conections x", "did you mean 'close-user-connections'? (see webpubsub --help)" },
    { "close-user-connections", "missing argument 'user' (see webpubsub help close-user-connections)" },
    { "close-user-connections a b", "too many arguments (see webpubsub help close-user-connections)" },
    { "send-to-user alice hello --content hello", "too many arguments: the content comes from --content (see" },
    { "send-to-user alice hello --content-file f", "too many arguments: the content comes from --content-file (see" },
    { "send-to-user alice hello there", "too many arguments (see webpubsub help send-to-user)" },
    { "add-connections-to-groups", "missing argument 'groups' (or --group) (see" },
    { "add-connections-to-groups a --group b", "too many arguments: the groups come from --group (see" },
    { "revoke-permission sendToGroup c", "missing argument 'target_name' (or --target-name) (see" },
    { "close-user-connections a --exclude c", "did you mean '--excluded'?" },
    { "close-user-connections ''", "user must not be empty; expected the user's id" },
    { "close-user-connections ..", "user must not be or contain a dot segment" },
    { "close-all-connections x --users-from f", "too many arguments" },
    { "send-to-user alice", "missing argument 'content' (or --content) (see webpubsub" },
    { "send-to-user alice --content a --json-content 1", "can not be used together" },
    { "send-to-user alice --content a --ttl 301", "--ttl must be from 0 to 300; it is 301" },
    { "send-to-user alice --content a --ttl 1.5", '--ttl takes a whole number, not "1.5"' },
    { "send-to-user alice --content a --ttl=", '--ttl takes a whole number, not ""' },
    { "send-to-user alice --json-content '{'", "the content is not JSON: " },
    { "send-to-user alice --content-file /nowhere", "/nowhere: No such file or directory" },
    { "send-to-user alice --content-file /", "/: Is a directory" },
    { "send-to-all --content a --timeout soon", '--timeout takes a number of seconds, not "soon"' },
    { "send-to-all --content a --timeout 0", "--timeout must be from 0.001 to 86400 s; it is 0" },
    { "send-to-all --content a --retries -1", "unknown option '-1'" },
    { "send-to-all --content a --header x", '--header must be "Name: value"; it is "x"' },
    { "send-to-all --content a --header 'Host: x'", "--header Host cannot be set" },
    { "send-to-all a --content-type text/html", "--content-type must be " },
    { "list-connections-in-group g --page-size 0", "--page-size must be from 1 to 200; it is 0" },
    { "grant-permission sendToGroup c --target-name ''", "--target-name must not be empty" },
    { "generate-client-token --user ''", "--user must not be empty" },
    { "--hub 9 close-all-connections", "--hub must be 1 to 128 characters" },
    { "--endpoint ftp://x --key k close-all-connections", "--endpoint must begin with https:// or http://" },
    { "--connection-string Endpoint=https://x close-all-connections", "--connection-string has no AccessKey" },
    { "--key-file /nowhere --endpoint https://x close-all-connections", "/nowhere: No such file or directory" },
    { "--key-file / --endpoint https://x close-all-connections", "/: Is a directory" },
    { "--key-file /dev/null --endpoint https://x close-all-connections", "/dev/null is empty" },
    { "--key-file /dev/zero --endpoint https://x close-all-connections", "/dev/zero has more than one line" },
    { "--key-file f --key k --endpoint https://x close-all-connections", "--key and --key-file cannot be" },
    { "--connection-string-file f --connection-string s close-all-connections", "cannot be used together" },
    { "--connection-string s --endpoint https://x --key k close-all-connections", "--connection-string" },

    { "add-user-to-group alice news --skip 1", "--skip needs a list of items" },
    { "add-user-to-group alice news --users-from f", "too many arguments: the users come from --users-from" },
    { "add-user-to-group --users-from f", "missing argument 'group'" },
    { "add-user-to-group --users-from f --groups-from f", "can not be used together" },
    { "add-user-to-group news --users-from /nowhere", "/nowhere: No such file or directory" },
    { "add-user-to-group news --users-from /", "the list cannot be read: /: Is a directory" },
    { "send-to-user --users-from - --content -", "standard input cannot be both the list and the message" },
    { "grant-permission fly c1", '"sendToGroup" or "joinLeaveGroup"' },
    { "list-connections-in-group --groups-from f", "unknown option '--groups-from'" },
    { "help clse-connection", "unknown command 'clse-connection'; did you mean 'close-connection'?" },
    { "help close_conection", "unknown command 'close_conection'; did you mean 'close-connection'?" },
    { "help clos", "unknown command 'clos'" },
    { "--endpoint " .. NO_SUCH_PORT .. " user-exists alice", "--endpoint needs a key: give --key-file" },
    { "--auth cli user-exists alice", "--auth needs --endpoint" },
    { "--auth az --endpoint https://x user-exists alice", "--auth must be default, environment, managed-identity" },
    { "--auth cli --endpoint https://x --key k user-exists alice", "--auth cannot be used with a key" },
    { "--auth cli --endpoint https://x --client-id c user-exists alice", "--client-id has no meaning with --auth cli" },
    { "--auth cli --endpoint https://x --tenant a/b user-exists alice", "--tenant must be the directory's id" },
    { "--auth cli --endpoint http://x user-exists alice", "--endpoint must be https://" },
    { "--tenant t user-exists alice", "--tenant needs --auth" },
    { "--endpoint http://example.com --key k user-exists alice", "or give --allow-http" },
    { "--ca-file /nowhere user-exists alice", "/nowhere" },
  }
  for _, case in ipairs(wrong) do
    it(("%q exits with 2 and says why"):format(case[1]), function()
      local result = run(words_of(case[1]))
      assert.are.same({ 2, "" }, { result.code, result.stdout })
      local said = complaint(result)
      assert.is_truthy(said:find("^webpubsub: "), said)
      assert.is_truthy(said:find(case[2], 1, true), said)
    end)
  end
end)

describe("the service to call", function()
  local function outcome(words, settings)
    local result = run(words_of(words), { settings = settings })
    return result.code == 0 and result.stdout or complaint(result)
  end
  local NOTHING = { WebPubSubConnectionString = false, WebPubSubHub = false }

  it("must be told, and the hub too", function()
    assert.are.equal("webpubsub: there is no service to call: set WebPubSubConnectionString in the environment, or "
      .. "give --connection-string-file, or --endpoint with --key-file", outcome("user-exists alice", NOTHING))
    assert.are.equal("webpubsub: there is no hub: give --hub, or set WebPubSubHub in the environment",
      outcome("user-exists alice", { WebPubSubHub = false }))
  end)

  it("can be told by options alone", function()
    assert.are.equal("closed: 204 No Content\n", outcome(("--connection-string '%s' --hub other close-all-connections")
      :format(emulator.connection_string), NOTHING))
    assert.are.equal("closed: 204 No Content\n", outcome(("--endpoint %s --key %s --hub other close-all-connections")
      :format(emulator.endpoint, KEY), NOTHING))
  end)

  it("can be told by a file, whatever has edited it", function()
    local path = os.tmpname()
    finally(function() os.remove(path) end)
    local function write(text)
      local file = assert(io.open(path, "wb"))
      file:write(text)
      file:close()
    end
    for _, frame in ipairs({ "%s", "%s\n", "\239\187\191%s\r\n", "  %s\t\n\n" }) do
      write(frame:format(KEY))
      assert.are.equal("closed: 204 No Content\n", outcome(("--endpoint %s --key-file %s --hub other "
        .. "close-all-connections"):format(emulator.endpoint, path), NOTHING))
      write(frame:format(emulator.connection_string))
      assert.are.equal("closed: 204 No Content\n", outcome(("--connection-string-file %s --hub other "
        .. "close-all-connections"):format(path), NOTHING))
    end
    for text, why in pairs({ [KEY .. "\nmore"] = " has more than one line", ["\255\254k\0"] = " is not a text file",
      ["k\0"] = " is not a text file", [("k"):rep(70000)] = " has more than one line" }) do
      write(text)
      local said = outcome(("--endpoint %s --key-file %s --hub other close-all-connections"):format(emulator.endpoint,
        path), NOTHING)
      assert.are.equal("webpubsub: " .. path .. why, said:sub(1, #path + #why + 11))
      assert.is_nil(said:find(KEY, 1, true))
    end
  end)

  it("can be told by an environment that was filled from files", function()
    assert.are.equal("closed: 204 No Content\n", outcome("close-all-connections",
      { WebPubSubConnectionString = emulator.connection_string .. "\r\n", WebPubSubHub = "chat\n" }))
    assert.are.equal("closed: 204 No Content\n", outcome(("--endpoint %s close-all-connections")
      :format(emulator.endpoint), { WebPubSubConnectionString = "", WebPubSubKey = KEY .. "\n" }))
    assert.are.equal("webpubsub: there is no hub: give --hub, or set WebPubSubHub in the environment",
      outcome("close-all-connections", { WebPubSubHub = "" }))
  end)

  it("is named by where it was told, when something is wrong with it", function()
    assert.is_truthy(outcome("close-all-connections", { WebPubSubConnectionString = "Endpoint=https://x" })
      :find("WebPubSubConnectionString has no AccessKey", 1, true))
    assert.is_truthy(outcome("close-all-connections", { WebPubSubHub = "9" }):find("WebPubSubHub must be", 1, true))
  end)

  it("may have its key in the environment", function()
    assert.are.equal("closed: 204 No Content\n", outcome(("--endpoint %s close-all-connections --hub other")
      :format(emulator.endpoint), { WebPubSubConnectionString = false, WebPubSubHub = false, WebPubSubKey = KEY }))
  end)

  it("is the one of the options where the environment has another", function()
    assert.are.equal("closed: 204 No Content\n", outcome(("--endpoint %s --key %s close-all-connections")
      :format(emulator.endpoint, KEY), { WebPubSubConnectionString = "Endpoint=http://127.0.0.1:1;AccessKey=k" }))
  end)

  it("needs no hub to tell its status", function()
    assert.are.equal("healthy: 200 OK\n", outcome("service-status", { WebPubSubHub = false }))
  end)
end)

describe("the key", function()
  it("is printed nowhere", function()
    local identity = { "--endpoint", emulator.endpoint, "--key", KEY }
    local endings = { "user-exists alice", "add-connection-to-group news c1", "close-user-connections", "url",
      "help url", "generate-client-token", "close-user-connections alice --ttl 1",
      "--endpoint http://127.0.0.1:1 --retries 0 user-exists alice" }
    for _, ending in ipairs(endings) do
      for _, output in ipairs({ "--verbose", "--json" }) do
        local words = { output }
        for _, word in ipairs(identity) do words[#words + 1] = word end
        for _, word in ipairs(words_of(ending)) do words[#words + 1] = word end
        local result = run(words)
        assert.is_nil((result.stdout .. result.stderr):find(KEY, 1, true), ending)
      end
    end
  end)
end)

describe("the emulator", function()
  it("is a command, with its own options and exit code", function()
    local result = run({ "emulator", "--port", "0", "--exit-on-eof", "--key", KEY })
    assert.are.equal(0, result.code)
    assert.is_truthy((result.stdout .. result.stderr):find("listening on http://127.0.0.1:%d+\n"))
  end)

  it("has help, asked for either way", function()
    for _, words in ipairs({ { "emulator", "--help" }, { "help", "emulator" } }) do
      local result = run(words)
      assert.are.same({ 0, "" }, { result.code, result.stderr })
      assert.is_truthy(result.stdout:find("^Usage: webpubsub emulator "), result.stdout)
      assert.is_truthy(result.stdout:find("--tls-cert-out", 1, true))
    end
  end)

  it("exits with 2 where its command line is wrong, and says why in one line", function()
    local wrong = { ["--port none"] = "'none' is not a port", ["--key ''"] = "the key must not be empty",
      ["--prot 1"] = "did you mean '--port'?", ["x"] = "too many arguments" }
    for line, why in pairs(wrong) do
      local words = words_of(line)
      table.insert(words, 1, "emulator")
      local result = run(words)
      assert.are.same({ 2, "" }, { result.code, result.stdout })
      assert.is_truthy(complaint(result):find(why, 1, true), result.stderr)
    end
  end)
end)

describe("help", function()
  it("has its commands in groups, every one in one of them", function()
    local text = run({ "--help" }).stdout
    local position = 0
    for _, heading in ipairs({ "Close", "Ask", "Send", "Groups", "Permissions", "Tools" }) do
      local found = text:find("\n" .. heading .. ":\n", 1, true)
      assert.is_truthy(found and found > position, heading)
      position = found
    end
    assert.is_nil(text:find("ther commands:", 1, true))
  end)

  it("says what everybody on the machine can see", function()
    local text = run({ "--help" }).stdout
    for _, option in ipairs({ "--key <text>", "--connection-string <text>" }) do
      assert.is_truthy(text:match("\n +" .. option:gsub("%-", "%%-") .. "[^\n]*visible to every user of the machine"))
    end
  end)

  it("is printed by the option as well, whatever else stands there", function()
    local help = run({ "help", "url" })
    assert.are.same(help, run({ "url", "--help" }))
    assert.are.same(help, run({ "url", "-h", "--expires-in", "soon" }))
    assert.are.same({ 0, "" }, { help.code, help.stderr })
    local version = run({ "close-user-connections", "--version" })
    assert.are.equal(0, version.code)
    assert.is_truthy(version.stdout:find("^webpubsub [%w.-]+ %(api%-version 2024%-12%-01, Lua 5%.%d%)\n$"))
  end)

  it("tells what a command takes before what all lists take", function()
    local text = run({ "help", "send-to-group" }).stdout
    local position = 0
    for _, heading in ipairs({ "\nArguments:", "\nOptions:", "\nMany at once:" }) do
      local found = text:find(heading, 1, true)
      assert.is_truthy(found and found > position, text)
      position = found
    end
    assert.is_truthy(text:find("\nOptions:\n +%-%-excluded"), text)
  end)

  it("tells about every command", function()
    local commands = run({ "--help" }).stdout:match("\n(Close:\n.*)\nThe environment")
    local count = 0
    for name in commands:gmatch("\n   (%l[%l-]+) +%u") do
      count = count + 1
      local result = run({ "help", name })
      assert.are.same({ 0, "" }, { result.code, result.stderr })
      assert.is_truthy(result.stdout:find("Usage: webpubsub " .. name, 1, true), name)
    end
    assert.is_true(count > #core.operations())
  end)
end)

describe("output that cannot be written", function()
  it("is no success", function()
    local argv = program.argv({ "url", "--endpoint", emulator.endpoint, "--key", KEY, "--hub", "chat" })
    local words = { "sh", "-c", '"$@" >/dev/full', "sh" }
    for _, word in ipairs(argv) do words[#words + 1] = word end
    local result = process.run(words, { env = program.environment() })
    assert.are.same({ 5, "webpubsub: the output cannot be written: No space left on device\n" },
      { result.code, result.stderr })
  end)
end)
