--- Base64 in its two alphabets: the standard one, padded, for binary messages; base64url, unpadded, for tokens.
-- Messages of 1 MiB pass through here while other connections wait, so both directions work on whole words.

local base64 = {}

local STANDARD = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"

-- Two characters for each 12-bit number.
local pairs_of = {}
for high = 0, 63 do
  for low = 0, 63 do
    pairs_of[high << 6 | low] = STANDARD:sub(high + 1, high + 1) .. STANDARD:sub(low + 1, low + 1)
  end
end

local value_of = {}
for index = 1, #STANDARD do
  value_of[STANDARD:byte(index)] = index - 1
end

local TO_URL = { ["+"] = "-", ["/"] = "_", ["="] = "" }
local FROM_URL = { ["-"] = "+", ["_"] = "/" }

---@param bytes string
---@return string text standard alphabet, padded
function base64.encode(bytes)
  local padding = -#bytes % 3
  local padded = bytes .. ("\0"):rep(padding)
  local out = {}
  for at = 1, #padded, 3 do
    local word = string.unpack(">I3", padded, at)
    out[#out + 1] = pairs_of[word >> 12]
    out[#out + 1] = pairs_of[word & 0xFFF]
  end
  local text = table.concat(out)
  return text:sub(1, #text - padding) .. ("="):rep(padding)
end

---@param text string standard alphabet, padded
---@return string|nil bytes nil when the text is not canonical base64
function base64.decode(text)
  if #text % 4 ~= 0 or not text:find("^[A-Za-z0-9+/]*=?=?$") then
    return nil
  end
  local characters = text:gsub("=", "A")
  local out = {}
  for at = 1, #characters, 4 do
    local a, b, c, d = characters:byte(at, at + 3)
    local word = value_of[a] << 18 | value_of[b] << 12 | value_of[c] << 6 | value_of[d]
    out[#out + 1] = string.pack(">I3", word)
  end
  local padding = #text:match("=*$")
  local bytes = table.concat(out)
  return bytes:sub(1, #bytes - padding)
end

---@param bytes string
---@return string text base64url without padding
function base64.encode_url(bytes)
  return (base64.encode(bytes):gsub("[+/=]", TO_URL))
end

---@param text string base64url without padding
---@return string|nil bytes nil when the text is not base64url
function base64.decode_url(text)
  if text:find("[^A-Za-z0-9_-]") then
    return nil
  end
  return base64.decode(text:gsub("[-_]", FROM_URL) .. ("="):rep(-#text % 4))
end

return base64
