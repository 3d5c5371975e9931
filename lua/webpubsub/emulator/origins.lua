--- Which web sites may use the emulator from a browser. A browser sends the `Origin` of the site whose script makes the
-- request. Other programs send none; this does not protect from them.

local responses = require "webpubsub.emulator.responses"

local Origins = {}
Origins.__index = Origins

local origins = {}

local LOOPBACK_NAMES = { ["localhost"] = true, ["[::1]"] = true, ["::1"] = true }

--- Whether a host is this machine.
---@param host string a name or an address, IPv6 with or without brackets
---@return boolean
function origins.is_loopback(host)
  host = host:lower()
  return LOOPBACK_NAMES[host] or host:find("^127%.%d+%.%d+%.%d+$") ~= nil or host:find("%.localhost$") ~= nil
end

-- The owner of a name can point it at this machine (DNS rebinding); an address cannot be redirected.
local function is_address(host)
  return host:find("^%d+%.%d+%.%d+%.%d+$") ~= nil or host:find("^%[[%x:.]+%]$") ~= nil
end

local function host_of(authority)
  return authority:match("^(%[.*%])") or authority:match("^[^:]*")
end

--- Checks an option of the command line.
---@param text string
---@return boolean
function origins.is_valid(text)
  return text == "*" or text == "null" or text:find("^https?://[^/?#@%s]+$") ~= nil
end

---@param allowed string[]? besides those on this machine: `https://host[:port]`, `null`, or `*` for all
function origins.new(allowed)
  local set = {}
  for _, origin in ipairs(allowed or {}) do
    set[origin:lower()] = true
  end
  return setmetatable({ allowed = set }, Origins)
end

--- Whether a request comes from a page of the emulator itself, under a name that nobody else can use.
---@param headers table of lua-http
---@return boolean
function Origins:is_own(headers)
  local authority = (headers:get(":authority") or ""):lower()
  local origin = (headers:get("origin") or ""):lower()
  local host = host_of(authority)
  return origin == ("%s://%s"):format(headers:get(":scheme"), authority)
    and (origins.is_loopback(host) or is_address(host) or self.allowed[origin] == true)
end

--- The response to a request from a site that may not use the emulator.
---@param headers table
---@return EmulatorResponse|nil
function Origins:refuse(headers)
  local origin = headers:get("origin")
  local key = origin and origin:lower()
  if not origin or self.allowed["*"] or self.allowed[key] or self:is_own(headers) then
    return nil
  end
  local authority = key:match("^https?://([^/]*)$")
  if authority and origins.is_loopback(host_of(authority)) then
    return nil
  end
  return responses.error(403, "Error.Forbidden", ("The origin '%s' may not use this emulator unless it is started with "
    .. "--allow-origin '%s'."):format(origin, origin))
end

return origins
