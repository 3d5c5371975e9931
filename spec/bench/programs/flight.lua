-- flight.lua LIMIT IN_FLIGHT ORIGIN CA|-: so many tasks, each followed by the next as soon as it is over; prints calls
-- per second. The clock starts when as many as there are in flight have ended: all connections are open then.

local bench = require "spec.bench.programs.client"

local in_flight = tonumber(arg[2])
local client = bench.new(arg[3], arg[4], in_flight)
local started, ended = 0, 0

local submit
local function on_end(response, err)
  if not response then error(err, 0) end
  ended = ended + 1
  submit()
end

submit = function()
  started = started + 1
  client:close_user_connections_async(bench.arguments(started)):on_done(on_end)
end

for _ = 1, in_flight do submit() end
while ended < in_flight do client:poll(1) end
local is_over, start = bench.limit(arg[1])
while not is_over(ended - in_flight) do client:poll(1) end
print(("%.1f"):format((ended - in_flight) / (bench.now() - start)))
os.exit(0) -- what is in flight ends with the process
