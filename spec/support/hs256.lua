--- Checks tokens without the library, by OpenSSL's command line.

local calls = require("spec.support.calls")
local cjson = require("cjson").new()
local process = require("spec.support.process")

local hs256 = {}

local function signature(signing_input, key)
  local hex = key:gsub(".", function(byte) return ("%02x"):format(byte:byte()) end)
  local command = 'openssl dgst -sha256 -mac HMAC -macopt "hexkey:$0" -binary | openssl base64 -A'
  local result = process.run({ "sh", "-c", command, hex }, { stdin = signing_input })
  assert(result.code == 0, result.stderr)
  return (result.stdout:gsub("+", "-"):gsub("/", "_"):gsub("=", ""))
end

--- The claims of a token; raises where it was not signed with the key.
---@param token string
---@param key string
---@return table
function hs256.verify(token, key)
  local signing_input, payload, given = token:match("^([%w_-]+%.([%w_-]+))%.([%w_-]+)$")
  assert(signing_input, "not a compact token: " .. token)
  assert(given == signature(signing_input, key), "the token is signed with another key")
  return cjson.decode(calls.decode_base64url(payload))
end

return hs256
