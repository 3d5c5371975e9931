-- tick.lua RAW_BURST SLOW_SERVER: what a tick loop pays for tasks, and a burst's time beside that of plain libcurl over
-- as many connections, run in turn. A single longest poll tells about the machine as well, where it is busy: then it is
-- a time slice of the scheduler. So the medians of all rounds count, and the processor time stands beside the clock's.

local slow_server = require "spec.bench.slow_server"
local median = require "spec.bench.median"

local ROUNDS, COUNT, SERVER_MS = 7, 1000, 200
local GOALS = { ratio = 1.2, longest = 1000, idle = 100 }
local columns = {
  { "raw", "raw, s", "%10.3f" }, { "ours", "ours, s", "%10.3f" }, { "ratio", "ratio", "%8.2f" },
  { "longest", "max poll, µs", "%14.0f" }, { "used", "of which CPU", "%14.0f" },
  { "in_flight", "in flight, ns", "%15.0f" }, { "idle", "idle, ns", "%10.0f" }, { "submit", "submit, µs", "%12.1f" },
}

local function numbers(command, ...)
  local handle = io.popen(command:format(...))
  local text = handle:read("*a")
  assert(handle:close(), "failed: " .. command)
  local list = {}
  for word in text:gmatch("%S+") do list[#list + 1] = tonumber(word) end
  return table.unpack(list)
end

local function show(title, row)
  local line = { ("%-8s"):format(title) }
  for _, column in ipairs(columns) do line[#line + 1] = column[3]:format(row[column[1]]) end
  print(table.concat(line, " "))
end

local function show_titles()
  local line = { ("%-8s"):format("") }
  for _, column in ipairs(columns) do
    local width = tonumber(column[3]:match("%d+")) + (column[2]:find("µ") and 1 or 0) -- of two bytes
    line[#line + 1] = ("%" .. width .. "s"):format(column[2])
  end
  print(table.concat(line, " "))
end

-- Returns whether the goals are reached; 0 is raw libcurl without a limit.
local function compare(origin, max_connections, raw_connections)
  print(("%d calls in one tick, a server that takes %d ms, max_connections = %d beside raw libcurl %s"):format(COUNT,
    SERVER_MS, max_connections, raw_connections == 0 and "without a limit" or "with as many"))
  show_titles()
  local rows, middle = {}, {}
  for round = 1, ROUNDS do
    local row = { raw = numbers("%s %d %d %s/", arg[1], COUNT, raw_connections, origin) }
    row.ours, row.longest, row.used, row.in_flight, row.idle, row.submit =
      numbers("lua5.4 spec/bench/burst.lua %s %d %d", origin, COUNT, max_connections)
    row.ratio = row.ours / row.raw
    rows[round] = row
    show("round " .. round, row)
  end
  for _, column in ipairs(columns) do middle[column[1]] = median(rows, column[1]) end
  show("median", middle)
  local reached = true
  for name, goal in pairs(GOALS) do reached = reached and middle[name] <= goal end
  print(("goal: at most %.1f times as long as raw libcurl, no poll over %d µs, an idle one at most %d ns: %s\n"):format(
    GOALS.ratio, GOALS.longest, GOALS.idle, reached and "reached" or "MISSED"))
  return reached
end

local server = slow_server(arg[2], SERVER_MS)
local limited = compare(server.origin, 100, 100)
local unlimited = compare(server.origin, COUNT, 0)
server.stop()
os.exit(limited and unlimited and 0 or 1, true)
