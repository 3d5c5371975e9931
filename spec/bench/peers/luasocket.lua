-- luasocket.lua SECONDS PORT: LuaSocket's HTTP over one kept connection; prints calls per second.

local http = require "socket.http"
local request = require "spec.bench.peers.request"
local socket = require "socket"

local seconds, port = tonumber(arg[1]), tonumber(arg[2])
local origin = "http://127.0.0.1:" .. port
local kept -- LuaSocket closes after each request; a proxy object in the place of its socket keeps it open

local function create()
  if kept then return kept end
  local connection, is_connected = assert(socket.tcp()), false
  kept = setmetatable({
    connect = function(_, ...)
      if is_connected then return 1 end
      is_connected = true
      local connected, message = connection:connect(...)
      connection:setoption("tcp-nodelay", true) -- or the second of its small packets waits for the peer's late ACK
      return connected, message
    end,
    close = function() return 1 end,
  }, { __index = function(_, name)
    return function(_, ...) return connection[name](connection, ...) end
  end })
  return kept
end

local calls, started = 0, socket.gettime()
while socket.gettime() - started < seconds do
  local made, headers = request(origin, calls), { connection = "keep-alive" }
  for _, header in ipairs(made.headers) do headers[header[1]] = header[2] end
  local _, status = assert(http.request { method = "POST", url = made.url, headers = headers, create = create })
  assert(status == 204, status)
  calls = calls + 1
end
print(("%.1f"):format(calls / (socket.gettime() - started)))
