--- How responses, headers and errors behave and print. Their tables are made by the C side.

local core = require "webpubsub.core"

local MAX_PRINTED = 500 -- bytes of a message that came from outside

-- One readable line: what came from outside may hold anything.
local function line(text)
  text = text:gsub("[%c]+", " ")
  if #text > MAX_PRINTED then text = text:sub(1, MAX_PRINTED) .. "..." end
  return text
end

local function count(number, noun)
  return ("%d %s%s"):format(number, noun, number == 1 and "" or "s")
end

-- Names are kept in lower case and found in any.
core.headers_type.__index = function(headers, name)
  return type(name) == "string" and rawget(headers, name:lower()) or nil
end

core.headers_type.__tostring = function(headers)
  local lines = {}
  for name, value in pairs(headers) do lines[#lines + 1] = line(name .. ": " .. value) end
  table.sort(lines)
  return table.concat(lines, "\n")
end

-- Few callers look at the headers, so they are parsed for those who do.
core.response_type.__index = function(response, key)
  if key ~= "headers" then return nil end
  local headers = core.headers(response.raw_headers)
  response.headers = headers
  return headers
end

core.response_type.__tostring = function(response)
  return ("%s %s (%s, %s, %.0f ms)"):format(response.status, response.reason, response.operation,
    count(response.attempts, "attempt"), response.elapsed * 1000)
end

core.error_type.__tostring = function(err)
  local facts = { err.status and ("%d %s"):format(err.status, err.code) or ("%s %s"):format(err.kind, err.code or "") }
  if err.attempts and err.attempts > 0 then facts[#facts + 1] = count(err.attempts, "attempt") end
  if err.request_id then facts[#facts + 1] = "request " .. err.request_id end
  return ("webpubsub: %s%s (%s)"):format(err.operation and err.operation .. ": " or "", line(err.message or ""),
    line(table.concat(facts, ", ")))
end
