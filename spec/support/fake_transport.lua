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

  function fake.exchange(method, target, headers, body, seconds, cancelled, once)
    fake.requests[#fake.requests + 1] = { method = method, target = target, headers = core.headers(headers),
      body = body, seconds = seconds, cancelled = cancelled, once = once }
    local answer = assert(answers and answers[#fake.requests], "no answer is scripted for this request")
    fake.advance(answer.takes or 0)
    if answer.failure then return nil, answer.failure, answer.code or answer.failure, answer.message or "it failed" end
    return answer.status or 204, answer.headers or "", answer.body or ""
  end

  return fake
end

return fake_transport
