-- run.lua SLOW_SERVER HOST...: the background engine under stress, in every build of the host and, for the ways in
-- which a process can end, in the plain interpreter.

local certs = require "spec.support.certs"
local scripted_server = require "spec.support.scripted_server"
local slow_server = require "spec.bench.slow_server"
local steps = require "spec.support.steps"

local TIMES, EXITS = 10000, 1000
local SERVER_MS = 1
local SECONDS = 120 -- for a run of a host
local EXIT_SECONDS = 10
local WAYS = { -- of exit.lua, each with its exit code
  { "return", 0 }, { "exit", 0 }, { "close", 0 }, { "error", 1 }, { "coroutine exit", 0 }, { "coroutine close", 0 },
  { "coroutine error", 1 }, { "forgotten", 0 },
}

local function exit_code(command)
  local _, what, code = os.execute(command)
  return what == "exit" and code or -code
end

local function run_host(host, states, script, origin)
  print(("%s, states: %d, %s"):format(host, states, script))
  local command = ("timeout %d %s %d %s %s %d"):format(SECONDS, host, states, script, origin, TIMES // states)
  assert(exit_code(command) == 0, "failed: " .. command)
end

local function run_hosts(origin)
  for index = 2, #arg do
    for _, states in ipairs { 1, 4 } do
      run_host(arg[index], states, "spec/stress/exchanges.lua", origin)
      run_host(arg[index], states, "spec/stress/tasks.lua", origin)
    end
  end
end

local function run_exits(origins)
  for number = 1, EXITS do
    local way, code = table.unpack(WAYS[number % #WAYS + 1])
    local origin = origins[number // #WAYS % #origins + 1]
    local command = ("timeout %d lua5.4 spec/stress/exit.lua %s '%s' %s 2>/dev/null"):format(EXIT_SECONDS, origin, way,
      certs.ca.cert)
    local actual = exit_code(command)
    assert(actual == code, ("exit code %d: %s"):format(actual, command))
  end
  print(("%d processes ended with calls in flight"):format(EXITS))
end

local server = slow_server(arg[1], SERVER_MS)
local tls_server = scripted_server.start { tls = certs.valid }
tls_server:script { default = steps.silence() }
local ok, problem = pcall(function()
  run_hosts(server.origin)
  run_exits { server.origin, tls_server.origin }
end)
server.stop()
tls_server:stop()
if not ok then io.stderr:write(problem, "\n") end
os.exit(ok and 0 or 1, true)
