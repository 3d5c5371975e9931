--- Values as readable text of bounded size.

local printable = require("webpubsub.cli.terminal").printable

local pretty = {}

local MAX_DEPTH = 3
local MAX_ENTRIES = 40 -- of one table
local MAX_TEXT = 2000 -- bytes of one string
local LINE_COLUMNS = 80

local keywords = {}
for word in ([[and break do else elseif end false for function goto if in local nil not or repeat return then true
  until while]]):gmatch "%a+" do
  keywords[word] = true
end

local escapes = { ["\n"] = "\\n", ["\r"] = "\\r", ["\t"] = "\\t", ["\\"] = "\\\\", ['"'] = '\\"' }

-- The cut never stands within a character.
local function shorten(text)
  if #text <= MAX_TEXT then return text end
  return ("%s... (%d bytes)"):format((text:sub(1, MAX_TEXT):gsub("[\194-\244][\128-\191]*$", "")), #text)
end

local function quoted(text)
  return '"' .. printable((shorten(text):gsub('[\n\r\t\\"]', escapes))) .. '"'
end

-- A string by itself: lines stay lines, but nothing may command the terminal.
local function bare(text)
  return (shorten(text):gsub("[^\n\t]+", function(run) return printable(run) end))
end

local function by_type_and_value(one, other)
  if type(one) ~= type(other) then return type(one) < type(other) end
  if type(one) == "number" or type(one) == "string" then return one < other end
  return tostring(one) < tostring(other)
end

-- Keys that are not in the list part, sorted.
local function named_keys(value, length)
  local keys = {}
  for key in next, value do
    local in_list = type(key) == "number" and key >= 1 and key <= length and key % 1 == 0
    if not in_list then keys[#keys + 1] = key end
  end
  table.sort(keys, by_type_and_value)
  return keys
end

local write

local function write_key(key, depth, seen)
  if type(key) == "string" and key:find "^[%a_][%w_]*$" and not keywords[key] then return key end
  return "[" .. write(key, depth, seen) .. "]"
end

local function entries_of(value, depth, seen)
  local entries, length = {}, #value
  for index = 1, math.min(length, MAX_ENTRIES) do
    entries[index] = write(rawget(value, index), depth + 1, seen)
  end
  local keys = named_keys(value, length)
  for _, key in ipairs(keys) do
    if #entries >= MAX_ENTRIES then break end
    entries[#entries + 1] = write_key(key, depth + 1, seen) .. " = " .. write(rawget(value, key), depth + 1, seen)
  end
  local left_out = length + #keys - #entries
  if left_out > 0 then entries[#entries + 1] = ("... (%d more)"):format(left_out) end
  return entries
end

local function write_table(value, depth, seen)
  if seen[value] then return "(itself)" end
  if next(value) == nil then return "{}" end
  if depth >= MAX_DEPTH then return "{...}" end
  seen[value] = true
  local entries = entries_of(value, depth, seen)
  seen[value] = nil
  local line = "{ " .. table.concat(entries, ", ") .. " }"
  if #line + 2 * depth <= LINE_COLUMNS and not line:find("\n", 1, true) then return line end
  local indent = ("  "):rep(depth + 1)
  return "{\n" .. indent .. table.concat(entries, ",\n" .. indent) .. "\n" .. ("  "):rep(depth) .. "}"
end

function write(value, depth, seen)
  if type(value) == "string" then return quoted(value) end
  local metatable = debug.getmetatable(value)
  if type(value) == "table" and not (metatable and rawget(metatable, "__tostring")) then
    return write_table(value, depth, seen)
  end
  local ok, text = pcall(tostring, value)
  return bare(ok and text or "(" .. type(value) .. " that cannot be printed)")
end

--- One value as text. Values that say how they print, such as responses and errors, print that way.
---@return string
function pretty.format(value)
  if type(value) == "string" then return bare(value) end
  return write(value, 0, {})
end

return pretty
