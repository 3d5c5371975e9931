-- tick.lua RAW_BURST SLOW_SERVER: what a tick loop pays for the background engine, and a burst's time beside that of
-- plain libcurl over as many connections. Single longest calls tell about the machine as well: on a busy one they are
-- a time slice of the scheduler.

local slow_server = require "spec.bench.slow_server"

local ROUNDS, COUNT = 5, 1000
local CONNECTIONS = 100     -- as many as the background engine opens
local SERVER_MS = 200
local SLOWDOWN_GOAL = 1.2   -- beside plain libcurl
local IDLE_GOAL = 0.1       -- µs

local function numbers(command)
  local handle = io.popen(command)
  local text = handle:read("*a")
  assert(handle:close(), "failed: " .. command)
  local list = {}
  for word in text:gmatch("%S+") do list[#list + 1] = tonumber(word) end
  return list
end

local function median(list)
  local sorted = {}
  for index, value in ipairs(list) do sorted[index] = value end
  table.sort(sorted)
  return sorted[(#sorted + 1) // 2]
end

local server = slow_server(arg[2], SERVER_MS)
local origin = server.origin
local columns = { unlimited = {}, raw = {}, ours = {}, ratio = {}, submit = {}, next = {}, idle = {} }
local names = { "unlimited", "raw", "ours", "ratio", "submit", "next", "idle" }
print(("%d calls at once, a server that takes %d ms, %d connections (and raw libcurl without a limit)")
  :format(COUNT, SERVER_MS, CONNECTIONS))
print(("%-8s %10s %10s %10s %8s %12s %12s %10s"):format("", "no limit", "raw, s", "ours, s", "ratio", "max submit",
  "max next", "idle next"))
local form = "%-8s %10.3f %10.3f %10.3f %8.2f %9.0f µs %9.0f µs %7.3f µs"
for round = 1, ROUNDS do
  local row = { unlimited = numbers(("%s %d 0 %s/"):format(arg[1], COUNT, origin))[1] }
  row.raw = numbers(("%s %d %d %s/"):format(arg[1], COUNT, CONNECTIONS, origin))[1]
  row.ours, row.submit, row.next, row.idle = table.unpack(
    numbers(("lua5.4 spec/bench/burst.lua %s %d"):format(origin, COUNT)))
  row.ratio = row.ours / row.raw
  local values = {}
  for index, name in ipairs(names) do
    columns[name][round] = row[name]
    values[index] = row[name]
  end
  print(form:format("round " .. round, table.unpack(values)))
end
server.stop()

local medians = {}
for index, name in ipairs(names) do medians[index] = median(columns[name]) end
print(form:format("median", table.unpack(medians)))
local reached = median(columns.ratio) <= SLOWDOWN_GOAL and median(columns.idle) <= IDLE_GOAL
print(("goal: at most %.1f times as long as raw libcurl, an idle next() of at most %.1f µs: %s"):format(SLOWDOWN_GOAL,
  IDLE_GOAL, reached and "reached" or "MISSED"))
os.exit(reached and 0 or 1, true)
