--- Exchanges without a stream: specs play the stream, and time is what they say it is.

local core = require("webpubsub.core")

local exchanges = {}

exchanges.AUTHORITY = "contoso.example"

--- A new exchange object.
---@param options? { connect_timeout?: number, max_header_bytes?: integer, max_response_bytes?: integer }
function exchanges.new(options)
  options = options or {}
  return core.exchange(exchanges.AUTHORITY, options.connect_timeout or 5, options.max_header_bytes,
    options.max_response_bytes)
end

--- Begins an exchange at time 0, or at `now`; returns its first move.
---@param x table
---@param request { method?: string, target?: string, host?: string, headers?: string, body?: string, seconds?: number,
---  patience?: number, now?: number, fresh?: boolean }
function exchanges.begin(x, request)
  return x:begin_request(request.method or "POST", request.target or "/", request.host or exchanges.AUTHORITY,
    request.headers or "", request.body, request.seconds or 15, request.patience or 60, request.fresh, request.now or 0)
end

--- Begins an exchange and writes its whole request, on a new connection unless it is said to be `kept`.
function exchanges.send(x, request)
  assert(exchanges.begin(x, request) == "connect")
  assert(x:connected(request.kept, request.now or 0) == "write")
  assert(x:wrote(#x:outgoing()) == "read")
end

return exchanges
