--- What a call costs an NGINX worker, above a request that only sleeps, beside lua-resty-http.

local harness = require "spec.bench.harness"
local median = require "spec.bench.median"
local nginx_worker = require "spec.bench.nginx_worker"

local ROUNDS, SECONDS = 5, 3
local GOAL = 0.6 -- of lua-resty-http's

local WHAT = "processor time above sleeping, times lua-resty-http's"

local function measure(stage, report)
  local paths = { "/sleep", "/call", stage:has_resty() and "/resty" or nil }
  local measures = {}
  for index, path in ipairs(paths) do
    measures[index] = { name = path, measure = function() return select(2, stage:load(path, SECONDS)) end }
  end
  local values = harness.in_turn(ROUNDS, measures)
  local sleeping = median(values["/sleep"])
  local above = {}
  for _, path in ipairs(paths) do
    above[path] = {}
    for round, value in ipairs(values[path]) do above[path][round] = value - values["/sleep"][round] end
  end
  local ours = median(above["/call"])
  if above["/resty"] then
    report:add { what = WHAT, goal = GOAL, at = "most", figure = harness.ratio(above["/call"], above["/resty"]),
      note = ("%.0f µs beside %.0f; sleeping %.0f"):format(ours, median(above["/resty"]), sleeping) }
  else
    report:add { what = "processor time above sleeping, µs", form = "%.0f", figure = ours,
      note = ("sleeping %.0f"):format(sleeping) }
    report:leave_out(WHAT, "RESTY_HTTP names no folder with resty/http.lua")
  end
end

return function(_, report)
  report:title("In an NGINX worker, 200 calls in flight that take 200 ms")
  local stage = nginx_worker.new()
  local ok, problem = pcall(measure, stage, report)
  stage:stop()
  if not ok then error(problem, 0) end
end
