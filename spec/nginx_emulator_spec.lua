-- From a client to the application and back: WebSocket clients of the emulator, whose events an NGINX answers.

if _VERSION ~= "Lua 5.1" then return end -- NGINX loads the build for Lua 5.1

local launch = require("webpubsub.emulator.launch")
local nginx = require("spec.support.nginx")
local socket = require("socket")
local wait = require("spec.support.wait")
local webpubsub = require("webpubsub")
local websocket_clients = require("spec.support.websocket_clients")

local KEY = "a key of the service"
local SECONDS = 5

local HTTP = [[
  lua_shared_dict left 64k;
  init_worker_by_lua_block {
    local webpubsub = require("webpubsub")
    events = webpubsub.events.new {
      hub = "chat", keys = { "$(key)" }, origins = "*",
      connect = function(event)
        local user = event.query.name and event.query.name[1]
        if user == "eve" then return webpubsub.events.reject(401, "banned") end
        return { user = user, groups = { "lobby" }, roles = { "webpubsub.sendToGroup.lobby" }, state = { count = 0 } }
      end,
      user_event = {
        count = function(event)
          local count = event.state.count + event.json.by
          return { json = { count = count, user = event.user }, state = { count = count } }
        end,
        message = function(event) return { content = event.content:upper() } end,
        fail = function() error("the reason is nobody's business") end,
      },
      disconnected = function(event) ngx.shared.left:set(event.user, event.reason) end,
    }
  }
]]

local SERVER = [[
  location = /events { content_by_lua_block { events:serve() } }
  location = /left { content_by_lua_block { ngx.print(ngx.shared.left:get(ngx.var.arg_user) or "") } }
]]

describe("a client of the emulator whose events an NGINX answers", function()
  local web, origin, emulator, client, clients

  setup(function()
    web = nginx.start({ http = HTTP, server = SERVER, set = { key = KEY } })
    origin = ("http://%s:%d"):format(web.host, web.port)
    emulator = launch({ key = KEY, event_handler = origin .. "/events" })
    client = webpubsub.new({ connection_string = emulator.connection_string, hub = "chat", proxy = false })
  end)
  teardown(function()
    emulator.stop()
    web:stop()
  end)
  after_each(function()
    if clients then clients:stop() end
    clients = nil
  end)

  local function url_for(name)
    return client:client_access_url() .. "&name=" .. name
  end

  local function connect(...)
    local identities = {}
    for index, name in ipairs({ ... }) do identities[index] = { url = url_for(name), raw = name == "raw" } end
    clients = websocket_clients.connect(emulator, "chat", identities)
  end

  -- The status line with which a handshake is answered.
  local function shake_hands(name)
    local host, port, target = url_for(name):match("^ws://([^:/]+):(%d+)(/.*)$")
    local connection = assert(socket.connect(host, tonumber(port)))
    connection:settimeout(SECONDS)
    connection:send(table.concat({
      "GET " .. target .. " HTTP/1.1", ("Host: %s:%s"):format(host, port), "Upgrade: websocket", "Connection: Upgrade",
      "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "", "",
    }, "\r\n"))
    local line = assert(connection:receive("*l"))
    connection:close()
    return line
  end

  it("gets its user, groups and roles from it", function()
    connect("alice", "bob")
    assert.is_true(client:user_exists({ user = "alice" }))
    assert.is_true(client:group_exists({ group = "lobby" }))
    assert.is_true(clients:ask(1, '{"type":"sendToGroup","group":"lobby","dataType":"text","data":"hello",'
      .. '"noEcho":true,"ackId":1}').success)
    local message = clients:take(2)[1]
    assert.are.same({ "alice", "hello" }, { message.fromUserId, message.data })
    assert.are.equal("Forbidden",
      clients:ask(1, '{"type":"sendToGroup","group":"other","data":1,"ackId":2}').error.name)
  end)

  it("is kept out by it", function()
    assert.are.equal("HTTP/1.1 101 Switching Protocols", shake_hands("alice"))
    assert.are.equal("HTTP/1.1 401 Unauthorized", shake_hands("eve"))
    assert.is_false(client:user_exists({ user = "eve" }))
  end)

  it("is answered, and its state is kept from one event to the next", function()
    connect("alice")
    for index, expected in ipairs({ 2, 4, 6 }) do
      clients:send(1, ('{"type":"event","event":"count","ackId":%d,"data":{"by":2}}'):format(index))
      local frames = clients:take(1)
      assert.are.same({ "json", { count = expected, user = "alice" } }, { frames[1].dataType, frames[1].data })
      assert.is_true(frames[2].success)
    end
  end)

  it("is answered without a sub-protocol too", function()
    connect("raw")
    clients:send(1, "hello")
    assert.are.equal("HELLO", clients:take_text(1))
  end)

  it("is dropped when its event fails, and is not told why", function()
    connect("alice")
    clients:send(1, '{"type":"event","event":"fail","ackId":1,"data":1}')
    local ended = clients:ended(1)
    assert.are.equal("The event handler failed on the event 'fail': it answered with 500.", ended.message)
  end)

  it("is known to have left, and why", function()
    connect("leaver")
    client:close_user_connections({ user = "leaver", reason = "signed out" })
    local http = require("socket.http")
    assert.are.equal("signed out", wait.until_true(function()
      local body = http.request(origin .. "/left?user=leaver")
      return body ~= "" and body
    end, SECONDS, "the event"))
  end)
end)
