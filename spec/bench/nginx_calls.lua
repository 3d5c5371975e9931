-- nginx_calls.lua BUILD: calls from inside an NGINX worker to an HTTPS service that takes 200 ms, beside requests that
-- only sleep as long. Every request to the worker makes one call; 200 are in flight.
--
-- CPU time is the worker's, inbound request included; its goal is what lua-resty-http needed here in the same
-- surroundings, 181 to 225 µs a call where sleeping took 40 to 62: the lower of the two ratios.

local certs = require "spec.support.certs"
local dns = require "spec.support.dns"
local nginx = require "spec.bench.nginx"
local socket = require "socket"
local median = require "spec.bench.median"

local BUILD = arg[1]
local ROUNDS, SECONDS, WARM_UP_SECONDS = 5, 4, 1
local IN_FLIGHT, SERVICE_SECONDS = 200, 0.2
local PROBE_MILLISECONDS = 2 -- between two requests to the other location
local RATE_GOAL, CPU_GOAL = 930, 3.6 -- calls/s; times that of sleeping
local P99_GOAL, STALL_GOAL = 5, 20   -- ms above that of sleeping, which varies by as much; ms
local BURST_SECONDS = 2      -- for the worker to watch its loop

-- The library's worker on one core; what it is measured with, and the service, on the other.
local OURS, THEIRS = "worker_cpu_affinity 01;", "worker_cpu_affinity 10;"
local ELSEWHERE = "taskset -c 1 "

local MODULES = [[
  load_module /usr/lib/nginx/modules/ndk_http_module.so;
  load_module /usr/lib/nginx/modules/ngx_http_lua_module.so;
]]

local SERVICE = [[
  listen 127.0.0.1:$port ssl; ssl_certificate $cert; ssl_certificate_key $key;
  location / { content_by_lua_block { ngx.sleep($seconds) ngx.exit(204) } }
]]

local HTTP = [[
  lua_package_path "lua/?.lua;lua/?/init.lua;;"; lua_package_cpath "$build/?.so;;";
  resolver 127.0.0.1:$dns; lua_ssl_trusted_certificate $ca; lua_ssl_verify_depth 5;
  init_worker_by_lua_block {
    client = require("webpubsub").new {
      endpoint = "https://localhost:$port", key = "a key of the usual length, 44 characters long", hub = "bench",
      pool_size = $pool,
    }
  }
]]

-- /loop tells the longest time, in ms, that the worker's loop did not come round while it is asked.
local LOCATIONS = [[
  location = /sleep { content_by_lua_block { ngx.sleep($seconds) ngx.exit(204) } }
  location = /call { content_by_lua_block {
    client:close_user_connections { user = "user-" .. ngx.var.connection, reason = "signed in elsewhere" }
    ngx.exit(204)
  } }
  location = /other { return 204; }
  location = /loop { content_by_lua_block {
    local now = require("webpubsub.core").now
    local last, longest = now(), 0
    local stop = last + $watch
    while last < stop do
      ngx.sleep(0.001)
      local woke = now()
      last, longest = woke, math.max(longest, woke - last)
    end
    ngx.print(("%.3f"):format(longest * 1000))
  } }
]]

local service_port, names = nginx.free_port(), dns.start()
local settings = {
  build = BUILD, port = service_port, dns = names.port, pool = IN_FLIGHT, seconds = SERVICE_SECONDS,
  watch = BURST_SECONDS, ca = certs.ca.cert, cert = certs.valid.cert, key = certs.valid.key,
}

local function fill(text)
  return (text:gsub("$(%l+)", settings))
end

local function start_worker()
  return nginx.start(fill(LOCATIONS), MODULES .. OURS, fill(HTTP))
end

-- ---------------------------------------------------------------- a load that goes on

-- Seconds of CPU time that a process has used.
local function cpu_seconds(pid)
  local file = assert(io.open(("/proc/%s/schedstat"):format(pid)))
  local nanoseconds = file:read("n")
  file:close()
  return nanoseconds / 1e9
end

local function measured(text, path)
  local rate, p99 = text:match("measured (%S+) (%S+)")
  return assert(tonumber(rate), path .. " failed:\n" .. text), tonumber(p99)
end

local function wrk(connections, seconds, url, pause)
  return io.popen(("%s wrk -t1 -c%d -d%d -s spec/bench/wrk.lua %s -- %d 2>&1"):format(ELSEWHERE, connections, seconds,
    url, pause))
end

-- Requests per second, µs of CPU time for each, and the other location's 99th percentile in ms.
local function load(worker, path)
  wrk(IN_FLIGHT, WARM_UP_SECONDS, worker.origin .. path, 0):close()
  socket.sleep(2 * SERVICE_SECONDS) -- for what is still in flight
  local pid = worker.worker()
  local before, started = cpu_seconds(pid), socket.gettime()
  local requests = wrk(IN_FLIGHT, SECONDS, worker.origin .. path, 0)
  local probe = wrk(1, SECONDS, worker.origin .. "/other", PROBE_MILLISECONDS)
  local rate = measured(requests:read("a"), path)
  local _, p99 = measured(probe:read("a"), "/other")
  local used = (cpu_seconds(pid) - before) / (socket.gettime() - started)
  requests:close()
  probe:close()
  return rate, used / rate * 1e6, p99
end

-- ---------------------------------------------------------------- a cold burst

local function connect(worker)
  local connection = assert(socket.connect("127.0.0.1", worker.port))
  connection:settimeout(10)
  return connection
end

local function send(connection, path)
  assert(connection:send("GET " .. path .. " HTTP/1.1\r\nHost: localhost\r\n\r\n"))
end

local function expect(connection, path)
  local line = connection:receive("*l")
  assert(line and line:find("204"), path .. ": " .. tostring(line))
  repeat line = connection:receive("*l") until line == "" or not line
end

-- 200 requests at once on connections that are open already: the longest time that the worker's loop stood still, and
-- the time until all were answered, both in ms.
local function burst(path)
  local worker = start_worker()
  local connections = {}
  for index = 1, IN_FLIGHT do
    connections[index] = connect(worker)
    send(connections[index], "/other")
    expect(connections[index], "/other")
  end
  local watch = connect(worker)
  assert(watch:send("GET /loop HTTP/1.0\r\n\r\n"))
  socket.sleep(0.2)
  local started = socket.gettime()
  for index = 1, IN_FLIGHT do send(connections[index], path) end
  for index = 1, IN_FLIGHT do expect(connections[index], path) end
  local taken = socket.gettime() - started
  local stall = watch:receive("*a"):match("\r\n\r\n(.*)$")
  for _, connection in ipairs(connections) do connection:close() end
  worker.stop()
  return tonumber(stall), taken * 1000
end

-- ---------------------------------------------------------------- the rounds

-- Of a path: calls/s, µs of CPU time, the other location's p99 in ms, the stall and the burst in ms.
local FORMAT = "%8.0f %8.0f %15.1f %9.1f %9.0f"
local COLUMNS = 5

local function print_row(title, sleeping, calling)
  print(("%-8s |%s |%s  | %9.2f"):format(title, FORMAT:format(table.unpack(sleeping)),
    FORMAT:format(table.unpack(calling)), calling.ratio))
end

local function print_head()
  local half = " calls/s  CPU, µs other's p99, ms stall, ms burst, ms"
  print(("%-8s |%-52s | calls"):format("", " only sleeping"))
  print(("%-8s |%s |%s  | CPU ratio"):format("", half, half))
end

local function measure(worker, path)
  local rate, cpu, p99 = load(worker, path)
  local stall, taken = burst(path)
  return { rate, cpu, p99, stall, taken }
end

local function medians(rounds)
  local result = { ratio = median(rounds, "ratio") }
  for index = 1, COLUMNS do result[index] = median(rounds, index) end
  return result
end

local function run(worker)
  print(("%d requests in flight, each a call that takes %g ms; ideal %d/s"):format(IN_FLIGHT, SERVICE_SECONDS * 1000,
    IN_FLIGHT / SERVICE_SECONDS))
  print_head()
  local sleeping, calling = {}, {}
  for round = 1, ROUNDS do
    sleeping[round], calling[round] = measure(worker, "/sleep"), measure(worker, "/call")
    sleeping[round].ratio, calling[round].ratio = 1, calling[round][2] / sleeping[round][2]
    print_row("round " .. round, sleeping[round], calling[round])
  end
  local base, typical = medians(sleeping), medians(calling)
  print_row("median", base, typical)
  local reached = typical[1] >= RATE_GOAL and typical.ratio <= CPU_GOAL and typical[3] <= base[3] + P99_GOAL
    and typical[4] <= STALL_GOAL
  print(("goal: %d calls/s, %g times the CPU of sleeping, a p99 at most %g ms above, a stall of %d ms: %s"):format(
    RATE_GOAL, CPU_GOAL, P99_GOAL, STALL_GOAL, reached and "reached" or "MISSED"))
end

local service = nginx.start(fill(SERVICE), MODULES .. THEIRS)
local worker = start_worker()
local ok, problem = pcall(run, worker)
worker.stop()
service.stop()
names.stop()
if not ok then error(problem, 0) end
