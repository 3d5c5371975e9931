--- Text from outside, made fit for a terminal and for a line of a log.

local byte, find, format, sub = string.byte, string.find, string.format, string.sub
local concat, huge = table.concat, math.huge

-- The first and last second byte after each first byte of a UTF-8 sequence (RFC 3629), where it is not 0x80 to 0xbf.
local narrow = { [0xe0] = { 0xa0, 0xbf }, [0xed] = { 0x80, 0x9f }, [0xf0] = { 0x90, 0xbf }, [0xf4] = { 0x80, 0x8f } }
local any = { 0x80, 0xbf }

-- How many bytes the sequence that begins at `position` has, and its code point; nil where it is not UTF-8.
local function sequence_at(text, position)
  local first = byte(text, position)
  if first < 0x80 then return 1, first end
  local length = first >= 0xc2 and first <= 0xdf and 2 or first >= 0xe0 and first <= 0xef and 3
    or first >= 0xf0 and first <= 0xf4 and 4 or nil
  if not length then return nil end
  local point = first % 2 ^ (7 - length)
  local range = narrow[first] or any
  for index = position + 1, position + length - 1 do
    local following = byte(text, index)
    if not following or following < range[1] or following > range[2] then return nil end
    point, range = point * 64 + following - 0x80, any
  end
  return length, point
end

-- C1 controls, marks and overrides of direction, separators of lines: what a reader cannot see, or sees elsewhere.
local function is_hidden(point)
  return point >= 0x80 and point <= 0x9f or point == 0x61c or point == 0x200e or point == 0x200f
    or point >= 0x2028 and point <= 0x202e or point >= 0x2066 and point <= 0x2069
end

-- The piece of `text` at `position` as it is shown, and where the next one begins.
local function piece_at(text, position)
  local length, point = sequence_at(text, position)
  if not length then return format("\\x%02x", byte(text, position)), position + 1 end
  if point < 0x20 or point == 0x7f then return format("\\x%02x", point), position + 1 end
  if is_hidden(point) then return format("\\u{%x}", point), position + length end
  return sub(text, position, position + length - 1), position + length
end

--- The text as one line: control characters, invisible marks of direction and bytes that are not UTF-8 are shown as
--- escapes such as `\x1b` and `\u{202e}`.
---@param text string
---@param maximum? integer  bytes of the result, before the "..." that ends a text that is longer; default: no limit
---@return string
return function(text, maximum)
  maximum = maximum or huge
  if #text <= maximum and not find(text, "[^\32-\126]") then return text end
  local pieces, length, position = {}, 0, 1
  while position <= #text do
    local piece, following = piece_at(text, position)
    length = length + #piece
    if length > maximum then
      pieces[#pieces + 1] = "..."
      break
    end
    pieces[#pieces + 1] = piece
    position = following
  end
  return concat(pieces)
end
