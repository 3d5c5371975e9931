-- luacheck: std lua54+busted
if _VERSION ~= "Lua 5.4" then
  return -- the emulator runs on Lua 5.4 only
end

local support = require "spec.support.emulator_client"

local auth = require "webpubsub.emulator.auth"
local cqueues = require "cqueues"
local json = require "webpubsub.emulator.json"
local socket = require "cqueues.socket"

local MIB = 1024 * 1024

describe("emulator, who may use it:", function()
  local server

  setup(function() server = support.launch { allow_origin = { "https://app.example" } } end)
  teardown(function() server.stop() end)

  local function read_log()
    local file = assert(io.open(server.emulator.log_path))
    local text = file:read("*a")
    file:close()
    return text
  end

  describe("a token", function()
    local target = "/api/hubs/spec/users/alice/:closeConnections?api-version=2024-12-01"

    local function status_with(claims)
      claims.exp = claims.exp or os.time() + 60
      return server:http("POST", target,
        { headers = { authorization = "Bearer " .. auth.sign(server.emulator.key, claims) } }).status
    end

    it("may name any of the four schemes in its audience, and nothing else that differs", function()
      local url = server.emulator.endpoint:gsub("^http", "") .. target
      for _, scheme in ipairs { "http", "https", "ws", "wss" } do
        assert.equal(204, status_with { aud = scheme .. url:gsub("^s", "") }, scheme)
      end
      assert.equal(204, status_with { aud = { "https://elsewhere/", "wss" .. url } })
      assert.equal(401, status_with { aud = "ftp" .. url })
      assert.equal(401, status_with { aud = "https" .. url .. "x" })
      assert.equal(401, status_with { aud = 1 })
    end)

    it("of a client may name them too", function()
      local audience = server:audience():gsub("^http", "wss")
      local token = auth.client_token(server.emulator.key, { audience = audience, user = "alice" })
      assert.equal("alice", server:connect({ token = token }).greeting.userId)
    end)

    it("counts from its nbf on, give or take five minutes", function()
      local url, now = server.emulator.endpoint .. target, os.time()
      assert.equal(204, status_with { aud = url, nbf = now + 290, exp = now + 900 })
      assert.equal(401, status_with { aud = url, nbf = now + 310, exp = now + 900 })
    end)
  end)

  describe("a web site", function()
    local function status_from(origin, host)
      local response = server:http("HEAD", "/api/health",
        { headers = { origin = origin, [":authority"] = host } })
      return response.status
    end

    it("may be one on this machine or one that was allowed", function()
      for _, origin in ipairs {
        "http://localhost:3000", "https://localhost", "http://127.0.0.1:5173", "http://[::1]:80",
        "http://app.localhost", "https://app.example", server.emulator.endpoint,
      } do
        assert.equal(200, status_from(origin), origin)
      end
    end)

    it("is refused otherwise, and told how it would be allowed", function()
      for _, origin in ipairs {
        "https://evil.example", "http://app.example", "null", "https://localhost.evil.example",
        "https://127.0.0.1.example", "http://evil.example@localhost", "file://", "",
      } do
        assert.equal(403, status_from(origin), origin)
      end
      local response = server:http("POST", "/api/hubs/spec/:send", { headers = { origin = "https://evil.example" } })
      assert.same({ 403, "Error.Forbidden", "The origin 'https://evil.example' may not use this emulator unless it is "
        .. "started with --allow-origin 'https://evil.example'." },
        { response.status, response.json.code, response.json.message })
    end)

    it("is not the emulator's own because its name leads here", function()
      assert.equal(403, status_from("http://rebound.example:80", "rebound.example:80"))
      assert.equal(200, status_from("http://192.0.2.1:80", "192.0.2.1:80"))
    end)

    it("is refused as a client's as well", function()
      local token = auth.client_token(server.emulator.key, { audience = server:audience() })
      local function handshake(origin)
        return server:handshake_status("/client/hubs/spec?access_token=" .. token, { origin = origin }).status
      end
      assert.equal(101, handshake("http://localhost:3000"))
      assert.equal(403, handshake("https://evil.example"))
    end)
  end)

  describe("a stranger", function()
    local function connect()
      local connection = assert(socket.connect("127.0.0.1", server.emulator.port))
      connection:setmode("b", "bn")
      connection:settimeout(5)
      connection:onerror(function(_, _, why) return why end)
      return connection
    end

    local function post(headers)
      local connection = connect()
      connection:write(("POST /api/hubs/spec/:send?api-version=2024-12-01 HTTP/1.1\r\n"
        .. "Host: 127.0.0.1:%d\r\n%s\r\n"):format(server.emulator.port, headers))
      return connection
    end

    it("is answered before its body is read", function()
      local connection = post("Content-Length: 1000000\r\n")
      assert.equal("HTTP/1.1 401 Unauthorized", (connection:read("*l"):gsub("\r$", "")))
      local rest = connection:read("*a")
      assert.truthy(rest:find("connection: close", 1, true), rest)
      connection:close()
    end)

    it("is not asked for a body it offers", function()
      local connection = post("Content-Length: 1000000\r\nExpect: 100-continue\r\n")
      assert.equal("HTTP/1.1 401 Unauthorized", (connection:read("*l"):gsub("\r$", "")))
      connection:close()
    end)

    it("reads its answer after all, though it sends a large body first", function()
      local connection = post(("Content-Length: %d\r\n"):format(8 * MIB))
      for _ = 1, 8 do connection:write(("x"):rep(MIB)) end
      assert.equal("HTTP/1.1 401 Unauthorized", (connection:read("*l"):gsub("\r$", "")))
      connection:close()
    end)

    it("cannot make the emulator keep what it sends", function()
      local before, connections = server:memory(), {}
      for index = 1, 20 do
        connections[index] = post("Content-Length: 900000\r\n")
        connections[index]:write(("x"):rep(800000))
      end
      assert.truthy(server:memory() - before < 8 * 1024, "KiB")
      for _, connection in ipairs(connections) do connection:close() end
    end)

    it("cannot send headers without end", function()
      local connection = connect()
      connection:write("GET / HTTP/1.1\r\nHost: a\r\n" .. ("x: y\r\n"):rep(65) .. "\r\n")
      assert.equal("HTTP/1.1 400 Bad Request", (connection:read("*l"):gsub("\r$", "")))
      connection:close()
    end)

    it("cannot keep others out by opening connections and saying nothing", function()
      local silent = {}
      for index = 1, 560 do
        silent[index] = connect()
        assert(silent[index]:connect(5))
      end
      local started = cqueues.monotime()
      assert.equal(200, server:http("HEAD", "/api/health").status)
      assert.truthy(cqueues.monotime() - started < 5)
      for _, connection in ipairs(silent) do connection:close() end
    end)
  end)

  it("takes hundreds of clients that come at once", function()
    local controller, greeted = cqueues.new(), 0
    local http_websocket = require "http.websocket"
    local hub = server:hub("crowd")
    local open = {}
    for _ = 1, 600 do
      controller:wrap(function()
        local token = auth.client_token(server.emulator.key, { audience = hub:audience() })
        local client = http_websocket.new_from_uri(hub:audience():gsub("^http", "ws") .. "?access_token=" .. token,
          { "json.webpubsub.azure.v1" })
        open[client] = true
        assert(client:connect(10))
        assert.equal("connected", json.decode((client:receive(10))).event)
        greeted = greeted + 1
      end)
    end
    assert(controller:loop(30))
    assert.equal(600, greeted)
    for client in pairs(open) do client.socket:close() end
  end)

  it("listens on this machine only unless it is told otherwise, and warns of the key everybody knows", function()
    assert.truthy(read_log():find("http://127.0.0.1:", 1, true))
    assert.is_nil(read_log():find("everybody knows", 1, true))
    for _, case in ipairs { { "0.0.0.0", nil, true }, { "0.0.0.0", "mine", false }, { "::1", nil, false } } do
      local other = support.launch { listen = case[1], key = case[2] }
      local log = assert(io.open(other.emulator.log_path)):read("*a")
      assert.equal(case[1] == "0.0.0.0", log:find("\nlistening on http://127.0.0.1:" .. other.emulator.port
        .. ", on every address of this machine\n", 1, true) ~= nil, log)
      assert.equal(case[3], log:find("warning: everybody knows the default access key, and 0.0.0.0 is not this "
        .. "machine only: give it a --key of your own", 1, true) ~= nil, log)
      other.stop()
    end
  end)
end)
