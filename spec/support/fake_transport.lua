--- A transport whose answers are scripted and whose clock moves only when it is told to, or by sleeping.

local calls = require("spec.support.calls")
local core = require("webpubsub.core")

local fake_transport = {}

---@class fake_transport.Answer
---@field status? integer default 204
---@field headers? string a block of lines
---@field body? string
---@field failure? string the kind, instead of an answer
---@field code? string of the failure
---@field message? string of the failure
---@field stale? boolean it was a kept connection that died
---@field takes? number seconds that pass meanwhile

--- A transport that gives these answers in order; a request beyond them is an error of the spec.
---@param answers fake_transport.Answer[]|nil
---@return table transport with the `requests` it was given, each with the `seconds` it was allowed, and its `sleeps`
function fake_transport.new(answers)
  local clock = 1000
  local fake = { requests = {}, sleeps = {} }

  function fake.now() return clock end
  function fake.wall() return calls.WALL + clock - 1000 end
  function fake.advance(seconds) clock = clock + seconds end

  --- How long a sleep really takes; a spec may replace it.
  function fake.nap(seconds) return seconds end

  function fake.sleep(seconds)
    fake.sleeps[#fake.sleeps + 1] = seconds
    fake.advance(fake.nap(seconds))
  end

  --- What the next request is answered: status, header block and body, or nil and the failure.
  function fake.answer(call, cancelled)
    local method, target, headers, body, seconds, patience, fresh, once = call:outgoing()
    fake.requests[#fake.requests + 1] = { method = method, target = target, headers = core.headers(headers),
      body = body, seconds = seconds, patience = patience, fresh = fresh, cancelled = cancelled, once = once }
    local answer = assert(answers and answers[#fake.requests], "no answer is scripted for this request")
    fake.advance(answer.takes or 0)
    if answer.failure then
      return nil, answer.failure, answer.code or answer.failure, answer.message or "it failed", answer.stale
    end
    return answer.status or 204, answer.headers or "", answer.body or ""
  end

  function fake.exchange(call, cancelled)
    local status, received, content, message, stale = fake.answer(call, cancelled)
    if not status then return nil, received, content, message, stale end
    return call:deliver(status, received, content)
  end

  return fake
end

return fake_transport
