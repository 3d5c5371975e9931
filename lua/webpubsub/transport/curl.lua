--- The transport that is libcurl: in the caller's thread where a wait would hold up everything anyway, and else in a
--- thread of its own.

local core = require "webpubsub.core"
local curl = require "webpubsub.curl"
local host = require "webpubsub.host"

local transport = {}

-- Seconds in libcurl between two looks at the caller's `cancel`, and without one between two chances for a debug hook
-- (Ctrl-C at a prompt) to run.
local CANCEL_SLICE, HOOK_SLICE = 0.05, 1

local function withdrawn()
  return nil, "cancelled", "cancelled", "the call was cancelled"
end

local function sleep_in_place(wake, cancelled)
  local seconds = wake - curl.now()
  while seconds > 0 and not (cancelled and cancelled()) do
    curl.sleep(math.min(seconds, cancelled and CANCEL_SLICE or HOOK_SLICE))
    seconds = wake - curl.now()
  end
end

--- A transport that sends to `origin`.
---@param origin string  scheme, host and port
---@param options webpubsub.Options
function transport.new(origin, options)
  local profile, kind, code, why, argument = curl.profile {
    origin = origin,
    thumbprint = core.field(options, "thumbprint"), -- not a client's; see transport.reacher
    ca_file = core.field(options, "ca_file"),
    client_cert = core.field(options, "client_cert"),
    client_key = core.field(options, "client_key"),
    client_key_password = core.field(options, "client_key_password"),
    proxy = core.field(options, "proxy"),
    connect_timeout = core.field(options, "connect_timeout"),
    max_response_bytes = core.field(options, "max_response_bytes"),
    max_header_bytes = core.field(options, "max_header_bytes"),
    max_connections = core.field(options, "max_connections"),
    idle_timeout = core.field(options, "idle_timeout"),
    max_connection_age = core.field(options, "max_connection_age"),
  }
  if not profile then core.raise(kind, code, why, argument, "new") end

  local background = curl.background()
  local here = host.of(background, curl.now)
  local spent -- one exchange object serves one call after the other

  local function exchange_in_place(call, cancelled)
    local running, reason, word, message = curl.start(profile, call, spent)
    if not running then return nil, reason, word, message end
    spent = nil
    while not running:step(cancelled and CANCEL_SLICE or HOOK_SLICE) do
      if cancelled and cancelled() then
        running:cancel()
        return withdrawn()
      end
    end
    spent = running
    return running:deliver(call)
  end

  local function exchange(call, cancelled)
    local world, place = here:here()
    if not world then return exchange_in_place(call, cancelled) end
    local running, slot, word, message = background:submit(profile, call)
    if not running then return nil, slot, word, message end
    if here:await(world, place, running, slot, cancelled) then return withdrawn() end
    return running:deliver(call)
  end

  local function sleep(seconds, cancelled)
    local world, place = here:here()
    local wake = curl.now() + seconds
    if world then return here:sleep(world, place, wake, cancelled) end
    return sleep_in_place(wake, cancelled)
  end

  return { now = curl.now, wall = curl.time, sleep = sleep, exchange = exchange, host = here }
end

return transport
