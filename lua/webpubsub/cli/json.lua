--- JSON as programs, tests and people like to read it: keys in order, no escaped slashes, and nothing in it that could
--- command a terminal.

local printable = require "webpubsub.printable"

local json = {}

local concat, sort = table.concat, table.sort

local MAX_DEPTH = 32

local escapes = { ['"'] = '\\"', ["\\"] = "\\\\", ["\n"] = "\\n", ["\r"] = "\\r", ["\t"] = "\\t" }

-- What `printable` shows as an escape, as JSON writes it. Bytes that are no UTF-8 have no place in JSON.
local function escaped(shown)
  local code = tonumber(shown:match "^\\u{(%x+)}$" or shown:match "^\\x(%x%x)$", 16)
  if shown:find "^\\x" and code >= 0x80 then code = 0xfffd end
  return ("\\u%04x"):format(code)
end

-- A run of bytes without quotes, backslashes and what has an escape of its own.
local function encode_run(run)
  return (printable(run):gsub("\\[ux]{?%x+}?", escaped))
end

local function encode_string(text)
  if not text:find '[^\32-\126]' and not text:find '["\\]' then return '"' .. text .. '"' end
  local parts = {}
  for run, special in text:gmatch '([^"\\\n\r\t]*)(["\\\n\r\t]?)' do
    parts[#parts + 1] = encode_run(run)
    parts[#parts + 1] = escapes[special]
  end
  return '"' .. concat(parts) .. '"'
end

-- As many digits as read back the same number; a comma of the locale is a point.
local function encode_number(number)
  if number ~= number or number == math.huge or number == -math.huge then return "null" end
  if number % 1 == 0 and number > -2 ^ 53 and number < 2 ^ 53 then return ("%.0f"):format(number) end
  local text = ("%.14g"):format(number):gsub(",", ".")
  if tonumber(text) == number then return text end
  return (("%.17g"):format(number):gsub(",", "."))
end

local encode

local function encode_table(value, depth)
  if depth > MAX_DEPTH then return "null" end
  local parts = {}
  if #value > 0 then
    for index = 1, #value do parts[index] = encode(value[index], depth) end
    return "[" .. concat(parts, ",") .. "]"
  end
  local names = {}
  for name in pairs(value) do names[#names + 1] = tostring(name) end
  sort(names)
  for index, name in ipairs(names) do parts[index] = encode_string(name) .. ":" .. encode(value[name], depth) end
  return "{" .. concat(parts, ",") .. "}"
end

function encode(value, depth)
  local kind = type(value)
  if kind == "string" then return encode_string(value) end
  if kind == "number" then return encode_number(value) end
  if kind == "boolean" then return tostring(value) end
  return kind == "table" and encode_table(value, depth + 1) or "null"
end

--- A value as one line of JSON; names are sorted, and what has no form in JSON is null.
---@param value any
---@return string
function json.encode(value)
  return encode(value, 0)
end

return json
