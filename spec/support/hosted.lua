--- Has a transport of the specs wait as libcurl's does: in a coroutine for a background engine that a spec makes up.

local host = require("webpubsub.host")

local hosted = {}

--- `transport.submit(call)` must return an exchange, and `background` have the functions of curl.background().
---@param transport table
---@param background table
function hosted.attach(transport, background)
  local in_place, nap, next_finished = transport.exchange, transport.sleep, background.next
  transport.host = host.of(background, transport.now)

  local free, count = {}, 0 -- slots

  function background.next()
    local exchange = next_finished()
    if not exchange then return nil end
    exchange.is_out = true
    free[#free + 1] = exchange.slot
    return exchange, exchange.slot
  end

  function transport.exchange(call, cancelled)
    local world, place = transport.host:here()
    if not world and in_place then return in_place(call, cancelled) end
    local exchange = transport.submit(call)
    if #free == 0 then count = count + 1 end
    exchange.slot = table.remove(free) or count
    function exchange:done() return self.is_out end
    if transport.host:await(world, place, exchange, exchange.slot, cancelled) then
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
