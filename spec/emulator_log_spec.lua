-- luacheck: std lua54+busted
if _VERSION ~= "Lua 5.4" then
  return -- the emulator runs on Lua 5.4 only
end

local support = require "spec.support.emulator_client"

describe("emulator, its log:", function()
  local server

  setup(function() server = support.launch() end)
  teardown(function() server.stop() end)

  local function read_log()
    local file = assert(io.open(server.emulator.log_path))
    local text = file:read("*a")
    file:close()
    return text
  end

  -- Whether there is a line with a time of day, the text, and how long it took.
  local function assert_logged(text)
    local log = read_log()
    for line in log:gmatch("[^\n]+") do
      local time, said, took = line:match("^(%d%d:%d%d:%d%d) (.*) · (%d+%.%d) ms$")
      if time and said == text and tonumber(took) then
        return
      end
    end
    assert.equal(text, log)
  end

  it("says when, who, how many and how long", function()
    local hub = server:hub("log")
    hub:connect { user = "alice" }
    hub:connect { user = "alice" }
    local spared = hub:connect { user = "alice", groups = { "g" } }
    hub:call("POST", "/users/alice/:closeConnections?excluded=" .. spared.id)
    assert_logged("close user alice: 2 closed, 1 excluded")
    hub:send("/groups/g/:send", "grüße")
    assert_logged("send text of 7 bytes to group g: 1 sent")
    hub:send("/:send?filter=userId%20eq%20'bob'", "x")
    assert_logged("send text of 1 byte to everyone: 0 sent, 1 filtered out")
    hub:call("PUT", "/users/alice/groups/h")
    assert_logged("add user alice to group h: 1 connection")
    hub:call("GET", "/groups/h/connections")
    assert_logged("list group h: 1 connection")
    hub:call("PUT", "/permissions/sendToGroup/connections/" .. spared.id .. "?targetName=g")
    assert_logged(("grant sendToGroup for group g to connection %s"):format(spared.id))
    hub:call("HEAD", "/users/nobody")
    assert_logged("user nobody: does not exist")
    hub:call("POST", "/:generateToken?userId=alice")
    assert_logged("generate a token for user alice")
  end)

  it("says what was refused, and why", function()
    server:http("POST", "/api/hubs/log/:closeConnections?api-version=2024-12-01")
    assert_logged("POST /api/hubs/log/:closeConnections: 401 The Authorization header has no Bearer token")
    server:hub("log"):call("POST", "/:send", { body = "x", headers = { ["content-type"] = "image/png" } })
    assert_logged("POST /api/hubs/log/:send: 415 Error.UnsupportedMediaType")
  end)

  it("names clients that come and go by themselves", function()
    local bob = server:hub("log"):connect { user = "bob" }
    bob:close()
    local rude = server:hub("log"):connect()
    rude:send("[")
    rude:receive()
    rude:closed()
    server:http("HEAD", "/api/health")
    local log = read_log()
    assert.truthy(log:find(("connect bob (%s) to log, json.webpubsub.azure.v1\n"):format(bob.id), 1, true), log)
    assert.truthy(log:find(("disconnect bob (%s) from log: the client closed the connection\n"):format(bob.id), 1,
      true))
    assert.truthy(log:find(("disconnect %s from log: The frame is not a JSON object"):format(rude.id), 1, true))
  end)

  it("keeps to one line whatever the names are", function()
    server:hub("log"):call("POST", "/users/a%0Ab%1B%5B31m/:closeConnections")
    assert_logged("close user a?b?[31m: 0 closed")
  end)

  it("is silent about all of that when it is told to be", function()
    local quiet = support.launch { quiet = true }
    quiet:connect { user = "alice" }
    quiet:call("POST", "/:closeConnections")
    local file = assert(io.open(quiet.emulator.log_path))
    assert.truthy(file:read("*a"):find("\nlistening on [^\n]*\n$"))
    file:close()
    quiet.stop()
  end)
end)
