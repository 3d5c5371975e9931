--- An NGINX worker that calls an HTTPS service which takes 200 ms, and the processor time that it uses. Every request
--- to the worker makes one call (/call), one with lua-resty-http (/resty, where RESTY_HTTP names its folder `lib`), or
--- only sleeps as long (/sleep).

local certs = require "spec.support.certs"
local dns = require "spec.support.dns"
local nginx = require "spec.bench.nginx"
local socket = require "socket"

local nginx_worker = {}

nginx_worker.IN_FLIGHT, nginx_worker.SERVICE_SECONDS = 200, 0.2

local WARM_UP_SECONDS = 1
local PROBE_MILLISECONDS = 2 -- between two requests to the other location
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
  lua_package_path "lua/?.lua;lua/?/init.lua;$resty/?.lua;;"; lua_package_cpath "build/5.1/?.so;;";
  resolver 127.0.0.1:$dns; lua_ssl_trusted_certificate $ca; lua_ssl_verify_depth 5;
  init_worker_by_lua_block {
    core = require "webpubsub.core"
    settings = {
      endpoint = "https://localhost:$port", key = "a key of the usual length, 44 characters long", hub = "bench",
      pool_size = $pool,
    }
    client = require("webpubsub").new(settings)
    signer = core.client(settings)
    function arguments() return { user = "user-" .. ngx.var.connection, reason = "signed in elsewhere" } end
  }
]]

-- /resty signs as the library does. /loop tells the longest time, in ms, that the worker's loop did not come round
-- while it is asked.
local LOCATIONS = [[
  location = /sleep { content_by_lua_block { ngx.sleep($seconds) ngx.exit(204) } }
  location = /call { content_by_lua_block {
    client:close_user_connections(arguments())
    ngx.exit(204)
  } }
  location = /resty { content_by_lua_block {
    local call = core.prepare(signer, "close_user_connections", arguments())
    call:begin(core.now())
    call:sign(core.now(), ngx.time())
    local method, target, headers = call:outgoing()
    local http = require("resty.http").new()
    http:set_timeouts(5000, 5000, 15000)
    assert(http:connect { scheme = "https", host = "localhost", port = $port, ssl_verify = true, pool_size = $pool })
    local names = {}
    for name, value in pairs(core.headers(headers)) do names[name] = value end
    local response = assert(http:request { method = method, path = target, headers = names, body = "" })
    response:read_body()
    http:set_keepalive(30000, $pool)
    ngx.exit(response.status)
  } }
  location = /other { return 204; }
  location = /loop { content_by_lua_block {
    local now = core.now
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

local Stage = {}
Stage.__index = Stage

--- The service, and a worker.
function nginx_worker.new()
  local self = setmetatable({ names = dns.start() }, Stage)
  self.settings = {
    port = nginx.free_port(), dns = self.names.port, pool = nginx_worker.IN_FLIGHT,
    seconds = nginx_worker.SERVICE_SECONDS, watch = BURST_SECONDS, resty = os.getenv "RESTY_HTTP" or "",
    ca = certs.ca.cert, cert = certs.valid.cert, key = certs.valid.key,
  }
  self.service = nginx.start(self:fill(SERVICE), MODULES .. THEIRS)
  self.worker = self:start_worker()
  return self
end

function Stage:fill(text)
  return (text:gsub("$(%l+)", self.settings))
end

function Stage:start_worker()
  return nginx.start(self:fill(LOCATIONS), MODULES .. OURS, self:fill(HTTP))
end

--- Is lua-resty-http there?
function Stage:has_resty()
  local file = self.settings.resty ~= "" and io.open(self.settings.resty .. "/resty/http.lua")
  if file then file:close() end
  return file and true or false
end

function Stage:stop()
  self.worker.stop()
  self.service.stop()
  self.names.stop()
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

--- Requests per second, µs of the worker's CPU time for each, the request itself included, and the other location's
--- 99th percentile in ms.
---@param path string
---@param seconds integer
function Stage:load(path, seconds)
  local worker, in_flight = self.worker, nginx_worker.IN_FLIGHT
  wrk(in_flight, WARM_UP_SECONDS, worker.origin .. path, 0):close()
  socket.sleep(2 * nginx_worker.SERVICE_SECONDS) -- for what is still in flight
  local pid = worker.worker()
  local before, started = cpu_seconds(pid), socket.gettime()
  local requests = wrk(in_flight, seconds, worker.origin .. path, 0)
  local probe = wrk(1, seconds, worker.origin .. "/other", PROBE_MILLISECONDS)
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

--- As many requests at once to a worker that has just started, on connections that are open already: the longest time
--- that its loop stood still, and the time until all were answered, both in ms.
function Stage:burst(path)
  local worker = self:start_worker()
  local connections = {}
  for index = 1, nginx_worker.IN_FLIGHT do
    connections[index] = connect(worker)
    send(connections[index], "/other")
    expect(connections[index], "/other")
  end
  local watch = connect(worker)
  assert(watch:send("GET /loop HTTP/1.0\r\n\r\n"))
  socket.sleep(0.2)
  local started = socket.gettime()
  for _, connection in ipairs(connections) do send(connection, path) end
  for _, connection in ipairs(connections) do expect(connection, path) end
  local taken = socket.gettime() - started
  local stall = watch:receive("*a"):match("\r\n\r\n(.*)$")
  for _, connection in ipairs(connections) do connection:close() end
  worker.stop()
  return tonumber(stall), taken * 1000
end

return nginx_worker
