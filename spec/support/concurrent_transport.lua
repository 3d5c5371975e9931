--- A transport for many calls at a time: its clock moves only while somebody waits, and each exchange ends when it is
--- said to. What the transport saw is in its fields.
---
---     local transport = concurrent_transport.new(function(request) return { status = 204, takes = 0.2 } end)
---     each(concurrent_transport.client(transport), …)
---     transport.requests     -- in order, each with the time `at` which it was sent
---     transport.peak         -- the most that were under way at one time
---     transport.cancelled    -- how many were withdrawn
---     transport.naps         -- how often somebody waited with nothing under way

local calls = require("spec.support.calls")
local core = require("webpubsub.core")
local hosted = require("spec.support.hosted")

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

  local background = {}

  function background.fd() return -1 end

  -- The one that ended first, of those that have.
  function background.next()
    local first
    for exchange in pairs(transport.running) do
      if exchange.ends <= clock and (not first or exchange.ends < first.ends
        or exchange.ends == first.ends and exchange.index < first.index) then first = exchange end
    end
    if first then transport.running[first] = nil end
    return first
  end

  --- Lets time pass until the next exchange ends, or for so many seconds.
  function transport.wait(seconds)
    assert(seconds > 0, "somebody waits for nothing, again and again")
    if transport.under_way == 0 then transport.naps = transport.naps + 1 end
    local wake = clock + seconds
    for exchange in pairs(transport.running) do wake = math.min(wake, exchange.ends) end
    clock = math.max(wake, clock)
  end

  function background.wait(_, seconds) transport.wait(seconds) end
  function background.pending() return transport.under_way end

  function transport.submit(call)
    local method, target, headers, body, seconds, _, _, once = call:outgoing()
    local request = { index = #transport.requests + 1, at = clock, method = method, target = target, body = body,
      headers = core.headers(headers), seconds = seconds, once = once }
    transport.requests[request.index] = request
    local given = answer and answer(request) or {}
    local ends = clock + (given.takes or TAKES_SECONDS)
    local exchange = setmetatable({ transport = transport, answer = given, ends = ends, index = request.index },
      Exchange)
    transport.running[exchange] = true
    transport.under_way = transport.under_way + 1
    transport.peak = math.max(transport.peak, transport.under_way)
    return exchange
  end

  hosted.attach(transport, background)
  return transport
end

local function end_now(self)
  assert(not self.over, "the exchange is over already")
  self.over = true
  self.transport.under_way = self.transport.under_way - 1
end

function Exchange:cancel()
  end_now(self)
  self.transport.cancelled = self.transport.cancelled + 1
  self.ends = self.transport.now()
end

function Exchange:result()
  if self.over then return nil, "cancelled", "cancelled", "the exchange was cancelled" end
  assert(self.transport.now() >= self.ends, "the exchange is not over")
  end_now(self)
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
