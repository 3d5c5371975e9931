--- Refuses tables of named values that hold unknown names or values of the wrong type.

local core = require "webpubsub.core"

local check = {}

--- Raises an `argument` error.
---@param argument string
---@param code string
---@param message string
function check.refuse(argument, code, message)
  core.raise("argument", code, message, argument, "events.new")
end

local function article(word)
  return (word:find("^[aeiou]") and "an " or "a ") .. word
end

local function unknown(name, types, where)
  local names = {}
  for known in pairs(types) do names[#names + 1] = known end
  local meant = core.nearest(tostring(name), names)
  check.refuse(tostring(name), "unknown", ("%s has no \"%s\"%s"):format(where, tostring(name),
    meant and "; did you mean \"" .. meant .. "\"?" or ""))
end

--- Raises unless all of a table's names are known, and their values of the type that is named for them.
---@param given table
---@param types table<string, string>  such as "string", "string or table" or "any"
---@param where string  what errors call the table
function check.fields(given, types, where)
  if type(given) ~= "table" then
    check.refuse(where, "type", ("%s must be a table of named values; it is %s"):format(where, article(type(given))))
  end
  for name in pairs(given) do
    local expected = types[name]
    if not expected then unknown(name, types, where) end
    local value = core.field(given, name) -- nil for a null
    if value ~= nil and expected ~= "any" and not (" " .. expected .. " "):find(" " .. type(value) .. " ", 1, true) then
      check.refuse(name, "type", ("%s must be %s; it is %s"):format(name, article(expected), article(type(value))))
    end
  end
end

--- Raises unless a value is nil or a list of strings; returns a copy.
---@param list table|nil
---@param name string
---@return string[]|nil
function check.strings(list, name)
  if list == nil then return nil end
  local copy, entries = {}, 0
  for index, value in ipairs(list) do
    if type(value) ~= "string" then
      local entry = ("%s[%d]"):format(name, index)
      check.refuse(entry, "type", ("%s must be a string; it is %s"):format(entry, article(type(value))))
    elseif value == "" then
      check.refuse(name, "empty", ("%s[%d] must not be empty"):format(name, index))
    end
    copy[index] = value
  end
  for _ in pairs(list) do entries = entries + 1 end
  if entries ~= #copy then
    check.refuse(name, "type",
      ("%s must be a list of strings, { \"...\", \"...\" }, without holes or names"):format(name))
  end
  return copy
end

return check
