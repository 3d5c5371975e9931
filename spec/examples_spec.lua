-- The examples run as they stand, on this Lua, against the emulator.

local certs = require("spec.support.certs")
local companion = require("spec.support.companion")
local launch = require("webpubsub.emulator.launch")
local nginx = require("spec.support.nginx")
local process = require("spec.support.process")
local program = require("spec.support.program")
local project = require("spec.support.project")
local scripted_server = require("spec.support.scripted_server")
local shell = require("spec.support.shell")
local steps = require("spec.support.steps")
local wait = require("spec.support.wait")
local webpubsub = require("webpubsub")
local websocket_clients = require("spec.support.websocket_clients")

local FOLDER = project.root .. "spec/examples/"
local SECONDS = 10
local MANY = 400 -- users of the examples that close many

local function contents(path)
  local file = assert(io.open(path))
  local text = file:read("*a")
  file:close()
  return text
end

describe("the example", function()
  local emulator, sockets, folder

  setup(function() folder = process.run({ "mktemp", "-d" }).stdout:match("%S+") end)
  teardown(function() process.run({ "rm", "-rf", folder }) end)
  before_each(function() emulator = launch() end)
  after_each(function()
    if sockets then sockets:stop() end
    sockets = nil
    emulator.stop()
  end)

  local function environment()
    return program.environment({ WebPubSubConnectionString = emulator.connection_string, WebPubSubHub = "chat" })
  end

  local function run(name, ...)
    return process.run({ process.interpreter(), FOLDER .. name, ... }, { env = environment(), timeout = 30 })
  end

  local function connect(...)
    local identities = {}
    for index, user in ipairs({ ... }) do identities[index] = { user = user } end
    sockets = websocket_clients.connect(emulator, "chat", identities)
  end

  local function assert_closed(index, reason)
    assert.is_truthy(sockets:ended(index).message:find("Reason: " .. reason, 1, true))
  end

  it("script.lua closes who is there, and says who is not", function()
    connect("alice")
    local result = run("script.lua", "alice", "bob")
    assert.are.same({ 0, "" }, { result.code, result.stderr })
    assert.is_truthy(result.stdout:find("^alice: closed, request %x+%-[%x-]+\nbob: was not connected\n$"))
    assert_closed(1, "signed in elsewhere")
  end)

  it("script.lua fails where the service refuses", function()
    emulator.connection_string = emulator.connection_string:gsub("AccessKey=", "%0x")
    local result = run("script.lua", "alice")
    assert.are.equal(1, result.code)
    assert.is_truthy(result.stdout:find("alice: webpubsub: user_exists: ", 1, true), result.stdout)
  end)

  -- A platform that gives a token, and a service that takes it, in the place of Azure; over TLS, as tokens need it.
  it("entra_id.lua closes with a token in the place of a key", function()
    local platform, service = scripted_server.start(), scripted_server.start({ tls = certs.valid })
    finally(function()
      platform:stop()
      service:stop()
    end)
    platform:script({ default = steps.reply({ status = 200, headers = { ["Content-Type"] = "application/json" },
      body = ('{"access_token":"t0ken","expires_on":%d}'):format(os.time() + 3600) }) })
    service:script({ default = steps.reply({ status = 204 }) })
    local text = contents(FOLDER .. "entra_id.lua"):gsub('hub = "chat",', ("%%0 ca_file = %q,"):format(certs.ca.cert))
    local result = process.run_lua("arg = { ... } " .. text, { arguments = { "alice" }, env = program.environment({
      WebPubSubEndpoint = service.origin, IDENTITY_ENDPOINT = platform.origin .. "/msi/token",
      IDENTITY_HEADER = "proof", no_proxy = "*" }) })
    assert.are.same({ 0, "" }, { result.code, result.stderr })
    assert.is_truthy(result.stdout:find("^closed: 204 No Content "), result.stdout)
    assert.are.equal("Bearer t0ken", service:requests()[1].headers:get("authorization"))
    assert.are.equal("proof", platform:requests()[1].headers:get("x-identity-header"))
  end)

  it("tick_loop.lua closes while the ticks go on", function()
    connect("alice")
    local result = run("tick_loop.lua", "alice")
    assert.are.same({ 0, "" }, { result.code, result.stderr })
    assert.is_truthy(result.stdout:find("^closed: 204 No Content .*\n%d+ ticks, the longest took [%d.]+ ms\n$"),
      result.stdout)
    assert.is_truthy(sockets:ended(1))
  end)

  it("cqueues.lua closes several at once", function()
    connect("alice", "bob")
    local result = run("cqueues.lua", "alice", "bob")
    assert.are.same({ 0, "" }, { result.code, result.stderr })
    for _, line in ipairs({ "alice: closed\n", "bob: closed\n", "the loop was never held up\n" }) do
      assert.is_truthy(result.stdout:find(line, 1, true), result.stdout)
    end
    assert.is_truthy(sockets:ended(1) and sockets:ended(2))
  end)

  it("luv.lua closes and ends", function()
    connect("alice")
    local result = run("luv.lua", "alice")
    assert.are.same({ 0, "alice: closed\n", "" }, { result.code, result.stdout, result.stderr })
    assert.is_truthy(sockets:ended(1))
  end)

  it("events.lua decides who connects", function()
    local port = nginx.free_port()
    local own = launch({ event_handler = ("http://127.0.0.1:%d/events"):format(port), quiet = true })
    local server
    finally(function()
      if server then server:kill() end
      own.stop()
    end)
    local variables = program.environment({ WebPubSubConnectionString = own.connection_string })
    local words = { "env" }
    for name, value in pairs(variables) do if value then words[#words + 1] = name .. "=" .. value end end
    words[#words + 1] = process.interpreter()
    words[#words + 1] = FOLDER .. "events.lua"
    words[#words + 1] = tostring(port)
    server = companion.start(words, { ready = "listening on port (%d+)\n" })
    local client = webpubsub.new({ connection_string = own.connection_string, hub = "chat", proxy = false })
    -- An access URL of no user, to which the query adds one: the handler makes it the connection's.
    sockets = websocket_clients.connect(own, "chat", { { url = client:client_access_url() .. "&user=alice" } })
    assert.is_true(client:user_exists({ user = "alice" }))
    assert.is_true(client:group_exists({ group = "lobby" }))
  end)

  local function list_of_users()
    local path, names = folder .. "/users.txt", {}
    for index = 1, MANY do names[index] = "user" .. index .. "\n" end
    local file = assert(io.open(path, "w"))
    file:write(table.concat(names))
    file:close()
    return path
  end

  -- How often each user was closed, by the emulator's log, once all lines that are due are there.
  local function closings(count)
    local seen
    wait.until_true(function()
      local total = 0
      seen = {}
      for user in contents(emulator.log_path):gmatch("close user (user%d+):") do
        seen[user], total = (seen[user] or 0) + 1, total + 1
      end
      return total >= count
    end, SECONDS, "the emulator's log")
    return seen
  end

  local function assert_all_once()
    local seen = closings(MANY)
    for index = 1, MANY do assert.are.equal(1, seen["user" .. index], "user" .. index) end
  end

  it("close_many.lua closes all, or its part", function()
    local path = list_of_users()
    for part = 1, 3 do
      local result = run("close_many.lua", path, part, 3)
      assert.are.same({ 0, "" }, { result.code, result.stderr })
      assert.is_truthy(result.stdout:find("^closed %d+ of %d+, 0 failed, in "), result.stdout)
    end
    assert_all_once()
    local all = run("close_many.lua", path).stdout
    assert.are.equal(("closed %d of %d"):format(MANY, MANY), all:match("^closed %d+ of %d+"))
  end)

  it("close_many.sh closes all with several processes, and nobody again", function()
    if process.run({ "sh", "-c", "command -v parallel" }).code ~= 0 then
      pending("GNU parallel is missing (apt-get install parallel)")
      return
    end
    local path, bin = list_of_users(), folder .. "/bin"
    process.run({ "mkdir", "-p", bin })
    local file = assert(io.open(bin .. "/webpubsub", "w"))
    file:write("#!/bin/sh\nexec " .. shell.join(program.argv({})) .. ' "$@"\n')
    file:close()
    process.run({ "chmod", "755", bin .. "/webpubsub" })
    local variables = environment()
    variables.PATH = bin .. ":" .. os.getenv("PATH")
    for _ = 1, 2 do -- the second time there is nothing left to do
      local result = process.run({ "sh", FOLDER .. "close_many.sh", path, "2" }, { env = variables, timeout = 60 })
      assert.are.same({ 0, "" }, { result.code, result.stderr })
    end
    assert_all_once()
  end)

  it("nginx.conf answers a login, a ban and a log-out", function()
    if not rawget(_G, "jit") then return end
    local text = contents(FOLDER .. "nginx/nginx.conf")
    local function replace(there, here)
      local count
      text, count = text:gsub(there, (here:gsub("%%", "%%%%")))
      assert.are.equal(1, count, there)
    end
    replace('os%.getenv "WebPubSubConnectionString"', ("%q"):format(emulator.connection_string))
    replace("\npid nginx%.pid;\ndaemon off;", "")
    local web = nginx.start_whole(text)
    finally(function() web:stop() end)
    connect("alice", "bob", "carol")
    local function post(path)
      local status, _, body = web:request("POST", path, {}, "")
      return status .. " " .. body
    end
    assert.are.equal("200 welcome\n", post("/login?user=alice&connection=other"))
    assert.are.equal("200 banned\n", post("/ban?user=bob"))
    assert.is_truthy(post("/ban?user="):find("^400 "))
    assert.is_truthy(web:log():find("user must not be empty", 1, true))
    assert.are.equal("200 bye\n", post("/logout?user=carol"))
    assert_closed(1, "signed in elsewhere")
    assert_closed(2, "banned")
    assert_closed(3, "signed out")
    local status = web:request("GET", "/logout?user=alice", {})
    assert.are.equal(403, tonumber(status))
  end)
end)

describe("the examples", function()
  it("are all in their README, and in no other place", function()
    local page = project.read("spec/examples/README.md")
    local count = 0
    for _, path in ipairs(project.files("spec/examples")) do
      local name = path:match("^spec/examples/(.*)$")
      if name ~= "README.md" then
        count = count + 1
        assert.is_truthy(page:find("](" .. name .. ")", 1, true), name)
      end
    end
    assert.are.equal(count, select(2, page:gsub("\n| %[", "")))
  end)

  -- Its form, without a reader of YAML: maps, lists, two blanks a level, and what an indexed Job needs.
  it("have a manifest whose parts agree", function()
    local text, depth = contents(FOLDER .. "close_many.yaml"), 0
    for line in text:gmatch("[^\n]+") do
      if not line:find("^#") then
        local blanks, rest = line:match("^( *)(.*)$")
        assert.are.equal(0, #blanks % 2, line)
        assert.is_true(#blanks <= depth + 4, line)
        assert.is_truthy(rest:find("^%- ") or rest:find("^[%w]+:"), line)
        depth = #blanks
      end
    end
    local parts = text:match("\n  completions: (%d+)\n")
    assert.are.equal(parts, text:match('%- %-%-shards\n +%- "(%d+)"\n'))
    assert.is_truthy(text:find("\n  completionMode: Indexed\n", 1, true))
    local words = {}
    for word in text:match("command:\n(.-)\n +envFrom"):gmatch("%- \"?([^\n\"]+)") do words[#words + 1] = word end
    assert.are.equal("webpubsub", table.remove(words, 1))
    words[3] = "/dev/null"
    local result = program.run(words, { settings = { WebPubSubHub = "chat", JOB_COMPLETION_INDEX = "9",
      WebPubSubConnectionString = "Endpoint=http://127.0.0.1:1;AccessKey=k;Version=1.0;" } })
    assert.are.equal(0, result.code, result.stderr)
  end)
end)
