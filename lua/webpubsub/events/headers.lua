--- A request's headers, however its server holds them: names in lower case here, found in any.

local check = require "webpubsub.events.check"
local core = require "webpubsub.core"

local headers = {}

-- Two of these could mean one thing to a gateway and another to us.
local once = { authorization = true, ["content-length"] = true, ["content-type"] = true,
  ["webhook-request-origin"] = true }

local function is_once(name)
  return once[name] or name:find("^ce%-") ~= nil
end

--- Reads a table of names and values, or of names and lists of values. Values of one name are joined with commas, but
--- for those that may be there only once.
---@param given table
---@return table|nil
---@return string|nil  the header that is there twice
function headers.read(given)
  if type(given) ~= "table" then
    check.refuse("headers", "type", "headers must be a table of names and values; it is a " .. type(given),
      "events.handle")
  end
  local read = setmetatable({}, core.headers_type)
  for key, values in pairs(given) do
    local name = tostring(key):lower()
    for _, value in ipairs(type(values) == "table" and values or { values }) do
      local before = rawget(read, name)
      if before and is_once(name) then return nil, name end
      read[name] = before and before .. ", " .. tostring(value) or tostring(value)
    end
  end
  return read
end

return headers
