--- Text from outside, such that it can be shown in a terminal or a log line.

local floor, byte = math.floor, string.byte
local concat = table.concat

-- Code points that can change how other text is shown, besides those below U+00A0.
local directing = {
  [0x061c] = true, [0x200e] = true, [0x200f] = true, [0x2028] = true, [0x2029] = true,
  [0x202a] = true, [0x202b] = true, [0x202c] = true, [0x202d] = true, [0x202e] = true,
  [0x2066] = true, [0x2067] = true, [0x2068] = true, [0x2069] = true,
}

-- Where the following bytes of a character begin, by how many there are: overlong forms are invalid.
local smallest = { 0x80, 0x800, 0x10000 }

-- The character at a position. Returns its bytes and its code point, or 1 and nil where there is no valid UTF-8.
local function character_at(text, position)
  local first = byte(text, position)
  if first < 0x80 then return 1, first end
  local following = first >= 0xf0 and 3 or first >= 0xe0 and 2 or 1
  if first < 0xc2 or first > 0xf4 then return 1, nil end
  local code = first % 2 ^ (6 - following)
  for offset = 1, following do
    local next_byte = byte(text, position + offset)
    if not next_byte or next_byte < 0x80 or next_byte > 0xbf then return 1, nil end
    code = code * 64 + next_byte % 64
  end
  if code < smallest[following] or code > 0x10ffff or floor(code / 0x800) == 0xd800 / 0x800 then return 1, nil end
  return following + 1, code
end

-- How a character is shown.
local function shown(text, position)
  local length, code = character_at(text, position)
  if not code or code < 0x20 or code == 0x7f then return 1, ("\\x%02x"):format(byte(text, position)) end
  if code >= 0x80 and code < 0xa0 or directing[code] then return length, ("\\u{%x}"):format(code) end
  return length, text:sub(position, position + length - 1)
end

--- The text with everything in it that could command a terminal, forge a line or turn other text round shown as an
--- escape: control characters (C0, DEL, C1), bidirectional controls, line and paragraph separators, and bytes that are
--- no UTF-8. `\x1b` is a byte, `\u{202e}` a code point.
---@param text string
---@param maximum? integer  bytes that are returned, and "..." where there is more; default: no limit
---@return string
local function printable(text, maximum)
  maximum = maximum or math.huge
  if #text <= maximum and not text:find "[^\32-\126]" then return text end
  local parts, total, position = {}, 0, 1
  while position <= #text do
    local plain = text:match("^[\32-\126]+", position)
    local length, piece = #(plain or ""), plain
    if not plain then length, piece = shown(text, position) end
    if total + #piece > maximum then
      parts[#parts + 1] = plain and plain:sub(1, maximum - total) -- what is one character is shown whole or not at all
      parts[#parts + 1] = "..."
      break
    end
    parts[#parts + 1] = piece
    total, position = total + #piece, position + length
  end
  return concat(parts)
end

return printable
