-- A SOCKS5 proxy to loopback in a process of its own (Lua 5.4, cqueues): prints its port and then, for each connection
-- that it makes, what it was asked for. With an argument "user:password", which must be given to it.

local cqueues = require("cqueues")
local socket = require("cqueues.socket")

local login = arg[1]
local NAME, ADDRESS = 3, 1

local function pump(from, to)
  while true do
    local bytes = from:read(-65536)
    if not bytes or not to:write(bytes) then break end
  end
  to:shutdown("w")
end

local function read_counted(client)
  return client:read(client:read(1):byte())
end

local function let_in(client)
  client:read(1) -- the version
  read_counted(client)
  if not login then return client:write("\5\0") end
  client:write("\5\2")
  client:read(1)
  local good = read_counted(client) .. ":" .. read_counted(client) == login
  client:write(good and "\1\0" or "\1\1")
  return good
end

local function serve(client)
  client:setmode("b", "bn")
  client:onerror(function(_, _, code) return code end)
  if not let_in(client) then return client:close() end
  local kind = client:read(4):byte(4)
  local host = kind == NAME and read_counted(client) or ("%d.%d.%d.%d"):format(client:read(4):byte(1, 4))
  local port = (">I2"):unpack(client:read(2))
  print(("%s %s:%d"):format(kind == ADDRESS and "address" or "name", host, port))
  io.flush()
  local origin = socket.connect({ host = "127.0.0.1", port = port, nodelay = true })
  origin:setmode("b", "bn")
  origin:onerror(function(_, _, code) return code end)
  if not origin:connect(5) then
    client:write("\5\5\0\1\0\0\0\0\0\0") -- refused
    return client:close()
  end
  client:write("\5\0\0\1\0\0\0\0\0\0")
  cqueues.running():wrap(pump, client, origin)
  pump(origin, client)
end

local listener = assert(socket.listen({ host = "127.0.0.1", port = 0 }))
local loop = cqueues.new()
loop:wrap(function()
  while true do
    local client = listener:accept({ nodelay = true })
    loop:wrap(serve, client)
  end
end)
loop:wrap(function()
  cqueues.poll({ pollfd = 0, events = "r" })
  os.exit(0)
end)
print(("ready %d"):format(select(3, listener:localname())))
io.flush()
assert(loop:loop())
