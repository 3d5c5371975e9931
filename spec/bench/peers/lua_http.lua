-- lua_http.lua SECONDS IN_FLIGHT PORT: lua-http over kept connections, one for each call in flight; prints calls per
-- second. The clock starts when as many calls as there are in flight have ended.

package.path = package.path .. ";/usr/share/lua/5.3/?.lua;/usr/share/lua/5.2/?.lua" -- see webpubsub.emulator.path

local cqueues = require "cqueues"
local http_client = require "http.client"
local http_headers = require "http.headers"
local request = require "spec.bench.peers.request"

local seconds, in_flight, port = tonumber(arg[1]), tonumber(arg[2]), tonumber(arg[3])
local authority = "127.0.0.1:" .. port
local loop = cqueues.new()
local calls, started

local function call(connection, number)
  local made = request("http://" .. authority, number)
  local headers = http_headers.new()
  headers:append(":method", "POST")
  headers:append(":scheme", "http")
  headers:append(":authority", authority)
  headers:append(":path", made.target)
  for _, header in ipairs(made.headers) do headers:append(header[1], header[2]) end
  local stream = connection:new_stream()
  assert(stream:write_headers(headers, true))
  local response = assert(stream:get_headers())
  assert(response:get(":status") == "204")
  stream:shutdown()
end

local function work()
  local connection = assert(http_client.connect { host = "127.0.0.1", port = port, tls = false, version = 1.1 })
  while true do
    calls = calls + 1
    call(connection, calls)
    if calls >= 2 * in_flight and not started then started, calls = cqueues.monotime(), 0 end
    if started and cqueues.monotime() - started >= seconds then
      print(("%.1f"):format(calls / (cqueues.monotime() - started)))
      os.exit(0)
    end
  end
end

calls = 0
for _ = 1, in_flight do loop:wrap(work) end
assert(loop:loop())
