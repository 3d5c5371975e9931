--- Tokens of a credential function, kept until shortly before they expire.

local credential = {}

-- Seconds before a token's end when a new one is asked for, as the vendor's clients do.
local REFRESH_MARGIN = 300

-- Seconds between two tries to refresh while the old token is still good.
local REFRESH_PAUSE = 30

local SCOPES = { "https://webpubsub.azure.com/.default" }

--- What a credential function is asked for.
---@param claims string|nil  JSON the token must carry, after the service asked for it
function credential.request(claims)
  return { scopes = SCOPES, claims = claims }
end

-- Calls the credential; returns token and expiry, or nil and what was wrong with it.
local function ask(get_token, request)
  local ok, token, expires_at = pcall(get_token, request)
  if not ok then
    return nil, "the credential function failed: " .. tostring(token)
  end
  if token == nil and type(expires_at) == "string" then
    return nil, "the credential function gave no token: " .. expires_at
  end
  if type(token) ~= "string" or token == "" or token:find("[%c ]") then
    return nil, "the credential function must return a token, a string without blanks, and when it expires"
  end
  if type(expires_at) ~= "number" then
    return nil, "the credential function must return when the token expires, in seconds since the epoch, as its "
      .. "second value"
  end
  return token, expires_at
end

--- Wraps `get_token(request) -> token, expires_at` (seconds since the epoch) with a cache of one token.
-- The wrapper takes the request and the time; it returns the token, or nil with code and message. A refresh that
-- fails is forgiven while the old token is valid; a challenge is answered with a new token in any case.
---@param get_token fun(request: {scopes: string[], claims: string?}): string, number
function credential.cached(get_token)
  local token, expires_at, next_refresh = nil, 0, 0

  return function(request, now)
    if token and not request.claims and (now < expires_at - REFRESH_MARGIN or now < next_refresh) and now < expires_at
    then
      return token
    end
    local fresh, result = ask(get_token, request)
    if fresh then
      token, expires_at, next_refresh = fresh, result, 0
      return token
    end
    if token and not request.claims and now < expires_at then
      next_refresh = now + REFRESH_PAUSE
      return token
    end
    return nil, "credential", result
  end
end

return credential
