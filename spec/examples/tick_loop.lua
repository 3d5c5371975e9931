-- A game server's loop of 60 ticks a second: a player signs in elsewhere, and no tick waits for the service.
--
--   export WebPubSubConnectionString='Endpoint=…;AccessKey=…;Version=1.0;'
--   lua spec/examples/tick_loop.lua alice

local socket = require "socket" -- for the clock and the sleep that an engine has itself
local webpubsub = require "webpubsub"

local TICK = 1 / 60

local client = webpubsub.new { connection_string = os.getenv "WebPubSubConnectionString", hub = "chat" }

local over = false
local task = client:close_user_connections_async { user = arg[1] or "alice", reason = "signed in elsewhere" }
task:on_done(function(response, err)
  print(response and "closed: " .. tostring(response) or "failed: " .. tostring(err))
  over = true
end)

local ticks, longest = 0, 0
while not over do
  local began = socket.gettime()
  ticks = ticks + 1
  -- here the game moves on
  client:poll(0) -- never blocks; callbacks of tasks run in here
  local took = socket.gettime() - began
  longest = math.max(longest, took)
  if took < TICK then socket.sleep(TICK - took) end
end
print(("%d ticks, the longest took %.1f ms"):format(ticks, longest * 1000))
