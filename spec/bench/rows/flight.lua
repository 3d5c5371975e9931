--- Many calls in flight, over as many connections, beside libcurl's multi interface and others.

local flights = require "spec.bench.flights"
local harness = require "spec.bench.harness"
local median = require "spec.bench.median"

local CASES = {
  { in_flight = 64, to = "plain", goals = { ["5.4"] = 1.2, LuaJIT = 1.6 }, peers = true },
  { in_flight = 64, to = "secure", goals = { ["5.4"] = 1.1, LuaJIT = 1.5 } },
  { in_flight = 1000, to = "plain", goals = { ["5.4"] = 1.4, LuaJIT = 1.8 } },
}

return function(bench, report)
  report:title("Calls in flight, times as many a second as libcurl multi with epoll")
  for _, case in ipairs(CASES) do
    local to = bench[case.to]
    local commands = flights(bench, to, case.in_flight, case.peers)
    local values = bench:compare(commands)
    for _, entry in ipairs(commands) do
      local goal = case.goals[entry.name]
      if entry.name ~= "raw" then
        report:add {
          what = ("%s%s, %d in flight, %s"):format(goal and "" or "  ", entry.name, case.in_flight, to.name),
          goal = goal, at = "least", figure = harness.ratio(values[entry.name], values.raw),
          note = ("%.0f calls/s beside %.0f"):format(median(values[entry.name]), median(values.raw)),
        }
      end
    end
  end
end
