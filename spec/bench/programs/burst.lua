-- burst.lua COUNT SLOW_ORIGIN: so many calls in one tick of a loop that must not be held up, the first of the
-- process, over as many connections. Prints the seconds until all are answered; the longest poll, in µs, by the clock
-- and by what the thread has used of the processor; the mean poll in ns, with all in flight and when all is over.

local bench = require "spec.bench.programs.client"
local sleep = require("webpubsub.curl").sleep
local used = require "thread_time"

local now = bench.now

local TICK = 0.016 -- seconds
local BUSY_CALLS, IDLE_CALLS = 10000, 1000000

local count, origin = tonumber(arg[1]), arg[2]

local function mean(calls, client)
  local started = now()
  for _ = 1, calls do client:poll(0) end
  return (now() - started) / calls
end

-- One call is over TLS, with the system's authorities to load. The server knows no TLS: it is cancelled at the end.
local client = bench.new(origin, "-", count)
local secure = bench.new((origin:gsub("^http", "https")), "-")
local started = now()
local left_open = secure:close_user_connections_async(bench.arguments(0))
for index = 1, count do client:close_user_connections_async(bench.arguments(index)) end

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

print(("%.4f %.1f %.1f %.1f %.1f"):format(finished - started, longest * 1e6, longest_used * 1e6, in_flight * 1e9,
  mean(IDLE_CALLS, client) * 1e9))
