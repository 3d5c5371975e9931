-- A session at the interpreter's prompt: what is shown is meant for people, and holds no secret.

local launch = require("webpubsub.emulator.launch")
local prompt = require("spec.support.prompt")

local RAISED_TABLES_ARE_SHOWN = _VERSION ~= "Lua 5.1" or rawget(_G, "jit") ~= nil -- by lua.c itself

describe("at the prompt", function()
  local emulator, shell

  setup(function()
    emulator = launch({ quiet = true })
    shell = prompt.start({ "WebPubSubConnectionString=" .. emulator.connection_string })
    shell:answer('webpubsub = require("webpubsub")')
    shell:answer('client = webpubsub.new { connection_string = os.getenv "WebPubSubConnectionString", hub = "chat" }')
  end)
  teardown(function()
    shell:stop()
    emulator.stop()
  end)

  local function assert_shows(line, ...)
    local shown = shell:answer(line)
    for _, words in ipairs({ ... }) do assert.is_truthy(shown:find(words, 1, true), shown) end
    for _, noise in ipairs({ "table: 0x", "userdata: 0x", emulator.key, "Bearer", "eyJ" }) do
      assert.is_nil(shown:find(noise, 1, true), shown)
    end
  end

  -- `call` raises; both what the prompt shows of that by itself and what a program would print have the words.
  local function assert_refuses(call, ...)
    if RAISED_TABLES_ARE_SHOWN then assert_shows(call, ...) end
    assert_shows("=select(2, pcall(function() return " .. call .. " end))", ...)
  end

  it("a client tells its hub and its endpoint", function()
    assert_shows("=client", "webpubsub client of hub chat at " .. emulator.endpoint .. "\n")
  end)

  it("a call shows its response", function()
    assert_shows('=client:close_user_connections { user = "alice" }',
      "204 No Content (close_user_connections, 1 attempt")
    assert_shows('=client:close_user_connections({ user = "alice" }).headers', "api-supported-versions: 2021-10-01")
    assert_shows('=client:user_exists { user = "alice" }', "false\t404 Not Found (user_exists, 1 attempt")
  end)

  it("a mistake shows what was wrong and what would be right", function()
    assert_refuses('client:close_user_connections { user = "" }', "user must not be empty; expected the user's id")
    assert_refuses('client:close_user_connections { usr = "alice" }', 'has no "usr"; did you mean "user"?')
    assert_refuses('client.close_user_connections { user = "alice" }', "with a colon")
    assert_refuses('webpubsub.new { hub = "chat" }', "connection_string is missing")
    assert_refuses('webpubsub.new { connection_string = "Endpoint=http://localhost", hub = "chat" }',
      "connection_string has no AccessKey")
  end)

  it("a refusal of the service shows status, code and request id", function()
    assert_refuses('client:grant_permission { connection = "none", permission = "sendToGroup", '
      .. 'context = { request_id = "r-1" } }', "404 Info.Connection.NotExisted", "request r-1")
  end)

  it("a failure to reach the service shows where it went", function()
    emulator.stop()
    assert_refuses('client:close_user_connections { user = "alice", context = { retries = 0 } }',
      emulator.endpoint:match("//(.*)$"), "transport connect, 1 attempt, request ")
  end)

  it("help lists the operations, and tells about one of them", function()
    assert_shows("webpubsub.help()", "close_user_connections", "generate_client_token")
    assert_shows('webpubsub.help "close_user_connections"', "Closes the connections of one user", "excluded", "context")
    assert_shows('webpubsub.help "close_user_conections"', 'did you mean "close_user_connections"?')
  end)
end)
