--- How responses, headers and errors behave and print. Their tables are made by the C side.

local pairs, rawget, type, min, concat, sort = pairs, rawget, type, math.min, table.concat, table.sort

local core = require "webpubsub.core"
local printable = require "webpubsub.printable"

local MAX_PRINTED = 500 -- bytes of a message that came from outside
local MAX_CAUSES = 3 -- inner errors, and details, that are printed

local function count(number, noun)
  return ("%d %s%s"):format(number, noun, number == 1 and "" or "s")
end

-- Names are kept in lower case and found in any.
core.headers_type.__index = function(headers, name)
  return type(name) == "string" and rawget(headers, name:lower()) or nil
end

core.headers_type.__tostring = function(headers)
  local lines = {}
  for name, value in pairs(headers) do lines[#lines + 1] = printable(name .. ": " .. value, MAX_PRINTED) end
  sort(lines)
  return concat(lines, "\n")
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

-- What else the service told: the inner errors and the details, or nil.
local function cause_of(err)
  local causes = {}
  local inner = err.inner
  while inner and #causes < MAX_CAUSES do
    causes[#causes + 1] = inner.code or inner.message
    inner = inner.inner
  end
  local details = err.details or {}
  for index = 1, min(#details, MAX_CAUSES) do
    local detail = details[index]
    local said = detail.message or detail.code
    if said then causes[#causes + 1] = detail.target and detail.target .. ": " .. said or said end
  end
  local more = #details - MAX_CAUSES + (err.omitted_details or 0)
  if more > 0 then causes[#causes + 1] = ("%d more"):format(more) end
  return #causes > 0 and concat(causes, "; ") or nil
end

-- At most two lines: what it is, and what else the service told about it.
core.error_type.__tostring = function(err)
  local facts = { err.status and ("%d %s"):format(err.status, err.code) or ("%s %s"):format(err.kind, err.code or "") }
  if err.attempts and err.attempts > 0 then facts[#facts + 1] = count(err.attempts, "attempt") end
  if err.request_id then facts[#facts + 1] = "request " .. err.request_id end
  local where = err.where and printable(err.where, MAX_PRINTED) .. ": " or ""
  local text = ("%swebpubsub: %s%s (%s)"):format(where, err.operation and err.operation .. ": " or "",
    printable(err.message or "", MAX_PRINTED), printable(concat(facts, ", "), MAX_PRINTED))
  local cause = cause_of(err)
  return cause and text .. "\n  because: " .. printable(cause, MAX_PRINTED) or text
end
