--- The library's request for clients that do not sign: made, with a token of its own, for each call. OpenSSL signs, and
--- the library's base64 is at hand to all.

local core = require "webpubsub.core"
local hmac = require "openssl.hmac"

local KEY, LIFETIME, FIRST_USER = "a key of the usual length, 44 characters long", 300, 1000
local HEADER = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9." -- {"alg":"HS256","typ":"JWT"}
local QUERY = "/:closeConnections?api-version=2024-12-01&excluded=conn-1&reason=signed%20in%20elsewhere"

local URL_SAFE = { ["+"] = "-", ["/"] = "_", ["="] = "" }

local function base64url(bytes)
  return (core.base64(bytes):gsub("[+/=]", URL_SAFE))
end

local function sign(url)
  local now = os.time()
  local text = HEADER .. base64url(('{"aud":"%s","iat":%d,"exp":%d}'):format(url, now, now + LIFETIME))
  return text .. "." .. base64url(hmac.new(KEY, "sha256"):final(text))
end

--- One more request to the origin.
---@param origin string
---@param number integer
---@return { url: string, target: string, headers: string[][] }
return function(origin, number)
  local target = "/api/hubs/bench/users/user-" .. FIRST_USER + number .. QUERY
  return {
    url = origin .. target, target = target,
    headers = {
      { "accept", "application/json" },
      { "user-agent", "lua-webpubsub/0.1.0 (Lua 5.4)" },
      { "x-ms-client-request-id", ("00000000-0000-4000-8000-%012d"):format(number) },
      { "authorization", "Bearer " .. sign(origin .. target) },
      { "content-length", "0" },
    },
  }
end
