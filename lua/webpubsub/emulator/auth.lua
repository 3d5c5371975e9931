--- Tokens as the service signs and checks them: HS256, keyed with the bytes of the access key's text.

local hmac = require "openssl.hmac"

local base64 = require "webpubsub.emulator.base64"
local json = require "webpubsub.emulator.json"

local auth = {}

--- A public constant, known from the vendor's local tools; it protects nothing.
auth.DEFAULT_KEY = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789ABCDEFGH"

local CLOCK_SKEW_SECONDS = 300
local SERVICE_TOKEN_SECONDS = 300
local CLIENT_TOKEN_SECONDS = 3600

local HEADER = base64.encode_url(tostring(json.object("alg", "HS256", "typ", "JWT")))

local function signature(key, text)
  return base64.encode_url(hmac.new(key, "sha256"):final(text))
end

-- Takes the same time wherever the first difference is.
local function equal(a, b)
  if #a ~= #b then
    return false
  end
  local difference = 0
  for index = 1, #a do
    difference = difference | (a:byte(index) ~ b:byte(index))
  end
  return difference == 0
end

local function sign(key, claims)
  local text = HEADER .. "." .. base64.encode_url(tostring(claims))
  return text .. "." .. signature(key, text)
end

--- A token for one REST request.
---@param key string
---@param url string the request's whole URL, as it goes over the wire
---@param now integer? seconds since 1970; the clock's by default
---@return string token
function auth.service_token(key, url, now)
  now = now or os.time()
  return sign(key, json.object("aud", url, "iat", now, "exp", now + SERVICE_TOKEN_SECONDS))
end

local function names(list)
  if list and #list > 0 then
    return json.array(list)
  end
end

--- A token with which a WebSocket client connects.
---@param key string
---@param options { audience: string, user: string?, roles: string[]?, groups: string[]?, seconds: integer? }
---@return string token
function auth.client_token(key, options)
  local now = os.time()
  return sign(key, json.object(
    "aud", options.audience,
    "iat", now,
    "exp", now + (options.seconds or CLIENT_TOKEN_SECONDS),
    "sub", options.user,
    "role", names(options.roles),
    "webpubsub.group", names(options.groups)))
end

local function decode_part(part)
  local text = base64.decode_url(part)
  local value = text and utf8.len(text) and json.decode(text)
  return type(value) == "table" and value or nil
end

local function has_audience(claim, audience)
  if type(claim) == "table" then
    for _, one in ipairs(claim) do
      if one == audience then
        return true
      end
    end
    return false
  end
  return claim == audience
end

--- Checks a token.
---@param key string
---@param token string
---@param audience string what the `aud` claim has to be, byte for byte
---@param now integer? seconds since 1970; the clock's by default
---@return table|nil claims
---@return string|nil description why the token is refused, for WWW-Authenticate
function auth.verify(key, token, audience, now)
  now = now or os.time()
  local header, payload, signed = token:match("^([^.]+)%.([^.]+)%.([^.]+)$")
  local head = header and decode_part(header)
  if not head then
    return nil, "The token is malformed"
  elseif head.alg ~= "HS256" then
    return nil, "The algorithm is invalid, HS256 is expected"
  elseif not equal(signature(key, header .. "." .. payload), signed) then
    return nil, "The signature is invalid"
  end
  local claims = decode_part(payload)
  if not claims then
    return nil, "The claims are malformed"
  elseif type(claims.exp) ~= "number" then
    return nil, "The token has no expiration time"
  elseif claims.exp + CLOCK_SKEW_SECONDS < now then
    return nil, "The token is expired"
  elseif type(claims.iat) == "number" and claims.iat - CLOCK_SKEW_SECONDS > now then
    return nil, "The token was issued in the future"
  elseif not has_audience(claims.aud, audience) then
    return nil, "The audience is invalid"
  end
  return claims
end

return auth
