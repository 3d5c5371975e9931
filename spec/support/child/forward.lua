-- A small HTTP proxy: CONNECT tunnels and requests with an absolute URL, to loopback only.

local cqueues = require("cqueues")
local condition = require("cqueues.condition")
local cqueues_socket = require("cqueues.socket")

local CONNECT_TIMEOUT_SECONDS = 5
local DEFAULT_PORT = 80
local READ_BYTES = 64 * 1024
local LOOPBACK = { ["127.0.0.1"] = true, ["localhost"] = true }
-- Fields between a client and its proxy, not for the origin.
local HOP_BY_HOP = { ["connection"] = true, ["proxy-connection"] = true, ["proxy-authorization"] = true,
  ["keep-alive"] = true }

local forward = {}

local function refuse(client, status_line)
  client:write(("HTTP/1.1 %s\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"):format(status_line))
end

-- Copies bytes until either side ends, then passes the end on.
local function pump(from, to)
  while true do
    local bytes = from:read(-READ_BYTES)
    if not bytes or not to:write(bytes) then break end
  end
  to:shutdown("w")
end

-- The origin's connection, or nil after the client has been told why not.
local function dial(client, host, port)
  if not host then return refuse(client, "400 Bad Request") end
  if not LOOPBACK[host] then return refuse(client, "403 Forbidden") end
  local origin = cqueues_socket.connect({ host = "127.0.0.1", port = port, nodelay = true })
  origin:setmode("b", "bn")
  origin:onerror(function(_, _, code) return code end)
  if not origin:connect(CONNECT_TIMEOUT_SECONDS) then
    origin:close()
    return refuse(client, "502 Bad Gateway")
  end
  return origin
end

local function tunnel(client, received)
  local host, port = received.target:match("^([^:]+):(%d+)$")
  local origin = dial(client, host, port)
  if not origin then return end
  client:write("HTTP/1.1 200 Connection established\r\n\r\n")

  local upward, ended = {}, condition.new()
  cqueues.running():wrap(function()
    upward.ok, upward.problem = xpcall(pump, debug.traceback, client, origin)
    origin:shutdown("w")
    upward.ended = true
    ended:signal()
  end)
  pump(origin, client)
  while not upward.ended do ended:wait() end
  origin:close()
  if not upward.ok then error(upward.problem, 0) end
end

local function origin_form(received, path)
  local lines = { ("%s %s HTTP/1.1"):format(received.method, path) }
  for _, field in ipairs(received.headers) do
    if not HOP_BY_HOP[field.name:lower()] then lines[#lines + 1] = field.name .. ": " .. field.value end
  end
  lines[#lines + 1] = "Connection: close"
  local head_end = select(2, received.raw:find("\r\n\r\n", 1, true))
  return table.concat(lines, "\r\n") .. "\r\n\r\n" .. received.raw:sub(head_end + 1)
end

local function relay(client, received)
  local authority, path = received.target:match("^http://([^/?]+)(.*)$")
  local host, port = (authority or ""):match("^([^:]+):?(%d*)$")
  local origin = dial(client, host, tonumber(port) or DEFAULT_PORT)
  if not origin then return end
  origin:write(origin_form(received, path:sub(1, 1) == "/" and path or "/" .. path))
  pump(origin, client)
  origin:close()
end

-- Serves a request as a proxy does, up to the end of the connection.
function forward.serve(client, received)
  if received.method == "CONNECT" then tunnel(client, received) else relay(client, received) end
end

return forward
