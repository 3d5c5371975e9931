--- A demonstration: alice signs in once more, and her other connections are closed with a reason she can read.
--
-- It starts the emulator, connects real WebSocket clients to it, makes the one call this library is about, and shows
-- what each client saw. It exits with 0 only if that is what had to happen.
--
--     make demo        or, with LUA_PATH and LUA_CPATH set,        lua5.4 lua/webpubsub/emulator/demo.lua

require "webpubsub.emulator.path"

-- Blocked before anything slow is loaded; run_interruptibly() waits for them.
local signal = require "cqueues.signal"
signal.block(signal.SIGINT, signal.SIGTERM)

local cqueues = require "cqueues"
local http_websocket = require "http.websocket"

local auth = require "webpubsub.emulator.auth"
local json = require "webpubsub.emulator.json"
local launch = require "webpubsub.emulator.launch"
local webpubsub = require "webpubsub"

local HUB = "demo"
local REASON = "signed in elsewhere"
local FAREWELL = "Application server closed the connection. Reason: " .. REASON
local NO_CONTENT = 204
local CLOSE_NORMAL = 1000
local JSON_SUBPROTOCOL = "json.webpubsub.azure.v1"

local CLIENT_SECONDS = 5 -- for each thing a client waits for
local EXIT_FAILURE, EXIT_SIGNALLED = 1, 128

-- The order is the order in which they are shown.
local CLIENTS = {
  { user = "alice", device = "old laptop", json = true, closed = true },
  { user = "alice", device = "raw socket", json = false, closed = true },
  { user = "alice", device = "new phone", json = true, closed = false, excluded = true },
  { user = "bob", device = "desktop", json = true, closed = false },
}

local function say(format, ...)
  io.stdout:write(format:format(...), "\n")
  io.stdout:flush()
end

local function name_of(client)
  return ("%-5s  %-10s"):format(client.user, client.device)
end

local function receive_json(client)
  local text, why = client.websocket:receive(CLIENT_SECONDS)
  return text and json.decode(text), why
end

local function connect(client, emulator)
  local audience = ("%s/client/hubs/%s"):format(emulator.endpoint, HUB)
  local token = auth.client_token(emulator.key, { audience = audience, user = client.user })
  local url = audience:gsub("^http", "ws") .. "?access_token=" .. token
  client.websocket = http_websocket.new_from_uri(url, client.json and { JSON_SUBPROTOCOL } or nil)
  local connected, why = client.websocket:connect(CLIENT_SECONDS)
  if not connected then
    error(("%s could not connect: %s"):format(name_of(client), why), 0)
  end
  if client.json then
    local greeting, reason = receive_json(client)
    if not greeting or greeting.event ~= "connected" then
      error(("%s was not greeted: %s"):format(name_of(client), reason or "another frame came first"), 0)
    end
    client.id = greeting.connectionId
  end
  say("  connected  %s  %s", name_of(client), client.id or "(a raw client is not told its id)")
end

local function close_others(emulator, excluded)
  local client = webpubsub.new { connection_string = emulator.connection_string, hub = HUB }
  say('\n  client:close_user_connections { user = "alice", excluded = { "%s" }, reason = "%s" }', excluded, REASON)
  local response = client:close_user_connections { user = "alice", excluded = { excluded }, reason = REASON }
  say("  --> %s\n", tostring(response))
  if response.status ~= NO_CONTENT then
    error(("expected status %d"):format(NO_CONTENT), 0)
  end
end

-- What a client that has to be closed saw, and what was wrong with it.
local function check_closed(client)
  local farewell
  if client.json then
    local frame = receive_json(client)
    farewell = frame and frame.message
    if farewell ~= FAREWELL then
      return nil, ("expected the message %q, got %q"):format(FAREWELL, tostring(farewell))
    end
  end
  local text, reason, code = client.websocket:receive(CLIENT_SECONDS)
  if text then
    return nil, ("expected to be closed, got %q"):format(text)
  elseif code ~= CLOSE_NORMAL or reason then
    return nil, ("expected close code %d without a reason, got %s %s"):format(
      CLOSE_NORMAL, tostring(code), tostring(reason))
  end
  return ("closed     %s  %s"):format(name_of(client),
    farewell and ("was told: %q"):format(farewell) or ("close code %d; only JSON clients are told why"):format(code))
end

local function check_stayed(client)
  client.websocket:send('{"type":"ping"}', "text", CLIENT_SECONDS)
  local frame, why = receive_json(client)
  if not frame or frame.type ~= "pong" then
    return nil, ("expected an answer to its ping, got %s"):format(frame and (frame.message or frame.type) or why)
  end
  return ("stayed     %s  answered a ping%s"):format(name_of(client), client.excluded and "; it was excluded" or "")
end

-- Returns how many clients saw something else than they had to.
local function check_clients()
  local failures = 0
  for _, client in ipairs(CLIENTS) do
    local seen, wrong = (client.closed and check_closed or check_stayed)(client)
    say("  %s", seen or ("WRONG      %s  %s"):format(name_of(client), wrong))
    failures = failures + (seen and 0 or 1)
  end
  return failures
end

local function play(emulator)
  say("\nSign a user out everywhere but here (the emulator is at %s)\n", emulator.endpoint)
  local excluded
  for _, client in ipairs(CLIENTS) do
    connect(client, emulator)
    excluded = client.excluded and client.id or excluded
  end
  close_others(emulator, excluded)
  local failures = check_clients()
  for _, client in ipairs(CLIENTS) do
    client.websocket:close(CLOSE_NORMAL, nil, CLIENT_SECONDS)
  end
  if failures > 0 then
    error(("%d of %d clients saw something else"):format(failures, #CLIENTS), 0)
  end
  say("\nAs expected.\n")
end

-- Runs a function until it returns, raises, or the user interrupts. Returns nil, or a message and an exit status.
local function run_interruptibly(controller, action)
  local outcome, interrupted_by
  controller:wrap(function()
    interrupted_by = signal.listen(signal.SIGINT, signal.SIGTERM):wait()
  end)
  controller:wrap(function()
    local succeeded, message = pcall(action)
    outcome = { message = not succeeded and tostring(message) or nil }
  end)
  repeat
    assert(controller:step())
  until outcome or interrupted_by
  controller:step(0) -- an interrupt that made the action fail explains it best
  if interrupted_by then
    return "interrupted", EXIT_SIGNALLED + interrupted_by
  end
  return outcome.message, outcome.message and EXIT_FAILURE
end

local function main()
  local emulator
  local message, status = run_interruptibly(cqueues.new(), function()
    emulator = launch()
    play(emulator)
  end)
  if emulator then
    emulator.stop()
  end
  if message then
    io.stderr:write("demo: ", message, "\n")
  end
  return status or 0
end

os.exit(main(), true)
