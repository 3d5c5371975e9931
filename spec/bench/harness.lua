--- What the rows share: one server, the commands of the programs beside this file, and turns. Client and server share
-- one core: across cores the time to wake each other, which comes and goes, hides the rest. A machine's speed changes
-- from minute to minute, so programs are run in turn, and what counts is the median of the ratios of neighbours.

local certs = require "spec.support.certs"
local client = require "spec.bench.programs.client"
local median = require "spec.bench.median"
local nginx = require "spec.bench.nginx"
local shell = require "spec.support.shell"
local socket = require "socket"
local webpubsub = require "webpubsub"

local PROGRAMS, BUILT = "spec/bench/programs/", "build/bench/"
local ONE_CORE = "ulimit -n $(ulimit -Hn); exec taskset -c 0 " -- as many descriptors as calls
local FIRST_USER = "user-1000"
local CAPTURE_SECONDS = 10

local Harness = {}
Harness.__index = Harness

local harness = {}

--- The interpreters that are measured, and where the library is built for each.
harness.LUAS = {
  { name = "5.4", program = "lua5.4", abi = "5.4" }, { name = "LuaJIT", program = "luajit", abi = "5.1" },
}

-- ---------------------------------------------------------------- commands

--- Runs a command; returns the numbers that it prints.
---@param command string
---@return number ...
function harness.numbers(command)
  local handle = assert(io.popen(command))
  local text = handle:read("a")
  assert(handle:close(), "failed: " .. command)
  local list = {}
  for word in text:gmatch("%S+") do list[#list + 1] = assert(tonumber(word), command .. " printed:\n" .. text) end
  return table.unpack(list)
end

--- The same on the core of the server.
function harness.on_one_core(command)
  return harness.numbers(ONE_CORE .. command)
end

--- A Lua program's command.
---@param lua { program: string, abi: string }
---@param path string
function harness.lua(lua, path, ...)
  return ("env LUA_CPATH='build/%s/?.so;%s?.so;;' %s %s %s"):format(lua.abi, BUILT, lua.program, path,
    shell.join { ... })
end

--- The command of one of our programs.
function harness.ours(lua, name, ...)
  return harness.lua(lua, PROGRAMS .. name .. ".lua", ...)
end

-- The library's request as the yardstick takes it: the URL around the user, and headers that are the same each time.
local function request_words(origin)
  local seen
  webpubsub.new {
    endpoint = origin, key = "a key of the usual length, 44 characters long", hub = "bench",
    transport = function(request)
      seen = request
      return { status = 204 }
    end,
  }:close_user_connections(client.arguments(0))
  local from, to = seen.url:find(FIRST_USER, 1, true)
  local words = { seen.url:sub(1, from - 1), seen.url:sub(to + 1) }
  local OWN = { authorization = true, host = true, ["content-length"] = true, ["x-ms-client-request-id"] = true }
  for name, value in pairs(seen.headers) do
    if not OWN[name:lower()] then words[#words + 1] = name .. ": " .. value end
  end
  return words
end

--- The command of a program over plain libcurl; its own words come first.
---@param name string
---@param origin string
---@param ca_file string
function harness.raw(name, origin, ca_file, ...)
  local words = { BUILT .. name, ... }
  words[#words + 1] = ca_file
  for _, word in ipairs(request_words(origin)) do words[#words + 1] = word end
  return shell.join(words)
end

-- ---------------------------------------------------------------- as many bytes

-- The first request that a command sends to an origin of ours.
local function captured(make_command)
  local listener = assert(socket.bind("127.0.0.1", 0))
  listener:settimeout(CAPTURE_SECONDS)
  local _, port = listener:getsockname()
  local handle = io.popen(make_command(("http://127.0.0.1:%d"):format(port)))
  local connection = assert(listener:accept())
  connection:settimeout(CAPTURE_SECONDS)
  local bytes = 0
  repeat
    local line = assert(connection:receive("*l"))
    bytes = bytes + #line + 2
  until line == ""
  connection:send("HTTP/1.1 204 No Content\r\n\r\n")
  handle:close()
  connection:close()
  listener:close()
  return bytes
end

--- Does the yardstick send as many bytes as the library? Raises where it does not.
---@return integer bytes
function harness.check_yardstick()
  local ours = captured(function(origin) return harness.ours(harness.LUAS[1], "calls", 1, origin, "-") end)
  local raw = captured(function(origin) return harness.raw("raw_calls", origin, "-", 1) end)
  assert(ours == raw, ("the yardstick's request has %d bytes, the library's %d"):format(raw, ours))
  return ours
end

-- ---------------------------------------------------------------- turns

--- Runs functions in turn, in another order each round, and keeps what each returns.
---@param rounds integer
---@param measures { name: string, measure: fun(): number }[]
---@return table<string, number[]> values  by name, by round
function harness.in_turn(rounds, measures)
  local values = {}
  for _, entry in ipairs(measures) do values[entry.name] = {} end
  for round = 1, rounds do
    for step = 1, #measures do
      local entry = measures[(step + round) % #measures + 1]
      values[entry.name][round] = entry.measure()
    end
  end
  return values
end

--- The median of the ratios, round by round.
---@param values number[]
---@param others number[]
function harness.ratio(values, others)
  local ratios = {}
  for round, value in ipairs(values) do ratios[round] = value / others[round] end
  return median(ratios)
end

-- ---------------------------------------------------------------- the server

--- Starts the server: nginx that answers 204, over http and over https, on the first core.
---@param rounds integer  of programs in turn
---@param seconds number  that each of them runs
function harness.new(rounds, seconds)
  local secure_port = nginx.free_port()
  local secure = ("listen 127.0.0.1:%d ssl; ssl_certificate %s; ssl_certificate_key %s;"):format(secure_port,
    certs.valid.cert, certs.valid.key)
  local server = nginx.start(secure .. " location / { return 204; }", "worker_cpu_affinity 01;")
  return setmetatable({
    rounds = rounds, limit = ("%gs"):format(seconds), seconds = seconds,
    server = server,
    plain = { name = "http", origin = server.origin, ca_file = "-", port = server.port },
    secure = { name = "https", origin = ("https://127.0.0.1:%d"):format(secure_port), ca_file = certs.ca.cert },
  }, Harness)
end

--- Runs commands in turn on the server's core; each prints one number.
---@param commands { name: string, command: string }[]
---@param rounds integer?
function Harness:compare(commands, rounds)
  local measures = {}
  for index, entry in ipairs(commands) do
    measures[index] = { name = entry.name, measure = function() return (harness.on_one_core(entry.command)) end }
  end
  return harness.in_turn(rounds or self.rounds, measures)
end

function Harness:stop()
  self.server.stop()
end

return harness
