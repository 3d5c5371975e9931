--- The transport that an application brings: `transport(request) -> response`, or nil and a message.

local core = require "webpubsub.core"
local loops = require "webpubsub.loops"

local custom = {}

-- Longest wait in one piece within a loop of cqueues, seconds: between two of them the driver asks for `cancel`.
local LOOP_SLICE = 0.05

local function refuse(message)
  core.raise("argument", "type", message, "transport")
end

-- A header block from a table of names and values, or lists of values.
local function block_of(headers)
  local lines = {}
  for name, value in pairs(headers) do
    for _, text in ipairs(type(value) == "table" and value or { value }) do
      local line = ("%s: %s"):format(tostring(name), tostring(text))
      if line:find("[\r\n%z]") then
        refuse("transport must return headers without CR, LF and NUL in names and values")
      end
      lines[#lines + 1] = line .. "\r\n"
    end
  end
  return table.concat(lines)
end

local function check(response)
  if type(response) ~= "table" then
    refuse("transport must return a table { status, headers, body }, or nil and a message; it returned a "
      .. type(response))
  end
  local status, headers, body = response.status, response.headers or "", response.body or ""
  if type(status) ~= "number" or status % 1 ~= 0 or status < 200 or status > 599 then
    refuse("transport must return the response's status, a whole number from 200 to 599")
  end
  if type(headers) ~= "string" and type(headers) ~= "table" then
    refuse("transport must return the response's headers as a table of names and values, or as lines")
  end
  if type(body) ~= "string" then refuse("transport must return the response's body as a string") end
  return status, type(headers) == "table" and block_of(headers) or headers, body
end

--- A transport that has `send` make the exchanges, and everything else done as `base` does it.
---@param send fun(request: webpubsub.TransportRequest): webpubsub.TransportResponse?, string?
---@param origin string  scheme, host and port
---@param base table  a transport
function custom.new(send, origin, base)
  local function exchange(call)
    local method, target, headers, body, seconds, _, _, once = call:outgoing()
    local names = {}
    for name, value in pairs(core.headers(headers)) do names[name] = value end
    local response, message = send {
      method = method, url = origin .. target, headers = names, body = body, timeout = seconds, once = once,
    }
    if response == nil then return nil, "transport", "failed", tostring(message or "the transport gave no reason") end
    return call:deliver(check(response))
  end

  local function sleep(seconds, cancelled)
    if not loops.inside() then return base.sleep(seconds, cancelled) end
    require("cqueues").sleep(math.min(seconds, LOOP_SLICE))
  end

  return {
    now = base.now, wall = base.wall, sleep = sleep, exchange = exchange,
    scheduler = not base.submit and base.scheduler or nil, -- libcurl's tasks submit; those of NGINX run whatever it is
  }
end

return custom
