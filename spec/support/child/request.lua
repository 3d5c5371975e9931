-- Reads HTTP/1.1 requests. Lenient on purpose: a spec wants to see what a client sent, not to have it refused.

local headers = require("spec.support.headers")

local request = {}

-- Reads lines up to an empty one. Returns them and their bytes, or nil at the end of the stream.
local function read_lines(socket)
  local lines, raw = {}, {}
  while true do
    local line = socket:read("*L")
    if not line or line:sub(-1) ~= "\n" then return nil end
    raw[#raw + 1] = line
    local text = line:gsub("\r?\n$", "")
    if text == "" then return lines, table.concat(raw) end
    lines[#lines + 1] = text
  end
end

local function read_exactly(socket, count)
  if count == 0 then return "" end
  local bytes = socket:read(count)
  if not bytes or #bytes < count then return nil end
  return bytes
end

-- Returns the decoded body and the bytes it came in, or nil at the end of the stream.
local function read_chunks(socket)
  local body, raw = {}, {}
  while true do
    local size_line = socket:read("*L")
    local size = size_line and tonumber(size_line:match("^%x+"), 16)
    if not size then return nil end
    raw[#raw + 1] = size_line
    if size == 0 then
      local _, trailer = read_lines(socket)
      if not trailer then return nil end
      raw[#raw + 1] = trailer
      return table.concat(body), table.concat(raw)
    end
    local chunk = read_exactly(socket, size + #"\r\n")
    if not chunk then return nil end
    body[#body + 1] = chunk:sub(1, size)
    raw[#raw + 1] = chunk
  end
end

local function read_body(socket, fields)
  if fields:has_token("Transfer-Encoding", "chunked") then return read_chunks(socket) end
  local body = read_exactly(socket, tonumber(fields:get("Content-Length")) or 0)
  return body, body
end

local function parse_head(lines)
  local method, target, version = lines[1]:match("^(%S+) (%S+) (%S+)$")
  local fields = headers.wrap({})
  for i = 2, #lines do
    local name, value = lines[i]:match("^([^:]*):%s*(.-)%s*$")
    fields[#fields + 1] = { name = name or lines[i], value = value or "" }
  end
  return { method = method or lines[1], target = target or "", version = version or "", headers = fields }
end

-- The next complete request, or nil when the client has ended the connection before or within one.
function request.read(socket)
  local lines, head = read_lines(socket)
  if not lines or not lines[1] then return nil end
  local received = parse_head(lines)
  if received.headers:has_token("Expect", "100-continue") then
    socket:write("HTTP/1.1 100 Continue\r\n\r\n")
  end
  local body, raw_body = read_body(socket, received.headers)
  if not body then return nil end
  received.body = body
  received.raw = head .. raw_body
  return received
end

function request.keeps_alive(received)
  if received.version == "HTTP/1.0" then return received.headers:has_token("Connection", "keep-alive") end
  return not received.headers:has_token("Connection", "close")
end

return request
