-- Writes the bytes of a reply step.

local headers = require("spec.support.headers")

local REASONS = {
  [100] = "Continue", [103] = "Early Hints",
  [200] = "OK", [202] = "Accepted", [204] = "No Content",
  [302] = "Found", [304] = "Not Modified",
  [400] = "Bad Request", [401] = "Unauthorized", [403] = "Forbidden", [404] = "Not Found", [408] = "Request Timeout",
  [409] = "Conflict", [413] = "Content Too Large", [429] = "Too Many Requests",
  [500] = "Internal Server Error", [502] = "Bad Gateway", [503] = "Service Unavailable", [504] = "Gateway Timeout",
}

local reply = {}

-- The fields of a step in a stable order.
local function field_list(fields)
  local names = {}
  for name in pairs(fields) do names[#names + 1] = name end
  table.sort(names)
  local list = headers.wrap({})
  for _, name in ipairs(names) do
    local values = type(fields[name]) == "table" and fields[name] or { fields[name] }
    for _, value in ipairs(values) do list[#list + 1] = { name = name, value = tostring(value) } end
  end
  return list
end

local function add_missing(list, name, value)
  if not list:get(name) then list[#list + 1] = { name = name, value = value } end
end

local function chunked(body, size)
  local chunks = {}
  for first = 1, #body, size do
    local chunk = body:sub(first, first + size - 1)
    chunks[#chunks + 1] = ("%x\r\n%s\r\n"):format(#chunk, chunk)
  end
  chunks[#chunks + 1] = "0\r\n\r\n"
  return table.concat(chunks)
end

local function announce_body(list, step, body)
  if step.framing == "chunked" then
    add_missing(list, "Transfer-Encoding", "chunked")
  elseif step.framing == "close" then
    add_missing(list, "Connection", "close")
  else
    add_missing(list, "Content-Length", tostring(#body))
  end
end

-- The reply's bytes, and whether it ends the connection. `closing` says that the request asked for that.
function reply.render(step, method, closing)
  local body = step.body or ""
  local list = field_list(step.headers or {})
  local interim = step.status < 200
  if not interim then
    if step.status ~= 204 and step.status ~= 304 then announce_body(list, step, body) end
    if closing then add_missing(list, "Connection", "close") end
  end

  local lines = { ("%s %d %s"):format(step.version or "HTTP/1.1", step.status,
    step.reason or REASONS[step.status] or "Unnamed") }
  for _, field in ipairs(list) do lines[#lines + 1] = field.name .. ": " .. field.value end
  local head = table.concat(lines, "\r\n") .. "\r\n\r\n"

  if method == "HEAD" or interim then
    body = ""
  elseif step.framing == "chunked" then
    body = chunked(body, step.chunk_size or math.max(#body, 1))
  end
  return head .. body, list:has_token("Connection", "close")
end

return reply
