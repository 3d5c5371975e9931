--- Instructions in user space of a blocking call and of a task.

local callgrind = require "spec.bench.callgrind"
local harness = require "spec.bench.harness"

local FEW, MANY = 1000, 2000 -- calls; by then LuaJIT has compiled what it compiles
local BLOCKING_GOALS = { ["5.4"] = 64000, LuaJIT = 54000 }
local IN_FLIGHT = { 48, 64 } -- tables of 2ⁿ that are full are the dear ones
local TASK_GOAL, BOTH_GOAL = 76000, 120000

return function(bench, report)
  local to = bench.plain
  report:title("Instructions in user space (callgrind)")

  local raw = callgrind.per_call(function(calls) return harness.raw("raw_calls", to.origin, "-", calls) end, FEW, MANY)
  for _, lua in ipairs(harness.LUAS) do
    local first = callgrind.per_call(function(calls)
      return harness.ours(lua, "calls", calls, to.origin, "-")
    end, FEW, MANY)
    report:add { what = "a blocking call, " .. lua.name, goal = BLOCKING_GOALS[lua.name], at = "most", figure = first,
      form = "%.0f", note = ("libcurl easy %.0f"):format(raw) }
  end

  for _, in_flight in ipairs(IN_FLIGHT) do
    local _, raw_flight = callgrind.per_call(function(calls)
      return harness.raw("raw_flight", to.origin, "-", calls, in_flight)
    end, FEW, MANY)
    local first, all = callgrind.per_call(function(calls)
      return harness.ours(harness.LUAS[1], "flight", calls, in_flight, to.origin, "-")
    end, FEW, MANY)
    local note = ("libcurl multi %.0f"):format(raw_flight)
    report:add { what = ("a task in the program's thread, 5.4, %d in flight"):format(in_flight), goal = TASK_GOAL,
      at = "most", figure = first, form = "%.0f", note = note }
    report:add { what = ("a task in both threads, 5.4, %d in flight"):format(in_flight),
      goal = in_flight == 64 and BOTH_GOAL or nil, at = "most", figure = all, form = "%.0f", note = note }
  end
end
