--- What could follow what has been typed: globals, fields and methods, and the arguments of operations.

local core = require "webpubsub.core"

local completion = {}

local MAX_CLASSES = 10 -- that a value's fields are looked for in

-- ---------------------------------------------------------------- what methods take

-- The options of a place, such as "context".
local function options_of(place)
  local names = {}
  for _, option in ipairs(core.options(place)) do names[#names + 1] = option.name end
  return names
end

local CONTEXT, OPTIONS = options_of "context", options_of "new"

-- Arguments by method; the operations' come from their table.
local arguments_of = {
  client_access_url = options_of "client_access_url",
}
for _, operation in ipairs(core.operations()) do
  local names = {}
  for _, parameter in ipairs(operation.parameters) do names[#names + 1] = parameter.name end
  names[#names + 1] = "context"
  arguments_of[operation.name], arguments_of[operation.name .. "_async"] = names, names
end

local keywords = {}
for word in ([[and break do else elseif end false for function if in local nil not or repeat return then true until
  while]]):gmatch "%a+" do
  keywords[#keywords + 1] = word
end

-- ---------------------------------------------------------------- where the cursor stands

-- The end of the string that begins at `start`, or nil where it has none yet.
local function end_of_string(text, start)
  local quote, position = text:sub(start, start), start + 1
  while position <= #text do
    local char = text:sub(position, position)
    if char == quote then return position end
    position = position + (char == "\\" and 2 or 1)
  end
end

-- The braces that are open at the end of the text, each with what stands before it and where its last entry begins.
-- Returns nil within a string.
local function open_braces(text)
  local open, position = {}, 1
  while position <= #text do
    local char = text:sub(position, position)
    if char == '"' or char == "'" then
      position = end_of_string(text, position)
      if not position then return nil end
    elseif char == "{" or char == "(" or char == "[" then
      open[#open + 1] = { brace = char, before = text:sub(1, position - 1), entry = position + 1 }
    elseif char == "}" or char == ")" or char == "]" then
      open[#open] = nil
    elseif (char == "," or char == ";") and open[#open] then
      open[#open].entry = position + 1
    end
    position = position + 1
  end
  return open
end

-- The names that an entry of the innermost table may have, where that table is an operation's.
local function named_arguments(text)
  local open = open_braces(text)
  local innermost = open and open[#open]
  if not innermost or innermost.brace ~= "{" then return nil end
  if not text:sub(innermost.entry):find "^%s*[%a_]?[%w_]*$" then return nil end
  if innermost.before:find "context%s*=%s*$" then return CONTEXT end
  if innermost.before:find "%f[%w_]webpubsub%.new%s*%(?%s*$" then return OPTIONS end
  local method = innermost.before:match ":%s*([%a_][%w_]*)%s*%(?%s*$"
  return method and arguments_of[method]
end

-- ---------------------------------------------------------------- names in scope

-- The tables that fields are looked up in: the value itself, and those of its class.
local function tables_of(value)
  local tables = {}
  while value ~= nil and #tables < MAX_CLASSES do
    if type(value) == "table" then tables[#tables + 1] = value end
    local metatable = debug.getmetatable(value)
    local index = metatable and rawget(metatable, "__index")
    value = type(index) == "table" and index or nil
  end
  return tables
end

-- The value of a path such as webpubsub.new, read raw, so that nothing runs.
local function resolve(path)
  local value = _G
  for name in path:gmatch "[^.]+" do
    local found
    for _, fields in ipairs(tables_of(value)) do
      if found == nil then found = rawget(fields, name) end
    end
    value = found
    if value == nil then return nil end
  end
  return value
end

local function names_of(value, only_functions)
  local names, seen = {}, {}
  for _, fields in ipairs(tables_of(value)) do
    for name, field in next, fields do
      local is_name = type(name) == "string" and name:find "^[%a_][%w_]*$" and not name:find "^__" and not seen[name]
      if is_name and (not only_functions or type(field) == "function") then
        names[#names + 1], seen[name] = name, true
      end
    end
  end
  return names
end

local function names_in_scope(text)
  local path, separator = text:match "([%a_][%w_.]*)%s*([.:])[%w_]*$"
  if path then return names_of(resolve(path), separator == ":") end
  local names = names_of(_G)
  for _, word in ipairs(keywords) do names[#names + 1] = word end
  return names
end

-- ---------------------------------------------------------------- completing

-- What is put in behind a name that is the only one.
local function suffix_of(text, name, is_argument)
  if is_argument then return " = " end
  return text:find ":[%w_]*$" and arguments_of[name] and " { " or ""
end

--- The words that could stand where `word` does.
---@param text string  everything up to the cursor
---@param word string  the end of it, as the editor sees words
---@return string[] sorted; each begins with `word`; a single one has what follows it appended
function completion.complete(text, word)
  local partial = text:match "[%a_]?[%w_]*$"
  if #partial > #word then return {} end
  local kept = word:sub(1, #word - #partial)
  local arguments = named_arguments(text)
  local matches = {}
  for _, name in ipairs(arguments or names_in_scope(text)) do
    if name:sub(1, #partial) == partial then matches[#matches + 1] = name end
  end
  table.sort(matches)
  if #matches == 1 then matches[1] = matches[1] .. suffix_of(text, matches[1], arguments ~= nil) end
  for index, name in ipairs(matches) do matches[index] = kept .. name end
  return matches
end

return completion
