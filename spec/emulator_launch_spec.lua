-- luacheck: std lua54+busted
local launch = require "webpubsub.emulator.launch"

local MAIN = debug.getinfo(launch, "S").source:match("^@(.*)launch%.lua$") .. "main.lua"

local function read_file(path)
  local file = io.open(path)
  local text = file and file:read("*a")
  if file then
    file:close()
  end
  return text
end

local function shell(script)
  local pipe = assert(io.popen(script))
  local output = pipe:read("*a")
  pipe:close()
  return output
end

-- Whether an emulator can have the port within a few seconds, which it cannot while another one listens.
local function becomes_free(port)
  for _ = 1, 50 do
    local launched, emulator = pcall(launch, { port = port, quiet = true })
    if launched then
      emulator.stop()
      return true
    end
    shell("sleep 0.1")
  end
  return false
end

describe("emulator, as a process:", function()
  it("is launched, says where it is, and is gone with its files when it is stopped", function()
    local emulator = launch { key = "a key; with 'quotes'" }
    assert.equal("http://127.0.0.1:" .. emulator.port, emulator.endpoint)
    assert.equal("Endpoint=" .. emulator.endpoint .. ";AccessKey=a key; with 'quotes';Version=1.0;",
      emulator.connection_string)
    assert.is_nil(emulator.ca_file)
    local log = read_file(emulator.log_path)
    assert.equal("export WebPubSubConnectionString='Endpoint=" .. emulator.endpoint .. ";AccessKey=KEY;Version=1.0;'"
      .. "   # KEY: what --key was given\nwebpubsub url --hub chat --user alice   # a URL for a WebSocket client\n"
      .. "# live view in a browser: " .. emulator.endpoint .. "/\nlistening on " .. emulator.endpoint .. "\n",
      (log:gsub("^pid %d+\n", "")))
    local launched, message = pcall(launch, { port = emulator.port })
    assert.is_false(launched)
    assert.equal(("the emulator did not start; its output:\n"
      .. "emulator: cannot listen on 127.0.0.1:%d: Address already in use; --port 0 takes any free port\n"
      .. "ended with status 1\n"):format(
      emulator.port), (message:gsub("pid %d+\n", "")))
    emulator.stop()
    emulator.stop()
    assert.is_nil(read_file(emulator.log_path))
    assert.is_true(becomes_free(emulator.port))
  end)

  it("begins with the line to copy, key and all where the key is the public one", function()
    local emulator = launch()
    assert.truthy(read_file(emulator.log_path):find("\nexport WebPubSubConnectionString='"
      .. emulator.connection_string .. "'\n", 1, true))
    emulator.stop()
  end)

  it("does not outlive a parent that was killed", function()
    local folder = MAIN:match("^(.*)webpubsub/emulator/main%.lua$")
    local port = tonumber(shell(([[
      out=$(mktemp)
      lua5.4 -e '
        package.path = "%s?.lua;" .. package.path
        local emulator = require("webpubsub.emulator.launch")()
        os.remove(emulator.log_path) -- nobody else will
        print(emulator.port)
        io.stdout:flush()
        while true do os.execute("sleep 0.1") end' >$out 2>&1 &
      tries=0
      until grep -q . $out || [ $tries = 100 ]; do sleep 0.05; tries=$((tries + 1)); done
      kill -9 $!
      cat $out
      rm $out]]):format(folder)))
    assert.is_true(becomes_free(port))
  end)

  it("ends in order when it is interrupted or terminated", function()
    for _, signal in ipairs { "INT", "TERM" } do
      local status = shell(([[
        log=$(mktemp)
        lua5.4 %s --port 0 >$log 2>&1 &
        tries=0
        until grep -q listening $log || [ $tries = 100 ]; do sleep 0.05; tries=$((tries + 1)); done
        kill -%s $!
        wait $!
        echo "$?; $(grep -vc -e listening -e webpubsub -e WebPubSub -e '^# ' $log)"
        rm $log]]):format(MAIN, signal))
      assert.equal("0; 0\n", status) -- the status, and how many lines it had to say besides the first four
    end
  end)

  it("ends when its standard input is at its end", function()
    assert.equal("0\n", shell(("lua5.4 %s --port 0 --exit-on-eof </dev/null >/dev/null; echo $?"):format(MAIN)))
    assert.equal("0\n", shell(("echo x | lua5.4 %s --port 0 --exit-on-eof >/dev/null; echo $?"):format(MAIN)))
  end)

  it("refuses arguments that make no sense, in one line", function()
    local output = shell(("lua5.4 %s --port 65536 2>&1; echo $?"):format(MAIN))
    assert.equal("emulator: '65536' is not a port of 0 to 65535 (see webpubsub emulator --help)\n2\n", output)
    output = shell(("lua5.4 %s --port 0 --tls --tls-cert-out /nowhere/x 2>&1; echo $?"):format(MAIN))
    assert.equal("emulator: cannot write the certificate: /nowhere/x: No such file or directory\n1\n", output)
  end)
end)

if _VERSION ~= "Lua 5.4" then
  return -- clients need lua-http as the emulator does
end

describe("emulator, over TLS:", function()
  local support = require "spec.support.emulator_client"
  local http_tls = require "http.tls"

  local server, context

  setup(function()
    server = support.launch { tls = true }
    context = http_tls.new_client_context()
    context:getStore():add(server.emulator.ca_file)
  end)
  teardown(function() server.stop() end)

  it("serves REST calls to clients that trust its certificate, and to no others", function()
    assert.truthy(server.emulator.endpoint:find("^https://"))
    assert.equal(200, server:http("HEAD", "/api/health", { tls_context = context }).status)
    local path = "/api/hubs/spec/users/alice/:closeConnections?api-version=2024-12-01"
    assert.equal(204, server:signed("POST", path, { tls_context = context }).status)
    local trusted, why = pcall(server.http, server, "HEAD", "/api/health")
    assert.is_false(trusted)
    assert.truthy(tostring(why):find("certificate", 1, true), why)
  end)

  it("has a certificate for every name of this machine", function()
    local file = assert(io.open(server.emulator.ca_file))
    local certificate = require("openssl.x509").new(file:read("*a"))
    file:close()
    local names = {}
    for kind, name in pairs(certificate:getSubjectAlt()) do names[#names + 1] = kind .. " " .. name end
    table.sort(names)
    assert.same({ "DNS localhost", "IP 127.0.0.1", "IP ::1" }, names)
  end)

  it("says in its log which handshake failed, and goes on", function()
    local socket = require "cqueues.socket"
    local plain = socket.connect("127.0.0.1", server.emulator.port)
    plain:settimeout(5)
    plain:write("GET / HTTP/1.1\r\n\r\n")
    plain:onerror(function(_, _, why) return why end)
    plain:read("*a")
    plain:close()
    assert.equal(200, server:http("HEAD", "/api/health", { tls_context = context }).status)
    local log = assert(io.open(server.emulator.log_path)):read("*a")
    assert.truthy(log:find("\n%d%d:%d%d:%d%d a TLS handshake failed: http request\n"), log)
  end)

  it("serves WebSocket clients, and lets go of one that does not answer its close", function()
    local alice = server:connect { user = "alice", tls_context = context }
    local mute = server:connect { user = "mute", tls_context = context }
    assert.equal("alice", alice.greeting.userId)
    server:signed("POST", "/api/hubs/spec/users/mute/:closeConnections?api-version=2024-12-01",
      { tls_context = context })
    assert.equal("disconnected", mute:receive().event)
    local wire = mute.websocket.socket
    assert.equal("\x88\x02\x03\xE8", wire:xread(4, "b", 5))
    assert.is_nil((wire:xread(1, "b", 5)))
    assert.truthy(wire:eof("r"))
    assert.truthy(alice:is_quiet())
  end)
end)

describe("emulator, when it stops:", function()
  it("tells its clients that it goes away", function()
    local support = require "spec.support.emulator_client"
    local server = support.launch()
    local alice, raw = server:connect(), server:connect { raw = true }
    server.stop()
    assert.equal(1001, (alice:closed()))
    assert.equal(1001, (raw:closed()))
  end)
end)
