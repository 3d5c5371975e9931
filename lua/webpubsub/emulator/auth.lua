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

--- Compares secrets: takes the same time wherever the first difference is.
---@param a string
---@param b string
---@return boolean
function auth.equal(a, b)
  if #a ~= #b then
    return false
  end
  local difference = 0
  for index = 1, #a do
    difference = difference | (a:byte(index) ~ b:byte(index))
  end
  return difference == 0
end

--- A token with any claims.
---@param key string
---@param claims table as json.object() makes it, or a plain table
---@return string token
function auth.sign(key, claims)
  local text = HEADER .. "." .. base64.encode_url(json.encode(claims))
  return text .. "." .. signature(key, text)
end

--- A token for one REST request.
---@param key string
---@param url string the request's whole URL, as it goes over the wire
---@param now integer? seconds since 1970; the clock's by default
---@return string token
function auth.service_token(key, url, now)
  now = now or os.time()
  return auth.sign(key, json.object("aud", url, "iat", now, "exp", now + SERVICE_TOKEN_SECONDS))
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
  return auth.sign(key, json.object(
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

local AUDIENCE_SCHEMES = { http = true, https = true, ws = true, wss = true }

-- A token may be made for the URL of the endpoint or for that of the WebSocket, and before or behind a proxy that ends
-- TLS. So the four schemes count as one.
local function without_scheme(url)
  local scheme, rest = url:match("^(%a+)(://.*)$")
  return AUDIENCE_SCHEMES[scheme] and rest or url
end

local function has_audience(claim, audience)
  audience = without_scheme(audience)
  for _, one in ipairs(type(claim) == "table" and claim or { claim }) do
    if type(one) == "string" and without_scheme(one) == audience then
      return true
    end
  end
  return false
end

--- Checks a token.
---@param key string
---@param token string
---@param audience string what the `aud` claim has to be, byte for byte but for its scheme
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
  elseif not auth.equal(signature(key, header .. "." .. payload), signed) then
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
  elseif type(claims.nbf) == "number" and claims.nbf - CLOCK_SKEW_SECONDS > now then
    return nil, "The token is not valid yet"
  elseif not has_audience(claims.aud, audience) then
    return nil, "The audience is invalid"
  end
  return claims
end

return auth
