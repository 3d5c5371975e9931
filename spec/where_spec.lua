-- An argument error says which line of the program made the call, and a misspelt method which one was meant.

local process = require("spec.support.process")
local webpubsub = require("webpubsub")

local OPTIONS = { endpoint = "https://contoso.webpubsub.azure.com", key = "k", hub = "chat" }
local FILE = debug.getinfo(1, "S").short_src

-- The error of an action, and whether it names the line of the function, which is where it makes its call.
local function fails_on_its_line(action)
  local ok, err = pcall(action)
  assert.is_false(ok)
  assert.are.equal(FILE .. ":" .. debug.getinfo(action, "S").linedefined, err.where)
  assert.are.equal(1, tostring(err):find(err.where .. ": webpubsub: ", 1, true))
  assert.is_nil(err.message:find(FILE, 1, true))
  return err
end

describe("an argument error", function()
  local client = webpubsub.new(OPTIONS)

  it("says where the program made the call", function()
    fails_on_its_line(function() local _ = webpubsub.new({ hub = "chat" }) end)
    fails_on_its_line(function() local _ = client:close_user_connections({ user = "" }) end)
    fails_on_its_line(function() local _ = client:close_user_connections_async({ user = "" }) end)
    fails_on_its_line(function() local _ = client:list_connections_in_group({ group = "" }) end)
    fails_on_its_line(function() local _ = client:client_access_url({ usr = "alice" }) end)
    fails_on_its_line(function() local _ = client:each("close", {}) end)
    fails_on_its_line(function() local _ = client:each("close_connection", {}, { concurrency = 0 }) end)
    fails_on_its_line(function() local _ = client:set_key("") end)
    fails_on_its_line(function() local _ = webpubsub.filter("'%s'", 1) end)
    fails_on_its_line(function() local _ = webpubsub.gather(1) end)
    fails_on_its_line(function() local _ = webpubsub.events.new({}) end)
    fails_on_its_line(function() local _ = client.close_user_connections({ user = "alice" }) end)
  end)

  it("says so in a coroutine of the program's", function()
    local coroutine_of_it = coroutine.wrap(function()
      fails_on_its_line(function() local _ = client:close_user_connections({ user = "" }) end)
      return true
    end)
    assert.is_true(coroutine_of_it())
  end)

  it("says the nearest line that Lua still knows after a tail call", function()
    local ok, err = pcall(function()
      local function closing() return client:close_user_connections({ user = "" }) end
      local response = closing() -- LuaJIT and 5.1 know this line only, and so do the others
      return response
    end)
    assert.is_false(ok)
    assert.is_truthy(err.where:find(FILE .. ":", 1, true))
  end)

  it("names no line of the library where no function of the program is", function()
    local summary = client:each("close_user_connections", { { user = "" } })
    assert.is_nil(summary.failures[1].error.where)
    assert.are.equal(1, tostring(summary.failures[1].error):find("webpubsub: close_user_connections: user", 1, true))
  end)

  it("is that of a program in a folder that is named like the library", function()
    local folder = process.run({ "mktemp", "-d" }).stdout:match("%S+")
    finally(function() process.run({ "rm", "-rf", folder }) end)
    process.run({ "mkdir", folder .. "/webpubsub" })
    local path = folder .. "/webpubsub/game.lua"
    local file = assert(io.open(path, "w"))
    file:write('local webpubsub = require "webpubsub"\n\nlocal client = webpubsub.new {}\nreturn client\n')
    file:close()
    local ok, err = pcall(dofile, path)
    assert.is_false(ok)
    assert.is_truthy(err.where:find("webpubsub/game.lua:3", 1, true))
  end)

  it("has nothing of it where it is no argument error", function()
    local failing = webpubsub.new({ endpoint = "http://127.0.0.1:1", key = "k", hub = "chat", retries = 0 })
    local _, err = pcall(failing.service_status, failing)
    assert.are.equal("transport", err.kind)
    assert.is_nil(err.where)
  end)
end)

describe("a misspelt method", function()
  local client = webpubsub.new(OPTIONS)

  it("is an argument error with the name that was meant", function()
    local err = fails_on_its_line(function() local _ = client:close_user_conections({ user = "alice" }) end)
    assert.are.same({ "argument", "unknown", "close_user_conections" }, { err.kind, err.code, err.argument })
    assert.are.equal('the client has no "close_user_conections"; did you mean "close_user_connections"?', err.message)
  end)

  it("has no suggestion where nothing is near", function()
    local err = fails_on_its_line(function() local _ = client.xyzzy end)
    assert.are.equal('the client has no "xyzzy"', err.message)
  end)

  it("does not get in the way of those who inspect a client", function()
    assert.is_nil(client.__name)
    assert.is_nil(client._private)
    assert.is_nil(client[1])
    assert.is_truthy(tostring(client):find("webpubsub client of hub chat", 1, true))
  end)
end)
