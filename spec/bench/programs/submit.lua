-- submit.lua ROUNDS TASKS ORIGIN: submits so many tasks in one tick and polls until they are over, again and again.
-- Prints what this thread has used of the processor, in µs: to submit a task, and in the polls for the end of one;
-- medians of the rounds. What the tasks come to is looked at.

local bench = require "spec.bench.programs.client"
local used = require "thread_time"
local median = require "spec.bench.median"

local WARM_UP = 3 -- rounds that do not count

local rounds, count = tonumber(arg[1]), tonumber(arg[2])
local client = bench.new(arg[3], "-", count)
local failure

local function on_end(response, err)
  if not response then failure = err end
end

-- Processor time of submitting and of polling; the polls that found nothing to do cost as well.
local function round(first)
  local before = used()
  for index = 1, count do client:close_user_connections_async(bench.arguments(first + index)):on_done(on_end) end
  local submitted = used()
  while client:pending() > 0 do client:poll(1) end
  if failure then error(failure, 0) end
  return (submitted - before) / count * 1e6, (used() - submitted) / count * 1e6
end

local submits, ends = {}, {}
for index = 1 - WARM_UP, rounds do
  local submit, over = round(index * count)
  if index > 0 then submits[index], ends[index] = submit, over end
end
print(("%.2f %.2f"):format(median(submits), median(ends)))
