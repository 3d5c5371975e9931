--- Values between a spec and the scripted server: Lua's own literals, with a length in front.
--- Both sides may run different versions of Lua, so only what all of them read alike is written.

local wire = {}

local encoders = {}

local function encode(value)
  local encoder = encoders[type(value)]
  if not encoder then error("a " .. type(value) .. " cannot be sent to the scripted server", 0) end
  return encoder(value)
end

encoders["nil"] = tostring
encoders.boolean = tostring

function encoders.number(value)
  return ("%.17g"):format(value)
end

function encoders.string(value)
  return ("%q"):format(value)
end

function encoders.table(value)
  local fields = {}
  for key, field in pairs(value) do
    fields[#fields + 1] = ("[%s]=%s"):format(encode(key), encode(field))
  end
  return "{" .. table.concat(fields, ",") .. "}"
end

--- A value as Lua's own literal.
wire.encode = encode

local function load_value(text)
  local source = "return " .. text
  if setfenv then return setfenv(assert(loadstring(source)), {})() end -- luacheck: ignore 113 (Lua 5.1)
  return assert(load(source, "=wire", "t", {}))()
end

--- A message: the length of the value's text, a line feed, the text.
---@param value any nil, booleans, finite numbers, strings and tables of them
---@return string
function wire.pack(value)
  local text = encode(value)
  return #text .. "\n" .. text
end

--- Reads one message.
---@param read_line fun(): string?, string? the next line, without its line feed
---@param read_bytes fun(count: integer): string?, string?
---@return boolean ok
---@return any value or what went wrong
function wire.read(read_line, read_bytes)
  local line, problem = read_line()
  if not line then return false, problem end
  local length = assert(tonumber(line), "a message begins with its length")
  local text
  text, problem = read_bytes(length)
  if not text then return false, problem end
  return true, load_value(text)
end

return wire
