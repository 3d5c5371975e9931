-- run.lua RAW_CALLS: our call in a loop beside raw libcurl, in turn, against the same server. The machine's speed
-- changes from minute to minute, so what counts is the ratio of neighbours; the medians of all rounds are shown.
-- Client and server share one core: across cores the time to wake each other, which comes and goes, hides the rest.

local nginx = require "spec.bench.nginx"
local median = require "spec.bench.median"

local ROUNDS, SECONDS = 7, 2
local GOAL = 0.9 -- of raw libcurl that sends as different requests as we do

local function rate(command)
  local handle = io.popen("taskset -c 0 " .. command)
  local text = handle:read("*a")
  assert(handle:close(), "failed: " .. command)
  return tonumber(text)
end

-- URL and headers as the library sends them, token and all, for the yardstick to send as well.
local function request_of(origin)
  local core = require "webpubsub.core"
  local key = "a key of the usual length, 44 characters long"
  local client = core.client { endpoint = origin, key = key, hub = "bench" }
  local call = core.prepare(client, "close_user_connections",
    { user = "user-1000", excluded = { "conn-1" }, reason = "signed in elsewhere" })
  call:begin(0)
  call:sign(0, os.time())
  local _, target, headers = call:outgoing()
  local arguments = { "'" .. origin .. target .. "'", "'Content-Type:'" }
  for line in headers:gmatch("[^\r\n]+") do
    if not line:find("^x%-ms%-client%-request%-id") then arguments[#arguments + 1] = "'" .. line .. "'" end
  end
  return table.concat(arguments, " ")
end

local server = nginx.start("location / { return 204; }", "worker_cpu_affinity 01;")
local request = request_of(server.origin)

local columns = { same = {}, fresh = {}, ours = {}, to_same = {}, to_fresh = {} }
local form = "%-8s %12.0f %12.0f %12.0f %10.2f %10.2f"
local titles = "%-8s %12s %12s %12s %10s %10s"
print(titles:format("calls/s", "raw, same", "raw, fresh", "webpubsub", "to same", "to fresh"))
for round = 1, ROUNDS do
  local same = rate(("%s same %g %s"):format(arg[1], SECONDS, request))
  local ours = rate(("lua5.4 spec/bench/calls.lua %s %g"):format(server.origin, SECONDS))
  local fresh = rate(("%s fresh %g %s"):format(arg[1], SECONDS, request))
  columns.same[round], columns.fresh[round], columns.ours[round] = same, fresh, ours
  columns.to_same[round], columns.to_fresh[round] = ours / same, ours / fresh
  print(form:format("round " .. round, same, fresh, ours, ours / same, ours / fresh))
end
server.stop()
local ratio = median(columns.to_fresh)
local verdict = ratio >= GOAL and "reached" or "MISSED"
print(form:format("median", median(columns.same), median(columns.fresh), median(columns.ours),
  median(columns.to_same), ratio))
print("same: one request, set once. fresh: URL and headers set for each call, as ours are; nothing is signed there.")
print(("goal: at least %.2f of raw libcurl with fresh requests: %s"):format(GOAL, verdict))
os.exit(ratio >= GOAL and 0 or 1, true)
