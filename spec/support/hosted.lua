--- Has a transport of the specs wait as libcurl's does: in a coroutine for a background engine that a spec makes up.

local host = require("webpubsub.host")

local hosted = {}

--- `transport.submit(call)` must return an exchange, and `background` have the functions of curl.background().
---@param transport table
---@param background table
function hosted.attach(transport, background)
  local in_place, nap = transport.exchange, transport.sleep
  transport.host = host.of(background, transport.now)

  function transport.exchange(call, cancelled)
    local world, place = transport.host:here()
    if not world and in_place then return in_place(call, cancelled) end
    local exchange = transport.submit(call)
    if transport.host:await(world, place, exchange, cancelled) then
      return nil, "cancelled", "cancelled", "the call was cancelled"
    end
    local status, received, content, message = exchange:result()
    if not status then return nil, received, content, message end
    return call:deliver(status, received, content)
  end

  function transport.sleep(seconds, cancelled)
    local world, place = transport.host:here()
    if not world then return nap(seconds) end
    return transport.host:sleep(world, place, transport.now() + seconds, cancelled)
  end
end

return hosted
