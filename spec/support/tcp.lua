--- A client that sends and receives just the bytes it is told to.

local socket = require("socket")

local TIMEOUT_SECONDS = 5

local tcp = {}

--- A LuaSocket connection to a server, with a timeout for each operation.
---@param server { host: string, port: integer }
function tcp.connect(server)
  local client = assert(socket.connect(server.host, server.port))
  client:settimeout(TIMEOUT_SECONDS)
  return client
end

--- Sends bytes on a new connection and returns all that comes back until the server ends it, however it does.
---@param server { host: string, port: integer }
---@param bytes string
---@return string
function tcp.exchange(server, bytes)
  local client = tcp.connect(server)
  assert(client:send(bytes))
  local received, problem, partial = client:receive("*a")
  client:close()
  if problem == "timeout" then error(("the server did not end the connection; received %q"):format(partial), 2) end
  return received or partial
end

return tcp
