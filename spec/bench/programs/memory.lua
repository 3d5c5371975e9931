-- memory.lua COUNT CONNECTIONS ORIGIN: the memory, in KiB, that a task adds to the process while it has no answer: the
-- difference between as many as COUNT in flight and three times as many. The server must not answer meanwhile. With
-- CONNECTIONS of 1 all but one of the tasks wait for their connection, with more than the tasks none does.

local bench = require "spec.bench.programs.client"

local SETTLED_SECONDS, LONGEST_SECONDS, POLL_SECONDS = 1, 30, 0.05
local SLACK_KIB = 8 -- between two looks, that count as no change

local count, connections = tonumber(arg[1]), tonumber(arg[2])
local client = bench.new(arg[3], "-", connections)

local function resident_kib()
  collectgarbage()
  collectgarbage()
  for line in io.lines("/proc/self/status") do
    local kibibytes = line:match("^VmRSS:%s*(%d+)")
    if kibibytes then return tonumber(kibibytes) end
  end
  return error("this system does not tell a process's memory", 0)
end

-- Memory when it no longer changes: the other thread has opened its connections then and sent what there is to send.
local function settled_kib()
  local last, since, deadline = 0, bench.now(), bench.now() + LONGEST_SECONDS
  while bench.now() - since < SETTLED_SECONDS do
    assert(bench.now() < deadline, "the memory does not settle")
    client:poll(POLL_SECONDS)
    local kibibytes = resident_kib()
    if math.abs(kibibytes - last) > SLACK_KIB then last, since = kibibytes, bench.now() end
  end
  return last
end

local tasks = {}
local function submit(number)
  for index = #tasks + 1, #tasks + number do
    tasks[index] = client:close_user_connections_async(bench.arguments(index))
  end
end

submit(count)
local before = settled_kib()
submit(2 * count)
local after = settled_kib()
assert(client:pending() == 3 * count, "tasks have ended")
print(("%.2f"):format((after - before) / (2 * count)))
os.exit(0)
