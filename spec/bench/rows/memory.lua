--- What a task adds to the memory of the process.

local harness = require "spec.bench.harness"
local median = require "spec.bench.median"
local slow_server = require "spec.bench.slow_server"

local COUNT, MANY_CONNECTIONS = 1000, 10000
local SLOW_SERVER = "build/bench/slow_server"
local SERVER_MS = 600000 -- nobody is answered
local ROUNDS = 3
local CASES = {
  { what = "a task that waits for its connection, 5.4, KiB", connections = 1, goal = 5 },
  { what = "a task in flight, http, 5.4, KiB", connections = MANY_CONNECTIONS, goal = 18 },
}

return function(_, report)
  report:title("Memory")
  local server = slow_server(SLOW_SERVER, SERVER_MS)
  for _, case in ipairs(CASES) do
    local values = {}
    for round = 1, ROUNDS do
      values[round] = harness.numbers(harness.ours(harness.LUAS[1], "memory", COUNT, case.connections, server.origin))
    end
    report:add { what = case.what, goal = case.goal, at = "most", form = "%.1f", figure = median(values) }
  end
  server.stop()
end
