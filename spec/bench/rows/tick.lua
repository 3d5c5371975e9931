--- What a loop with a tick pays for tasks: to submit one, for the end of one, and for a burst in one tick, beside
--- libcurl with as many connections. The longest poll tells about the machine as well, where it is busy: then it is a
--- time slice of the scheduler's. So medians count, and the processor time stands beside the clock's.

local harness = require "spec.bench.harness"
local median = require "spec.bench.median"
local slow_server = require "spec.bench.slow_server"

local SLOW_SERVER = "build/bench/slow_server"
local SUBMITTED, SUBMIT_ROUNDS = 64, 100
local BURST, SERVER_MS = 1000, 200
local GOALS = { submit = 13, ends = 7, ratio = 1.1, longest = 1, idle = 100 } -- µs, µs, times, ms, ns

-- The goals in µs were set on a machine on which a call of libcurl easy took so many µs, the server's share included.
-- Here they are for as much work.
local SET_WHERE_CALL_TOOK = 76

local lua = harness.LUAS[1]

local function measure_tasks(bench, report)
  local submits, ends, raw = {}, {}, {}
  local raw_command = harness.raw("raw_calls", bench.plain.origin, "-", bench.limit)
  for round = 1, bench.rounds do
    submits[round], ends[round] = harness.numbers(harness.ours(lua, "submit", SUBMIT_ROUNDS, SUBMITTED,
      bench.plain.origin))
    raw[round] = 1e6 / harness.on_one_core(raw_command)
  end
  local call = median(raw)
  local scale = call / SET_WHERE_CALL_TOOK
  local note = ("%%g where libcurl easy takes %d a call; here it takes %.1f"):format(SET_WHERE_CALL_TOOK, call)
  report:add { what = "submitting a task, 5.4, µs", goal = GOALS.submit * scale, at = "most", form = "%.1f",
    figure = median(submits), note = note:format(GOALS.submit) }
  report:add { what = "the end of a task, 5.4, µs", goal = GOALS.ends * scale, at = "most", form = "%.1f",
    figure = median(ends), note = note:format(GOALS.ends) }
end

local function measure_burst(bench, report)
  local server = slow_server(SLOW_SERVER, SERVER_MS)
  local burst = { raw = {}, ours = {}, longest = {}, used = {}, in_flight = {}, idle = {} }
  local raw_command = harness.raw("raw_burst", server.origin, "-", BURST)
  local command = harness.ours(lua, "burst", BURST, server.origin)
  for round = 1, bench.rounds do
    burst.raw[round] = harness.numbers(raw_command)
    burst.ours[round], burst.longest[round], burst.used[round], burst.in_flight[round], burst.idle[round] =
      harness.numbers(command)
  end
  server.stop()
  report:add { what = ("%d calls in one tick, server of %d ms: times libcurl multi's time"):format(BURST, SERVER_MS),
    goal = GOALS.ratio, at = "most", figure = harness.ratio(burst.ours, burst.raw),
    note = ("%.3f s beside %.3f"):format(median(burst.ours), median(burst.raw)) }
  report:add { what = "  the longest poll(0) meanwhile, ms", goal = GOALS.longest, at = "most",
    figure = median(burst.longest) / 1e3, note = ("%.2f ms of the processor"):format(median(burst.used) / 1e3) }
  report:add { what = "  a poll(0) with nothing in flight, ns", goal = GOALS.idle, at = "most", form = "%.0f",
    figure = median(burst.idle), note = ("with all in flight %.0f"):format(median(burst.in_flight)) }
end

return function(bench, report)
  report:title("A loop with a tick")
  measure_tasks(bench, report)
  measure_burst(bench, report)
end
