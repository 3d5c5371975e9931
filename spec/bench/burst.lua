-- burst.lua ORIGIN COUNT MAX_CONNECTIONS: so many calls in one tick of a loop that must not be held up, the first of
-- the process. Prints the seconds until all are answered; the longest poll, in µs, by the clock and by what the thread
-- has used of the processor; the mean poll in ns, with all in flight and when all is over; the mean submit in µs.

local webpubsub = require "webpubsub"
local now = require("webpubsub.curl").now
local sleep = require("webpubsub.curl").sleep
local used = require "thread_time"

local TICK = 0.016 -- seconds
local BUSY_CALLS, IDLE_CALLS = 10000, 1000000

local origin, count, max_connections = arg[1], tonumber(arg[2]), tonumber(arg[3])

local function client_of(endpoint)
  return webpubsub.new { endpoint = endpoint, key = "a key of the usual length, 44 characters long", hub = "bench",
    proxy = false, max_connections = max_connections }
end

local function mean(calls, client)
  local started = now()
  for _ = 1, calls do client:poll(0) end
  return (now() - started) / calls
end

-- One call is over TLS, with the system's authorities to load. The server knows no TLS: it is cancelled at the end.
local client, secure = client_of(origin), client_of((origin:gsub("^http", "https")))
local started = now()
local left_open = secure:close_user_connections_async { user = "nobody" }
for index = 1, count do client:close_user_connections_async { user = "user-" .. index } end
local submitted = now()

local longest, longest_used, in_flight, finished = 0, 0, nil, nil
while client:pending() > 0 do
  local at, used_at = now(), used()
  client:poll(0)
  finished = now()
  longest, longest_used = math.max(longest, finished - at), math.max(longest_used, used() - used_at)
  in_flight = in_flight or mean(BUSY_CALLS, client)
  sleep(math.max(0, TICK - (now() - at)))
end
left_open:cancel()
while secure:pending() > 0 do secure:poll(1) end

print(("%.4f %.1f %.1f %.1f %.1f %.2f"):format(finished - started, longest * 1e6, longest_used * 1e6, in_flight * 1e9,
  mean(IDLE_CALLS, client) * 1e9, (submitted - started) / count * 1e6))
