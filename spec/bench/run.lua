-- run.lua RAW_CALLS: our call in a loop beside raw libcurl, in turn, against the same server. The machine's speed
-- changes from minute to minute, so what counts is the ratio of two neighbours; the median of all rounds is shown.

local nginx = require "spec.bench.nginx"

local ROUNDS, SECONDS = 7, 2
local GOAL = 0.9

local function rate(command)
  local handle = io.popen(command)
  local text = handle:read("*a")
  assert(handle:close(), "failed: " .. command)
  return tonumber(text)
end

local function median(list)
  local sorted = {}
  for index, value in ipairs(list) do sorted[index] = value end
  table.sort(sorted)
  return sorted[(#sorted + 1) // 2]
end

-- The request as the library sends it, token and all: the yardstick sends the same bytes.
local function request_of(origin)
  local core = require "webpubsub.core"
  local client = core.client { endpoint = origin, key = "a key of the usual length, 44 characters long", hub = "bench" }
  local call = core.prepare(client, "close_user_connections",
    { user = "alice", excluded = { "conn-1" }, reason = "signed in elsewhere" })
  call:begin(0)
  call:sign(0, os.time())
  local _, target, headers = call:outgoing()
  local arguments = {}
  for line in headers:gmatch("[^\r\n]+") do arguments[#arguments + 1] = "'" .. line .. "'" end
  arguments[#arguments + 1] = "'Content-Type:'"
  return "'" .. origin .. target .. "'", table.concat(arguments, " ")
end

local server = nginx.start("location / { return 204; }")
local url, headers = request_of(server.origin)
local raw, ours, ratios = {}, {}, {}
print(("%-8s %14s %14s %8s"):format("round", "raw libcurl/s", "webpubsub/s", "ratio"))
for round = 1, ROUNDS do
  raw[round] = rate(("%s %s %g %s"):format(arg[1], url, SECONDS, headers))
  ours[round] = rate(("lua5.4 spec/bench/calls.lua %s %g"):format(server.origin, SECONDS))
  ratios[round] = ours[round] / raw[round]
  print(("%-8d %14.0f %14.0f %8.2f"):format(round, raw[round], ours[round], ratios[round]))
end
server.stop()
print(("%-8s %14.0f %14.0f %8.2f"):format("median", median(raw), median(ours), median(ratios)))
local reached = median(ratios) >= GOAL
print(("goal: at least %.2f of raw libcurl: %s"):format(GOAL, reached and "reached" or "MISSED"))
os.exit(reached and 0 or 1, true)
