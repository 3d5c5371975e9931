--- Other clients, where they are installed: for each its name, the command that makes calls with so many in flight, and
--- how many it may have. They are run against the server's plain origin.

local harness = require "spec.bench.harness"

local FOLDER = "spec/bench/peers/"
local SDK = "spec/interop/node_modules/@azure/web-pubsub"
local LUA_5_3 = "/usr/share/lua/5.3/?.lua;/usr/share/lua/5.2/?.lua" -- see webpubsub.emulator.path

local ONE_AT_A_TIME = {
  { name = "LuaSocket", module = "socket.http", file = "luasocket.lua" },
  { name = "Lua-cURL", module = "curl", file = "lua_curl.lua" },
}

local function runs(command)
  return (os.execute(command .. " >/dev/null 2>&1"))
end

local function has(lua, ...)
  local code = { ("package.path = package.path .. ';%s'"):format(LUA_5_3) }
  for _, name in ipairs { ... } do code[#code + 1] = ("require '%s'"):format(name) end
  return runs(("%s -e \"%s\""):format(lua.program, table.concat(code, "; ")))
end

local peers = {}

local function add(name, most, command)
  peers[#peers + 1] = { name = name, most = most, command = command }
end

for _, lua in ipairs(harness.LUAS) do
  if has(lua, "http.client", "openssl.hmac") then
    add("lua-http, " .. lua.name, 10000, function(seconds, in_flight, port)
      return harness.lua(lua, FOLDER .. "lua_http.lua", seconds, in_flight, port)
    end)
  end
  for _, peer in ipairs(ONE_AT_A_TIME) do
    if has(lua, peer.module, "socket", "openssl.hmac") then
      add(("%s, %s"):format(peer.name, lua.name), 1, function(seconds, _, port)
        return harness.lua(lua, FOLDER .. peer.file, seconds, port)
      end)
    end
  end
end
if runs("test -d " .. SDK) and runs("node --version") then
  add("vendor's JavaScript SDK", 1000, function(seconds, in_flight, port)
    return ("node %sjavascript.mjs %g %d %d"):format(FOLDER, seconds, in_flight, port)
  end)
end

return peers
