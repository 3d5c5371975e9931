--- A transport for many calls at a time: its clock moves only while somebody waits, and each exchange ends when it is
--- said to. What the transport saw is in its fields.
---
---     local transport = concurrent_transport.new(function(request) return { status = 204, takes = 0.2 } end)
---     each(concurrent_transport.client(transport), …)
---     transport.requests     -- in order, each with the time `at` which it was sent
---     transport.peak         -- the most that were under way at one time
---     transport.cancelled    -- how many were withdrawn

local calls = require("spec.support.calls")
local core = require("webpubsub.core")

local TAKES_SECONDS = 0.01 -- unless an answer says otherwise

local Exchange = {}
Exchange.__index = Exchange

local concurrent_transport = {}

--- A transport whose requests are answered as `answer(request)` says: as a fake_transport.Answer. `nil` is a 204.
---@param answer? fun(request: { index: integer, target: string, at: number }): table?
function concurrent_transport.new(answer)
  local transport = { requests = {}, naps = 0, under_way = 0, peak = 0, cancelled = 0, running = {} }
  local clock = 1000

  function transport.now() return clock end
  function transport.wall() return calls.WALL + clock - 1000 end

  function transport.sleep(seconds)
    assert(seconds > 0, "somebody waits for nothing, again and again")
    transport.naps = transport.naps + 1
    clock = clock + seconds
  end

  --- Lets time pass until the next exchange ends, or for so many seconds.
  function transport.wait(seconds)
    local wake = clock + seconds
    for exchange in pairs(transport.running) do
      if exchange.ends > clock then wake = math.min(wake, exchange.ends) end
    end
    clock = wake
  end

  function transport.start(method, target, headers, body, seconds, once)
    local request = { index = #transport.requests + 1, at = clock, method = method, target = target, body = body,
      headers = core.headers(headers), seconds = seconds, once = once }
    transport.requests[request.index] = request
    local given = answer and answer(request) or {}
    local ends = clock + (given.takes or TAKES_SECONDS)
    local exchange = setmetatable({ transport = transport, answer = given, ends = ends }, Exchange)
    transport.running[exchange] = true
    transport.under_way = transport.under_way + 1
    transport.peak = math.max(transport.peak, transport.under_way)
    return exchange
  end

  return transport
end

function Exchange:done()
  return self.transport.now() >= self.ends
end

function Exchange:step(seconds)
  self.transport.wait(seconds)
  return self:done()
end

local function take_away(self)
  assert(self.transport.running[self], "the exchange is over already")
  self.transport.running[self] = nil
  self.transport.under_way = self.transport.under_way - 1
end

function Exchange:cancel()
  take_away(self)
  self.transport.cancelled = self.transport.cancelled + 1
end

function Exchange:result()
  assert(self:done(), "the exchange is not over")
  take_away(self)
  local answer = self.answer
  if answer.failure then return nil, answer.failure, answer.code or answer.failure, "it failed" end
  return answer.status or 204, answer.headers or "", answer.body or ""
end

--- A client over the transport.
---@param transport table
---@param options? table of the client
function concurrent_transport.client(transport, options)
  local client = calls.client(options)
  core.extras(client).transport = transport
  return client
end

return concurrent_transport
