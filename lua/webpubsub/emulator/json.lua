--- JSON the way a relay needs it: members keep the order they are written in, and what one client sent reaches
-- another byte for byte. lua-cjson alone would turn `[]` into `{}` and round large numbers.

local cjson = require("cjson").new()
cjson.decode_invalid_numbers(false)

local json = { null = cjson.null }

local Raw = {}

--- Marks text that already is JSON.
---@param text string
function json.raw(text)
  return setmetatable({ text = text }, Raw)
end

---@param text string
---@return any value nil when the text is not JSON
---@return string|nil message what is wrong with it
function json.decode(text)
  local decoded, value = pcall(cjson.decode, text)
  if decoded then
    return value
  end
  return nil, (tostring(value):gsub("^[^:]*:%d+: ", ""))
end

--- The text of a value: of one marked as JSON, its own.
---@param value any
---@return string
function json.encode(value)
  if getmetatable(value) == Raw then
    return value.text
  elseif math.type(value) == "integer" then
    return ("%d"):format(value)
  end
  -- lua-cjson escapes every "/", which JSON allows and nobody likes to read.
  return (cjson.encode(value):gsub("\\/", "/"))
end

--- An object of the given names and values, in that order; a member whose value is nil is left out.
---@param ... any name, value, name, value, …
---@return table raw JSON text marked as such; tostring() gives the text
function json.object(...)
  local members = {}
  for index = 1, select("#", ...), 2 do
    local name, value = select(index, ...)
    if value ~= nil then
      members[#members + 1] = json.encode(name) .. ":" .. json.encode(value)
    end
  end
  return json.raw("{" .. table.concat(members, ",") .. "}")
end

--- An object of a table's members, ordered by their names.
---@param members table<string, any>
---@return table raw
function json.map(members)
  local names, texts = {}, {}
  for name in pairs(members) do
    names[#names + 1] = name
  end
  table.sort(names)
  for index, name in ipairs(names) do
    texts[index] = json.encode(name) .. ":" .. json.encode(members[name])
  end
  return json.raw("{" .. table.concat(texts, ",") .. "}")
end

---@param values any[]
---@return table raw
function json.array(values)
  local elements = {}
  for index, value in ipairs(values) do
    elements[index] = json.encode(value)
  end
  return json.raw("[" .. table.concat(elements, ",") .. "]")
end

function Raw:__tostring()
  return self.text
end

-- The position after the string that opens at `at`.
local function after_string(text, at)
  repeat
    at = text:find('["\\]', at + 1)
    local escaped = text:byte(at) == 0x5C
    if escaped then
      at = at + 1
    end
  until not escaped
  return at + 1
end

-- The position after the value that starts at `at`.
local function after_value(text, at)
  if text:find('^"', at) then
    return after_string(text, at)
  elseif not text:find("^[{[]", at) then
    return text:find("[%s,}%]]", at)
  end
  local depth = 0
  repeat
    at = text:find('["{}%[%]]', at)
    local character = text:sub(at, at)
    if character == '"' then
      at = after_string(text, at)
    else
      depth = depth + ((character == "{" or character == "[") and 1 or -1)
      at = at + 1
    end
  until depth == 0
  return at
end

--- The text of one member of an object, exactly as it was written.
---@param text string an object which json.decode() has accepted
---@param name string
---@return string|nil text nil when there is no such member
function json.member(text, name)
  local at = text:find('["}]', text:find("{", 1, true) + 1)
  while text:byte(at) == 0x22 do
    local key_end = after_string(text, at)
    local key = cjson.decode("[" .. text:sub(at, key_end - 1) .. "]")[1]
    local value_start = text:match("^%s*:%s*()", key_end)
    local value_end = after_value(text, value_start)
    if key == name then
      return text:sub(value_start, value_end - 1)
    end
    at = text:find('["}]', value_end)
  end
  return nil
end

return json
