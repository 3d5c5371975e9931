-- luacheck: std lua54+busted
if _VERSION ~= "Lua 5.4" then
  return -- the emulator runs on Lua 5.4 only
end

local support = require "spec.support.emulator_client"

local auth = require "webpubsub.emulator.auth"
local cqueues = require "cqueues"
local socket = require "cqueues.socket"
local websocket_frames = require "http.websocket"

describe("emulator, the frames of a WebSocket:", function()
  local server, hub

  setup(function()
    server = support.launch()
    hub = server:hub("wire")
  end)
  teardown(function() server.stop() end)

  local function token(user)
    return auth.client_token(server.emulator.key, { audience = hub:audience(), user = user })
  end

  -- A WebSocket on which frames are written and read by hand.
  local function raw_socket(user)
    local connection = assert(socket.connect("127.0.0.1", server.emulator.port))
    connection:setmode("b", "bn")
    connection:settimeout(5)
    connection:write(("GET /client/hubs/wire?access_token=%s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n"
      .. "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
      .. "Sec-WebSocket-Version: 13\r\n\r\n"):format(token(user), server.emulator.port))
    repeat
      local line = connection:read("*l")
    until line == "\r" or line == "" or line == nil
    return connection
  end

  local function frame(fields)
    fields.MASK = fields.MASK ~= false
    if fields.FIN == nil then
      fields.FIN = true
    end
    return websocket_frames.build_frame(fields)
  end

  -- The code of the close frame that comes next, and whether the line was cut after it.
  local function closing(connection)
    local head = assert(connection:read(2))
    assert.equal(0x88, head:byte(1))
    local code = string.unpack(">I2", connection:read(head:byte(2)))
    connection:shutdown("w")
    return code, connection:read(1) == nil
  end

  it("answers a ping with what it carried, and a close with its code", function()
    local connection = raw_socket("pinging")
    connection:write(frame { opcode = 0x9, data = "are you there" })
    assert.equal("\x8A\x0Dare you there", connection:read(15))
    connection:write(frame { opcode = 0x8, data = string.pack(">I2", 4321) })
    assert.same({ 4321, true }, { closing(connection) })
  end)

  it("puts fragments together, with control frames between them", function()
    local alice = hub:connect()
    local half = { '{"type":', '"ping"}' }
    alice.websocket:send_frame { FIN = false, MASK = true, opcode = 0x1, data = half[1] }
    alice.websocket:send_ping("in between")
    alice.websocket:send_frame { FIN = true, MASK = true, opcode = 0x0, data = half[2] }
    assert.equal("pong", alice:receive().type)
  end)

  it("closes with the code that fits what a client did wrong", function()
    for _, case in ipairs {
      { 1002, frame { opcode = 0x1, data = "x", MASK = false } },
      { 1002, frame { opcode = 0x1, data = "x", RSV1 = true } },
      { 1002, frame { opcode = 0x3, data = "x" } },
      { 1002, frame { opcode = 0x0, data = "x" } },
      { 1002, frame { opcode = 0x9, data = "x", FIN = false } },
      { 1002, frame { opcode = 0x1, data = "x", FIN = false } .. frame { opcode = 0x1, data = "y" } },
      { 1007, frame { opcode = 0x1, data = "\255" } },
      { 1002, frame { opcode = 0x8, data = "x" } },
      { 1002, frame { opcode = 0x8, data = "\0\0" } },
      { 1002, frame { opcode = 0x8, data = string.pack(">I2", 1005) } },
      { 1002, frame { opcode = 0x8, data = string.pack(">I2", 2999) } },
      { 1002, frame { opcode = 0x8, data = string.pack(">I2", 5000) } },
      { 1007, frame { opcode = 0x8, data = string.pack(">I2", 1000) .. "\255" } },
      { 1009, "\x81\xFF" .. string.pack(">I8", 1024 * 1024 + 1) },
      { 1009, "\x81\xFF" .. string.pack(">i8", -1) },
    } do
      local connection = raw_socket()
      connection:write(case[2])
      assert.same({ case[1], true }, { closing(connection) })
      connection:close()
    end
  end)

  it("takes a message of 1 MiB and refuses fragments that add up to more", function()
    local alice = hub:connect { roles = { "webpubsub.sendToGroup" }, groups = { "big" } }
    local head, tail = '{"type":"sendToGroup","group":"big","dataType":"text","data":"', '"}'
    local data = ("x"):rep(1024 * 1024 - #head - #tail)
    assert.equal(data, alice:ask(head .. data .. tail).data)
    local connection = raw_socket()
    local part = ("x"):rep(600 * 1024)
    connection:write(frame { opcode = 0x1, data = part, FIN = false })
    connection:write(frame { opcode = 0x0, data = part })
    assert.same({ 1009, true }, { closing(connection) })
  end)

  it("keeps nothing of fragments in which nothing is", function()
    local connection = raw_socket()
    local before = server:memory()
    connection:write(frame { opcode = 0x1, data = "", FIN = false })
    local empty = frame({ opcode = 0x0, data = "", FIN = false }):rep(10000)
    for _ = 1, 40 do connection:write(empty) end
    connection:write(frame { opcode = 0x9, data = "read" })
    assert.equal("\x8A\x04read", connection:read(6))
    assert.truthy(server:memory() - before < 4096, "KiB")
    connection:close()
  end)

  it("drops a client that does not read, and nobody else waits for it", function()
    local lazy, alice = raw_socket("lazy"), hub:connect { user = "busy" }
    local body = ("x"):rep(1024 * 1024)
    local sent = 0
    repeat
      local started = cqueues.monotime()
      assert.equal(202, hub:send("/:send", body).status)
      assert.equal(#body, #alice:receive().data)
      assert.truthy(cqueues.monotime() - started < 2)
      sent = sent + 1
    until hub:call("HEAD", "/users/lazy").status == 404 or sent == 64
    assert.truthy(sent > 15 and sent < 64, ("dropped after %d MiB"):format(sent))
    assert.truthy(alice:is_quiet())
    lazy:close()
  end)

  it("lets go of a client that does not answer its close", function()
    local mute = raw_socket("mute")
    hub:call("POST", "/users/mute/:closeConnections")
    assert.equal("\x88\x02\x03\xE8", mute:read(4))
    local started = cqueues.monotime()
    assert.is_nil(mute:read(1))
    assert.truthy(cqueues.monotime() - started < 4.5)
    mute:close()
  end)
end)
