--- What the table of options cannot say of the values that it lets through.

local core = require "webpubsub.core"

local check = {}

--- Raises an `argument` error.
---@param argument string
---@param code string
---@param message string
---@param operation? string  default "events.new"
function check.refuse(argument, code, message, operation)
  core.raise("argument", code, message, argument, operation or "events.new")
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
      check.refuse(entry, "type", ("%s must be a string; it is a %s"):format(entry, type(value)))
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
