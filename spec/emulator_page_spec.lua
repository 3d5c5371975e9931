-- luacheck: std lua54+busted
if _VERSION ~= "Lua 5.4" then
  return -- the emulator runs on Lua 5.4 only
end

local support = require "spec.support.emulator_client"

local base64 = require "webpubsub.emulator.base64"
local condition = require "cqueues.condition"
local cqueues = require "cqueues"
local digest = require "openssl.digest"
local feed = require "webpubsub.emulator.page.feed"
local http_tls = require "http.tls"
local http_websocket = require "http.websocket"
local journal = require "webpubsub.emulator.journal"
local json = require "webpubsub.emulator.json"

local SECONDS = 5
local RELIABLE = "json.reliable.webpubsub.azure.v1"

describe("emulator, its page:", function()
  local server

  setup(function() server = support.launch() end)
  teardown(function() server.stop() end)

  -- What a browser does whose page is `origin`; raises when it is refused.
  local function open_live(origin, emulator, tls_context)
    emulator = emulator or server.emulator
    local websocket = http_websocket.new_from_uri(emulator.endpoint:gsub("^http", "ws") .. "/page/live")
    websocket.request.ctx = tls_context
    if origin then websocket.request.headers:upsert("origin", origin) end
    assert(websocket:connect(SECONDS))
    return websocket
  end

  local function receive(websocket)
    return json.decode((assert(websocket:receive(SECONDS))))
  end

  -- The next entry of a kind, and of a connection where that is given.
  local function wait_for_entry(websocket, kind, id)
    while true do
      for _, entry in ipairs(receive(websocket).entries or {}) do
        if entry.kind == kind and (not id or entry.id == id) then
          return entry
        end
      end
    end
  end

  it("is one document that loads nothing, and in which nothing else runs", function()
    local response = server:http("GET", "/")
    assert.equal(200, response.status)
    assert.equal("text/html; charset=utf-8", response.headers:get("content-type"))
    local policy = response.headers:get("content-security-policy")
    assert.truthy(policy:find("default-src 'none'", 1, true))
    assert.truthy(policy:find("frame-ancestors 'none'", 1, true))
    for tag in pairs { style = true, script = true } do
      local text = response.body:match("<" .. tag .. ">(.-)</" .. tag .. ">")
      local hash = "'sha256-" .. base64.encode(digest.new("sha256"):final(text)) .. "'"
      assert.truthy(policy:find(tag .. "-src " .. hash, 1, true), tag)
    end
    assert.is_nil(response.body:find("https?://"))
    assert.is_nil(response.body:find("%sstyle="))
    assert.is_nil(response.body:find("%son%a+="))
    local head = server:http("HEAD", "/")
    assert.same({ 200, "", tostring(#response.body) },
      { head.status, head.body, head.headers:get("content-length") })
    assert.equal(405, server:http("POST", "/").status)
  end)

  describe("its WebSocket", function()
    it("is for the page itself and for no other site", function()
      assert.equal("snapshot", receive(open_live(server.emulator.endpoint)).type)
      local port = server.emulator.port
      for _, origin in ipairs { false, "https://evil.example", "http://localhost:3000", "null",
        ("http://127.0.0.1:%d"):format(port + 1), ("https://127.0.0.1:%d"):format(port),
        ("http://localhost:%d"):format(port), } do
        assert.has_error(function() open_live(origin or nil) end)
      end
    end)

    it("is not for a name that was made to lead here", function()
      local response = server:handshake_status("/page/live",
        { origin = "http://rebound.example", [":authority"] = "rebound.example" })
      assert.equal(403, response.status)
    end)

    it("is for a site that was allowed as little as for any other", function()
      local other = support.launch { allow_origin = { "https://app.example", "*" } }
      assert.has_error(function() open_live("https://app.example", other.emulator) end)
      assert.equal("snapshot", receive(open_live(other.emulator.endpoint, other.emulator)).type)
      other.stop()
    end)

    it("is there over TLS too", function()
      local secure = support.launch { tls = true }
      local context = http_tls.new_client_context()
      context:getStore():add(secure.emulator.ca_file)
      assert.equal(200, secure:http("GET", "/", { tls_context = context }).status)
      assert.equal("snapshot", receive(open_live(secure.emulator.endpoint, secure.emulator, context)).type)
      assert.has_error(function()
        open_live(secure.emulator.endpoint:gsub("^https", "http"), secure.emulator, context)
      end)
      secure.stop()
    end)

    it("shows at first what there is, then what happens", function()
      local hub = server:hub("shown")
      local alice = hub:connect { user = "alice", groups = { "b", "a" } }
      local live = open_live(server.emulator.endpoint)
      local snapshot = receive(live)
      assert.equal(server.emulator.endpoint, snapshot.endpoint)
      local shown = snapshot.connections[#snapshot.connections]
      assert.same({ "shown", alice.id, "alice", "json.webpubsub.azure.v1", { "a", "b" } },
        { shown.hub, shown.id, shown.user, shown.protocol, shown.groups })
      assert.truthy(math.abs(shown.since - snapshot.now) < 60)

      local bob = hub:connect { user = "bob", raw = true }
      assert.equal("no sub-protocol", wait_for_entry(live, "opened").protocol)
      hub:call("PUT", "/groups/g/connections/" .. alice.id)
      assert.same({ "g", true }, (function(entry) return { entry.group, entry.joined } end)(
        wait_for_entry(live, "group", alice.id)))
      hub:send("/groups/g/:send", "hello")
      local message = wait_for_entry(live, "message")
      assert.same({ "group g", 1, "text", 5, "hello" },
        { message.to, message.count, message.type, message.bytes, message.preview })
      hub:call("POST", "/users/alice/:closeConnections?reason=enough")
      local closed = wait_for_entry(live, "closed", alice.id)
      assert.same({ "request", "enough" }, { closed.by, closed.reason })
      bob:close()
      assert.equal("the client closed the connection", wait_for_entry(live, "closed").reason)
    end)

    it("shows a reliable client that is away", function()
      local hub = server:hub("away")
      local live = open_live(server.emulator.endpoint)
      local alice = hub:connect { user = "alice", subprotocol = RELIABLE }
      alice.websocket.socket:close()
      assert.equal("the line was cut", wait_for_entry(live, "away", alice.id).reason)
      local connections = receive(open_live(server.emulator.endpoint)).connections
      assert.is_true(connections[#connections].away)
    end)

    it("closes a connection with a reason", function()
      local alice = server:hub("closes"):connect { user = "alice" }
      local live = open_live(server.emulator.endpoint)
      live:send(tostring(json.object("type", "close", "hub", "closes", "id", alice.id, "reason", "seen enough")))
      assert.equal("Application server closed the connection. Reason: seen enough", alice:receive().message)
      assert.equal(1000, (alice:closed()))
    end)

    it("sends messages to everyone, a user, a group and a connection", function()
      local hub = server:hub("sends")
      local alice, bob = hub:connect { user = "alice" }, hub:connect { user = "bob", groups = { "g" } }
      local live = open_live(server.emulator.endpoint)
      local function send(to, name, data, data_type)
        live:send(tostring(json.object("type", "send", "hub", "sends", "to", to, "name", name, "data", data,
          "dataType", data_type)))
      end
      send("everyone", nil, "all", "text")
      assert.equal("all", alice:receive().data)
      assert.same({ "server", "text", "all" },
        (function(frame) return { frame.from, frame.dataType, frame.data } end)(bob:receive()))
      send("user", "alice", '{"x":1}', "json")
      assert.same({ x = 1 }, alice:receive().data)
      send("group", "g", "members", "text")
      assert.same({ "group", "members" }, (function(frame) return { frame.from, frame.data } end)(bob:receive()))
      send("connection", alice.id, "one", "text")
      assert.equal("one", alice:receive().data)
      assert.truthy(bob:is_quiet())
    end)

    it("says what it cannot do, and lives on", function()
      local live = open_live(server.emulator.endpoint)
      server:hub("cannot"):connect()
      receive(live)
      local function problem(text)
        live:send(text)
        while true do
          local message = receive(live)
          if message.type == "problem" then return message.text end
        end
      end
      for text, expected in pairs {
        ["["] = "The emulator does not know this command or this hub.",
        ["7"] = "The emulator does not know this command or this hub.",
        ['{"type":"dance","hub":"cannot"}'] = "The emulator does not know this command or this hub.",
        ['{"type":"close","hub":"nowhere","id":"x"}'] = "The emulator does not know this command or this hub.",
        ['{"type":"close","hub":{},"id":"x"}'] = "The emulator does not know this command or this hub.",
        ['{"type":"close","hub":"cannot","id":"x"}'] = "The connection has ended already.",
        ['{"type":"close","hub":"cannot","id":{}}'] = "The connection has ended already.",
        ['{"type":"send","hub":"cannot","to":"everyone"}'] = "The message has no text or nobody to go to.",
        ['{"type":"send","hub":"cannot","to":"enemy","data":"x"}'] = "The message has no text or nobody to go to.",
        ['{"type":"send","hub":"cannot","to":"everyone","data":"{","dataType":"json"}'] = "The message is not JSON.",
      } do
        assert.equal(expected, problem(text), text)
      end
    end)

    it("starts over with a browser that does not keep up", function()
      local controller, recorded = cqueues.new(), journal.new()
      local sent, leave = {}, condition.new()
      local peer = { queued_bytes = 0 }
      function peer.send(_, text) sent[#sent + 1] = json.decode(text) end
      function peer.run() leave:wait() end
      local function message_after(count)
        local deadline = cqueues.monotime() + SECONDS
        while #sent <= count and cqueues.monotime() < deadline do controller:step(0.1) end
        return sent[count + 1]
      end
      controller:wrap(feed.run, { journal = recorded, hubs = {}, controller = controller, endpoint = "x" }, peer)
      assert.same({ "snapshot", {} }, { message_after(0).type, sent[1].entries })
      recorded:note("first")
      assert.same({ "entries", 1 }, { message_after(1).type, #sent[2].entries })
      for index = 1, 2500 do recorded:note("note " .. index) end
      assert.same({ "snapshot", 1000 }, { message_after(2).type, #sent[3].entries })
      assert.equal("note 2500", sent[3].entries[1000].text)
      peer.queued_bytes = 2 * 1024 * 1024 -- it does not read
      for index = 1, 2500 do recorded:note("later " .. index) end
      local deadline = cqueues.monotime() + 0.5
      while cqueues.monotime() < deadline do controller:step(0.1) end
      assert.equal(3, #sent)
      peer.queued_bytes = 0
      recorded:note("last")
      assert.equal("last", message_after(3).entries[1000].text)
      leave:signal()
      assert(controller:loop(SECONDS))
      assert.is_nil(next(recorded.listeners))
    end)
  end)

  it("is for this machine only, unless it is opened", function()
    local pipe = assert(io.popen("hostname -I 2>/dev/null"))
    local address = pipe:read("*a"):match("%d+%.%d+%.%d+%.%d+")
    pipe:close()
    if not address then
      pending("this machine has no address but the loopback")
      return
    end
    for _, open in ipairs { false, true } do
      local other = support.launch { listen = "0.0.0.0", key = "k", open_page = open }
      local near = other:http("GET", "/").status
      other.emulator.endpoint = ("http://%s:%d"):format(address, other.emulator.port)
      local far = other:http("GET", "/")
      assert.same({ 200, open and 200 or 403 }, { near, far.status })
      assert.equal(open, (pcall(open_live, other.emulator.endpoint, other.emulator)))
      other.stop()
    end
  end)
end)
