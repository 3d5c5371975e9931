--- The functions a filter may call. Positions and lengths count characters, from 0, as OData has them.
-- No function is called with null: a function of null is null.

-- Ids are valid UTF-8 by the time they get here, so utf8.len() and utf8.offset() cannot fail.
local function slice(text, start, length)
  local count = utf8.len(text)
  local from = math.min(math.max(start, 0), count)
  local to = math.min(from + math.max(length or count, 0), count)
  return text:sub(utf8.offset(text, from + 1), utf8.offset(text, to + 1) - 1)
end

local function index_of(text, part)
  local at = text:find(part, 1, true)
  return at and utf8.len(text, 1, at - 1) or -1
end

local function length(value)
  if type(value) == "string" then
    return utf8.len(value)
  end
  local count = 0
  for _ in pairs(value) do
    count = count + 1
  end
  return count
end

local function starts_with(text, prefix)
  return text:sub(1, #prefix) == prefix
end

local function ends_with(text, suffix)
  return suffix == "" or text:sub(-#suffix) == suffix
end

local function define(result, parameters, apply, required)
  required = required or #parameters
  return {
    result = result, parameters = parameters, required = required, apply = apply,
    arity = required == #parameters and tostring(required) or ("%d to %d"):format(required, #parameters),
  }
end

return {
  startswith = define("bool", { "string", "string" }, starts_with),
  endswith = define("bool", { "string", "string" }, ends_with),
  contains = define("bool", { "string", "string" }, function(text, part) return index_of(text, part) >= 0 end),
  indexof = define("int", { "string", "string" }, index_of),
  length = define("int", { "string groups" }, length),
  substring = define("string", { "string", "int", "int" }, slice, 2),
  concat = define("string", { "string", "string" }, function(a, b) return a .. b end),
  tolower = define("string", { "string" }, string.lower),
  toupper = define("string", { "string" }, string.upper),
  trim = define("string", { "string" }, function(text) return text:match("^%s*(.-)%s*$") end),
}
