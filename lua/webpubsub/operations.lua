--- Looking for an operation by its name.

local core = require "webpubsub.core"

local operations = {}

--- The row of an operation; or nil and what to say behind the name that there is no such.
---@param name any
---@return table|nil row
---@return string|nil hint
function operations.find(name)
  local names = {}
  for index, row in ipairs(core.operations()) do
    if row.name == name then return row end
    names[index] = row.name
  end
  local meant = core.nearest(tostring(name), names)
  return nil, meant and "; did you mean \"" .. meant .. "\"?" or ""
end

--- The row of an operation that is an argument of a method; what is wrong with it is that method's error.
---@param name any
---@param method string
---@return table
function operations.check(name, method)
  local row, hint = operations.find(name)
  if row then return row end
  core.raise("argument", "unknown", ("there is no operation \"%s\"%s"):format(tostring(name), hint), "operation",
    method)
end

return operations
