--- Calls one after another, beside libcurl's easy interface and others.

local harness = require "spec.bench.harness"
local median = require "spec.bench.median"
local peers = require "spec.bench.peers"

local GOALS = { http = { ["5.4"] = 1.4, LuaJIT = 1.5 }, https = { ["5.4"] = 1.25, LuaJIT = 1.3 } }

return function(bench, report)
  report:title("Calls one after another, times as many a second as libcurl easy")
  for _, to in ipairs { bench.plain, bench.secure } do
    local commands = { { name = "raw", command = harness.raw("raw_calls", to.origin, to.ca_file, bench.limit) } }
    for _, lua in ipairs(harness.LUAS) do
      local command = harness.ours(lua, "calls", bench.limit, to.origin, to.ca_file)
      commands[#commands + 1] = { name = lua.name, command = command }
    end
    for _, peer in ipairs(to == bench.plain and peers or {}) do
      commands[#commands + 1] = { name = peer.name, command = peer.command(bench.seconds, 1, to.port) }
    end
    local values = bench:compare(commands)
    local raw = median(values.raw)
    for _, entry in ipairs(commands) do
      local goal = GOALS[to.name][entry.name]
      if entry.name ~= "raw" then
        report:add {
          what = (goal and "%s, %s" or "  %s, %s"):format(entry.name, to.name), goal = goal, at = "least",
          figure = harness.ratio(values[entry.name], values.raw),
          note = ("%.0f calls/s beside %.0f"):format(median(values[entry.name]), raw),
        }
      end
    end
  end
end
