--- The transport that an application brings: `transport(request) -> response`, or nil and a failure.

local core = require "webpubsub.core"

local custom = {}

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
    refuse("transport must return a table { status, headers, body }, or nil and a failure; it returned a "
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

-- A failure is a message, or a table with `code`, `message` and `retryable`.
local function failure_of(failure)
  if type(failure) ~= "table" then return "failed", tostring(failure or "the transport gave no reason"), true end
  return tostring(failure.code or "failed"), tostring(failure.message or "the transport gave no reason"),
    failure.retryable ~= false
end

--- A transport that has `send` make the exchanges, and everything else done as `base` does it.
---@param send webpubsub.Transport
---@param origin string  scheme, host and port
---@param base table  a transport
function custom.new(send, origin, base)
  local function exchange(call, cancelled)
    local method, target, headers, body, seconds, patience, _, once = call:outgoing()
    local names = {}
    for name, value in pairs(core.headers(headers)) do names[name] = value end
    local over, response, failure = base.host:call(patience, cancelled, send, {
      method = method, url = origin .. target, headers = names, body = body, timeout = seconds, once = once,
    })
    if not over and response == "cancelled" then
      return nil, "cancelled", "cancelled", "the call was cancelled"
    elseif not over then
      return nil, "timeout", "deadline", "the transport did not return within the call's timeout"
    elseif response == nil then
      local code, message, is_retryable = failure_of(failure)
      return nil, is_retryable and "transport" or "protocol", code, message
    end
    return call:deliver(check(response))
  end

  return { now = base.now, wall = base.wall, sleep = base.sleep, exchange = exchange, host = base.host }
end

return custom
