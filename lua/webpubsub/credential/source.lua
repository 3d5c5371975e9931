--- Sources of tokens: functions of the program's, and identities of the core, which are asked over HTTP.

local driver = require "webpubsub.driver"
local plain = require "webpubsub.host.plain"

local source = {}

-- ---------------------------------------------------------------- functions

local SCOPES = { "https://webpubsub.azure.com/.default" }

-- What is later than this, in seconds since the epoch (the year 2286), is in another unit.
local LATEST = 1e10

-- Seconds; what is less is no time since the epoch, but how long the token lasts.
local LONGEST_DURATION = 1e8

local WHEN = "the credential function must return when the token expires, in seconds since the epoch, as its second "
  .. "value"

-- What is wrong with when a token expires; nil: nothing.
local function wrong_end(expires_at, wall)
  if type(expires_at) ~= "number" or expires_at ~= expires_at then return WHEN end
  if expires_at > LATEST and expires_at < math.huge then
    return WHEN .. "; this looks like milliseconds: divide it by 1000"
  elseif expires_at == math.huge then
    return WHEN .. "; this is infinite"
  elseif expires_at <= wall and expires_at >= 0 and expires_at < LONGEST_DURATION and wall > 2 * LONGEST_DURATION then
    return WHEN .. "; this looks like a duration: add os.time() to it"
  elseif expires_at <= wall then
    return WHEN .. "; this is in the past: the token has expired already"
  end
end

local Function = {}
Function.__index = Function

-- On Lua 5.1 nothing could wait within pcall; what the function raises in a coroutine there is raised.
local guard = plain.YIELDS_THROUGH_PCALL and pcall or function(action, argument)
  if not coroutine.running() then return pcall(action, argument) end
  return true, action(argument)
end

function Function:fetch(request)
  local wall = request.transport.wall()
  local ok, token, expires_at = guard(self.get_token, { scopes = SCOPES, claims = request.claims })
  if not ok then
    return nil, "credential", "the credential function failed: " .. tostring(token)
  elseif token == nil and type(expires_at) == "string" then
    return nil, "credential", "the credential function gave no token: " .. expires_at
  elseif type(token) ~= "string" or token == "" or token:find("[^\33-\126]") then
    return nil, "credential", "the credential function must return a token, a string without blanks, and when it "
      .. "expires"
  end
  local wrong = wrong_end(expires_at, wall)
  if wrong then return nil, "credential", wrong end
  return token, expires_at, 0
end

--- A source that is a function: `get_token{ scopes, claims }` returns a token and when it expires.
function source.of_function(get_token)
  return setmetatable({ get_token = get_token }, Function)
end

-- ---------------------------------------------------------------- identities

local Identity = {}
Identity.__index = Identity

local function transport_to(self, request)
  local origin, near = self.identity:origin()
  return request.reach(origin, near, self.thumbprint)
end

-- Sends a call; returns what is left of it where no answer came: nil, code, message and the seconds to wait.
local function send(self, call, transport, cancelled)
  local _, err = driver.run(call, { transport = transport }, nil, { withdrawn = cancelled })
  if not err or err.kind == "service" then return call, err end
  return nil, err.code, ("%s could not be asked for a token: %s"):format(self.name, err.message), err.retry_after
end

-- Azure Arc wants to see that its key file can be read.
local function prove(self, call, transport, cancelled)
  local again, code, message = self.identity:prove(call, self.folder)
  if not again then return nil, code, message end
  return send(self, again, transport, cancelled)
end

function Identity:fetch(request)
  local identity = self.identity
  local transport = transport_to(self, request)
  local call, code, message =
    identity:prepare(transport.wall(), request.claims, request.seconds, request.retries)
  if not call then return nil, code, message end
  local cancelled = request.cancelled
  local err, pause
  call, err, message, pause = send(self, call, transport, cancelled)
  if call and self.folder and err and err.status == 401 then
    call, err, message, pause = prove(self, call, transport, cancelled)
  end
  if not call then return nil, err, message, pause end
  return identity:answer(call, transport.wall())
end

--- Is anybody there at all? Asked with a short limit of time, where most often nobody is.
function Identity:answers(request, seconds)
  local transport = transport_to(self, request)
  local call, code, message = self.identity:probe(seconds)
  if not call then return nil, code, message end
  return send(self, call, transport, request.cancelled)
end

--- A source that is an identity of the core's.
---@param identity table  of core.identity
---@param name string  for people
---@param fields table|nil  `seconds` for a request; `folder` of key files, where Azure Arc is asked; `thumbprint`
---  of the server's certificate, where it is known by that
function source.of_identity(identity, name, fields)
  local self = setmetatable({ identity = identity, name = name }, Identity)
  for field, value in pairs(fields or {}) do self[field] = value end
  return self
end

-- ---------------------------------------------------------------- none

local Missing = {}
Missing.__index = Missing

function Missing:fetch()
  return nil, "unavailable", self.reason
end

--- A source that gives no tokens here, and says why.
function source.missing(reason)
  return setmetatable({ reason = reason }, Missing)
end

return source
