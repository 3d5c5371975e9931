-- burst.lua ORIGIN COUNT: that many exchanges submitted in one tick of a loop that must not be held up. Prints the
-- seconds until all are answered, the longest submit, the longest next and, when all is over, the mean next, in µs.

local curl = require "webpubsub.curl"

local TICK = 0.016 -- seconds
local IDLE_CALLS = 1000000

local origin, count = arg[1], tonumber(arg[2])
local background = curl.background()
local profile = assert(curl.profile { origin = origin, proxy = false })
local longest_submit, longest_next = 0, 0
local started = curl.now()

local exchanges = {} -- luacheck: ignore 241 (held, for what is collected is cancelled)
for index = 1, count do
  local before = curl.now()
  exchanges[index] =
    background:submit(profile, "POST", "/user-" .. index, "Accept: application/json\r\n", nil, 60)
  longest_submit = math.max(longest_submit, curl.now() - before)
end
while background:pending() > 0 do
  local exchange
  repeat
    local before = curl.now()
    exchange = background:next()
    longest_next = math.max(longest_next, curl.now() - before)
    if exchange then assert(exchange:result() == 204) end
  until not exchange
  curl.sleep(TICK)
end
local finished = curl.now()

for _ = 1, IDLE_CALLS do background:next() end
local idle = (curl.now() - finished) / IDLE_CALLS
print(("%.4f %.2f %.2f %.4f"):format(finished - started, longest_submit * 1e6, longest_next * 1e6, idle * 1e6))
