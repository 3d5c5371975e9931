-- many.lua [COUNT]: closes the connections of COUNT users (100,000) against the emulator, from a script and with the
-- program, and shows that memory stays where it is. An nginx between them lets one user in a hundred fail: nine of ten
-- with an answer of the service, one with a connection that breaks off. Both are interrupted once and go on after that.

local exits = require "webpubsub.cli.exits"
local launch = require "webpubsub.emulator.launch"
local nginx = require "spec.bench.nginx"

local COUNT = math.tointeger(tonumber(arg[1] or 100000))
local FAILURES = COUNT // 100 -- the users whose numbers end in 00
local CONCURRENCY = 32
local SAMPLES, POLL_SECONDS = 10, 0.2
local ALLOWED_KIB, FAILURE_KIB = 1024, 5 -- more between the first quarter and the end, and for each failure, is a leak

local FRONT = [[
  location / { $proxy }
  location ~ ^/api/hubs/bench/users/user-[0-9]*000/ { return 444; }
  location ~ ^/api/hubs/bench/users/user-[0-9]*00/ {
    default_type application/json;
    add_header x-ms-error-code Error.Bench always;
    return 409 '{"code":"Error.Bench","message":"made to fail","target":"User"}';
  }]]
local PROXY = [[proxy_pass http://emulator; proxy_http_version 1.1; proxy_set_header Connection "";
  proxy_set_header Host $http_host;]]

-- ---------------------------------------------------------------- processes

local function status_of(pid)
  local file = io.open(("/proc/%d/status"):format(pid))
  local text = file and file:read("*a") or ""
  if file then file:close() end
  return tonumber(text:match("VmRSS:%s*(%d+)")), tonumber(text:match("VmHWM:%s*(%d+)"))
end

local function sleep(seconds)
  os.execute(("sleep %g"):format(seconds))
end

-- "" of a file that is not there yet.
local function read(path)
  local file = io.open(path)
  local text = file and file:read("*a") or ""
  if file then file:close() end
  return text
end

local function lines_in(path)
  return select(2, read(path):gsub("\n", ""))
end

-- Runs a command to its end, or until `interrupt_when` says to press Ctrl-C. Returns its exit code and its memory.
local function run(command, paths, interrupt_when)
  for _, name in ipairs { "out", "err" } do os.remove(paths[name]) end -- of the run before
  local handle = io.popen(("echo $$; exec %s >%s 2>%s"):format(command, paths.out, paths.err))
  local pid = handle:read("*n")
  local memory = { samples = {} }
  while true do
    local resident, highest = status_of(pid)
    if not resident then break end
    memory.highest = highest
    memory.samples[#memory.samples + 1] = resident
    if interrupt_when and interrupt_when() then
      os.execute(("kill -INT %d"):format(pid))
      interrupt_when = nil
    end
    sleep(POLL_SECONDS)
  end
  local _, _, code = handle:close()
  return code, memory
end

-- ---------------------------------------------------------------- what is shown

local function mebibytes(kibibytes)
  return ("%.1f"):format(kibibytes / 1024)
end

local failed = {}
local function check(holds, what)
  if not holds then failed[#failed + 1] = what end
end

local function show_memory(who, memory)
  local shown = {}
  for sample = 1, SAMPLES do
    shown[sample] = mebibytes(memory.samples[math.max(1, #memory.samples * sample // SAMPLES)])
  end
  print(("  memory of %s, MB, at each tenth: %s; highest %s"):format(who, table.concat(shown, " "),
    mebibytes(memory.highest)))
end

local function show_growth(who, memory)
  local growth = memory.samples[#memory.samples] - memory.samples[math.max(1, #memory.samples // 4)]
  print(("  from the first quarter to the end: %+.1f MB, the %d failures included"):format(growth / 1024, FAILURES))
  check(growth <= ALLOWED_KIB + FAILURE_KIB * FAILURES, "the memory of " .. who .. " is not flat")
end

-- ---------------------------------------------------------------- the emulator and what stands before it

local emulator = launch { quiet = true }
local emulator_pid = tonumber(read(emulator.log_path):match("^pid (%d+)"))
local front = nginx.start((FRONT:gsub("%$proxy", (PROXY:gsub("%%", "%%%%")))), nil,
  ("upstream emulator { server 127.0.0.1:%d; keepalive 64; }"):format(emulator.port))
local paths = { users = os.tmpname(), out = os.tmpname(), err = os.tmpname(), results = os.tmpname() }

local users = assert(io.open(paths.users, "w"))
for number = 1, COUNT do users:write("user-", number, "\n") end
users:close()

local function emulator_memory()
  return (status_of(emulator_pid))
end

-- ---------------------------------------------------------------- a script

local function script(from, interrupt_when)
  os.remove(paths.results) -- written by the run before
  local command = ("lua5.4 spec/bench/programs/many_calls.lua %s %d %d %d %s"):format(front.origin, from, COUNT,
    CONCURRENCY, paths.results)
  local code, memory = run(command, paths, interrupt_when)
  local numbers = {}
  for name, value in read(paths.out):gmatch("(%w+)=(%S+)") do numbers[name] = tonumber(value) or value end
  if code ~= 0 then print(read(paths.err)) end
  return numbers, memory
end

local function show_script(numbers)
  print(("  %d of %d, %d failed (%d of the service, %d of the network), %.0f a second"):format(numbers.succeeded,
    numbers.total, numbers.failed, numbers.service or 0, numbers.transport or 0, numbers.rate))
end

local function measure_script()
  print(("client:each over %d users, %d at a time"):format(COUNT, CONCURRENCY))
  local before = emulator_memory()
  local numbers, memory = script(1)
  show_script(numbers)
  show_memory("the script", memory)
  show_growth("the script", memory)
  print(("  memory of the emulator, MB: %s before, %s after"):format(mebibytes(before), mebibytes(emulator_memory())))
  print(("  results come as calls end: the farthest was %d places from its own"):format(numbers.displaced))
  check(numbers.succeeded == COUNT - FAILURES and numbers.failed == FAILURES and numbers.through == COUNT,
    "not every user is accounted for")
  check(numbers.service + numbers.transport == FAILURES and numbers.transport == COUNT // 1000,
    "not every failure has its error")

  print "the same, interrupted in the middle"
  local first = script(1, function() return lines_in(paths.results) > COUNT // 2 end)
  local seen, repeated = {}, 0
  local function count_results()
    for line in io.lines(paths.results) do
      repeated = repeated + (seen[line] and 1 or 0)
      seen[line] = true
    end
  end
  show_script(first)
  count_results()
  local second = script(first.through + 1)
  count_results()
  local missing = 0 -- and twice come those behind one that waited for its retry
  for number = 1, COUNT do missing = missing + (seen[tostring(number)] and 0 or 1) end
  print(("  gone on behind the first %d: %d more, %d twice, %d missing"):format(first.through, second.total, repeated,
    missing))
  check(first.interrupted == "true" and missing == 0, "a script cannot go on after Ctrl-C")
end

-- ---------------------------------------------------------------- the program

local program = ("lua5.4 lua/webpubsub/cli/main.lua --endpoint %s --key %s --hub bench --retries 1 "
  .. "close-user-connections --users-from %s --concurrency %d"):format(front.origin, emulator.key, paths.users,
  CONCURRENCY)

local function count_errors(pattern)
  local count = 0
  for line in io.lines(paths.err) do count = count + (line:find(pattern) and 1 or 0) end
  return count
end

local function measure_program()
  print "webpubsub close-user-connections --users-from"
  local code, memory = run(program, paths)
  io.write("  ", read(paths.out))
  show_memory("the program", memory)
  show_growth("the program", memory)
  local refused, broken = count_errors("^item %d+ %(user%-%d+%): .*Error%.Bench"), count_errors("^item.*transport")
  print(("  exit code %d, %d lines of errors of the service, %d of the network"):format(code, refused, broken))
  check(code == exits.REFUSED and refused + broken == FAILURES and lines_in(paths.err) == FAILURES,
    "the program does not name each failure")

  print "the same, interrupted in the middle"
  code = run(program, paths, function() return lines_in(paths.err) > FAILURES // 2 end)
  io.write("  ", read(paths.out))
  local told = read(paths.err):match("[^\n]*%-%-skip[^\n]*") or "(nothing)"
  print(("  exit code %d; %s"):format(code, told))
  check(code == 130, "Ctrl-C is not told by the exit code")
  local skip = told:match("%-%-skip (%d+)")
  code = skip and run(program .. " --skip " .. skip, paths)
  io.write("  ", read(paths.out))
  check(skip and read(paths.out):find(("of %d,"):format(COUNT - skip), 1, true) and code == 3,
    "the program does not go on after Ctrl-C")
end

-- Whatever happens, nothing is left running.
local finished, problem = xpcall(function()
  measure_script()
  measure_program()
end, debug.traceback)
check(finished, problem)
front.stop()
emulator.stop()
for _, path in pairs(paths) do os.remove(path) end
print(#failed == 0 and "all as it should be" or "MISSED: " .. table.concat(failed, "; "))
os.exit(#failed == 0 and 0 or 1, true)
