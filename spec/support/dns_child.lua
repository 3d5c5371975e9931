-- The process of the name server (Lua 5.4, LuaSocket): answers questions for IPv4 addresses, RFC 1035.

local socket = require("socket")

local HEADER_BYTES, TYPE_A, NAME_ERROR = 12, 1, 3
local ADDRESS = "\127\0\0\1"

local function answer(query)
  local id = query:sub(1, 2)
  local labels, at = {}, HEADER_BYTES + 1
  while query:byte(at) ~= 0 do
    local label = ("s1"):unpack(query, at)
    labels[#labels + 1] = label
    at = at + 1 + #label
  end
  local question = query:sub(HEADER_BYTES + 1, at + 4)
  local kind = (">I2"):unpack(query, at + 1)
  if labels[1] and labels[1]:find("^missing") then
    return id .. (">I2I2I2I2I2"):pack(0x8180 + NAME_ERROR, 1, 0, 0, 0) .. question
  elseif kind ~= TYPE_A then
    return id .. (">I2I2I2I2I2"):pack(0x8180, 1, 0, 0, 0) .. question
  end
  return id .. (">I2I2I2I2I2"):pack(0x8180, 1, 1, 0, 0) .. question
    .. (">I2I2I2I4s2"):pack(0xc000 + HEADER_BYTES, TYPE_A, 1, 60, ADDRESS)
end

local server = assert(socket.udp())
assert(server:setsockname("127.0.0.1", 0))
local _, port = server:getsockname()
io.write(("ready %d\n"):format(port))
io.flush()
while true do
  local query, host, from = server:receivefrom()
  if query then server:sendto(answer(query), host, from) end
end
