--- OData filters with the values quoted, so that no value can become part of the expression.

local core = require "webpubsub.core"

local function refuse(code, message)
  core.raise("argument", code, message, "filter", "filter")
end

-- How each type is written. The service knows strings, whole numbers, booleans and null.
local write = {
  string = function(value)
    return "'" .. value:gsub("'", "''") .. "'"
  end,
  number = function(value)
    if value ~= math.floor(value) or value < -2 ^ 53 or value > 2 ^ 53 then
      refuse("invalid", "a number in a filter must be whole and within 2^53; it is " .. tostring(value))
    end
    return ("%.0f"):format(value + 0) -- no sign for -0
  end,
  boolean = tostring,
  ["nil"] = function() return "null" end,
}

-- What stands between the placeholders must be complete by itself: a quote around a placeholder would undo ours, and
-- two literals without a blank between them are one: 'a''b' is a'b, and 1 before 2 is 12.
local function check_template(template)
  if type(template) ~= "string" then
    refuse("type", "a filter's template must be a string; it is a " .. type(template))
  end
  local plain = template:gsub("%%%%", "") -- a per cent sign is no placeholder
  if plain:gsub("'[^']*'", ""):find("'", 1, true) then
    refuse("invalid", "a quote in the filter's template is not closed")
  end
  for quoted in plain:gmatch "'[^']*'" do
    if quoted:find("%s", 1, true) then
      refuse("invalid", "%s stands within quotes in the filter's template; leave the quotes out: they are added")
    end
  end
  if plain:find "[%w_']%%s" or plain:find "%%s[%w_'%%]" then
    refuse("invalid", "each %s must stand by itself in the filter's template, not against a word, a quote or another "
      .. "%s")
  end
end

--- Makes a filter: each `%s` of the template stands for one value, `%%` for a per cent sign.
--
--     webpubsub.filter("userId eq %s and %s in groups", "vic's", "red")
--     --> userId eq 'vic''s' and 'red' in groups
--
---@param template string
---@param ... string|number|boolean|nil  strings are quoted; whole numbers, booleans and nil (null) go as they are
---@return string filter
local function filter(template, ...)
  check_template(template)
  local values, count, used = { ... }, select("#", ...), 0
  local text = template:gsub("%%(.?)", function(directive)
    if directive == "%" then return "%" end
    if directive ~= "s" then
      refuse("invalid", "a filter's template may have %s and %% only; it has %" .. directive)
    end
    used = used + 1
    local value = values[used]
    if used > count then
      refuse("missing", ("the filter's template has more placeholders than the %d values given"):format(count))
    end
    if not write[type(value)] then
      refuse("type", ("value %d of the filter must be a string, number, boolean or nil; it is a %s"):format(used,
        type(value)))
    end
    return write[type(value)](value)
  end)
  if used < count then
    refuse("invalid", ("the filter's template has %d placeholders for %d values"):format(used, count))
  end
  return text
end

return filter
