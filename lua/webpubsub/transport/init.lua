--- The transport of a client: cosockets inside NGINX, libcurl elsewhere, or what the application brings, with the clock
--- of either.

local core = require "webpubsub.core"
local custom = require "webpubsub.transport.custom"

local transport = {}

-- It is loaded now, for a sandbox may take `require` away before a client is made; what keeps it from loading is said
-- then.
local nginx = rawget(_G, "ngx")
local loaded, native = pcall(require, "webpubsub.transport." .. (nginx and nginx.socket and "nginx" or "curl"))

--- A transport that sends to `origin`.
---@param origin string  scheme, host and port
---@param options webpubsub.Options
function transport.new(origin, options)
  if not loaded then error(native, 0) end
  local own = native.new(origin, options)
  local send = core.field(options, "transport")
  return send and custom.new(send, origin, own) or own
end

-- The client's options that hold for other servers, too.
local SHARED = { "ca_file", "connect_timeout", "transport" }

local LIMITS = { max_response_bytes = 262144, max_connections = 4, pool_size = 4 }

--- How a client reaches other servers than the service: `reach(origin, near, thumbprint)` returns a transport, always
--- the same one. What is near is reached without a proxy; with a thumbprint the certificate that has it is trusted, and
--- no other.
---@param options webpubsub.Options
---@return fun(origin: string, near: boolean, thumbprint: string?): table
function transport.reacher(options)
  local shared, proxy, transports = {}, core.field(options, "proxy"), {}
  for name, value in pairs(LIMITS) do shared[name] = value end
  for _, name in ipairs(SHARED) do shared[name] = core.field(options, name) end
  return function(origin, near, thumbprint)
    local key = origin .. (thumbprint or "")
    if not transports[key] then
      if thumbprint and shared.transport then
        core.raise("argument", "unsupported", "a transport of one's own cannot check a thumbprint", "transport")
      end
      shared.proxy, shared.thumbprint = proxy, thumbprint
      if near then shared.proxy = false end
      transports[key] = transport.new(origin, shared)
    end
    return transports[key]
  end
end

return transport
