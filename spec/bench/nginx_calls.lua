-- nginx_calls.lua: calls from inside an NGINX worker beside requests that only sleep, and beside lua-resty-http where
-- it is; what they cost the worker, and what they do to its other requests.

local median = require "spec.bench.median"
local nginx_worker = require "spec.bench.nginx_worker"

local ROUNDS, SECONDS = 5, 4
local RATE_GOAL, P99_GOAL, STALL_GOAL = 930, 5, 20 -- calls/s; ms above that of sleeping, which varies by as much; ms
local COLUMNS = { "calls/s", "CPU, µs", "above, µs", "other's p99, ms", "stall, ms", "burst, ms" }
local FORMAT = "%-10s %8.0f %8.0f %10.0f %16.1f %10.1f %10.0f"

local stage = nginx_worker.new()
local paths = { "/sleep", "/call", stage:has_resty() and "/resty" or nil }
local rounds = {}

local function print_row(path, row)
  print(FORMAT:format(path, table.unpack(row)))
end

local function measure(path, sleeping)
  local rate, cpu, p99 = stage:load(path, SECONDS)
  local stall, taken = stage:burst(path)
  return { rate, cpu, sleeping and cpu - sleeping[2] or 0, p99, stall, taken }
end

local function medians(path)
  local row = {}
  for column = 1, #COLUMNS do
    local values = {}
    for round = 1, ROUNDS do values[round] = rounds[round][path][column] end
    row[column] = median(values)
  end
  return row
end

local function run()
  print(("%d requests in flight, each a call that takes %g ms; ideal %d/s"):format(nginx_worker.IN_FLIGHT,
    nginx_worker.SERVICE_SECONDS * 1000, nginx_worker.IN_FLIGHT / nginx_worker.SERVICE_SECONDS))
  print(("%-10s %8s %9s %11s %16s %10s %10s"):format("", table.unpack(COLUMNS)))
  for round = 1, ROUNDS do
    rounds[round] = {}
    for _, path in ipairs(paths) do
      rounds[round][path] = measure(path, rounds[round]["/sleep"])
      print_row(path, rounds[round][path])
    end
  end
  print("medians")
  local typical = {}
  for _, path in ipairs(paths) do
    typical[path] = medians(path)
    print_row(path, typical[path])
  end
  local call = typical["/call"]
  local reached = call[1] >= RATE_GOAL and call[4] <= typical["/sleep"][4] + P99_GOAL and call[5] <= STALL_GOAL
  print(("goal: %d calls/s, a p99 at most %g ms above that of sleeping, a stall of %d ms: %s"):format(RATE_GOAL,
    P99_GOAL, STALL_GOAL, reached and "reached" or "MISSED"))
end

local ok, problem = xpcall(run, debug.traceback)
stage:stop()
if not ok then error(problem, 0) end
