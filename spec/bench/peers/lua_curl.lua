-- lua_curl.lua SECONDS PORT: Lua-cURL with one handle, used again; prints calls per second.

local curl = require "curl"
local request = require "spec.bench.peers.request"
local socket = require "socket"

local seconds, port = tonumber(arg[1]), tonumber(arg[2])
local origin = "http://127.0.0.1:" .. port
local easy = curl.easy_init()
easy:setopt(curl.OPT_POST, 1)
easy:setopt(curl.OPT_POSTFIELDS, "")
easy:setopt(curl.OPT_WRITEFUNCTION, function(text) return #text end)

local calls, started = 0, socket.gettime()
while socket.gettime() - started < seconds do
  local made, lines = request(origin, calls), { "Content-Type:" }
  for index, header in ipairs(made.headers) do lines[index + 1] = header[1] .. ": " .. header[2] end
  easy:setopt(curl.OPT_URL, made.url)
  easy:setopt(curl.OPT_HTTPHEADER, lines)
  assert(easy:perform())
  calls = calls + 1
end
print(("%.1f"):format(calls / (socket.gettime() - started)))
