-- tasks.lua ORIGIN COUNT: that many tasks, each of which is cancelled at a random moment, from before its request
-- leaves until after it is over. Each ends in exactly one way; at the end everything must be as good as new.

local webpubsub = require "webpubsub"
local core = require "webpubsub.core"

local origin, count, state = ...
local MAX_PENDING = 500 -- more than run at once
local LONGEST = 0.02    -- seconds until the cancellation
local GIVE_UP = 60      -- seconds without any progress

local client = webpubsub.new { endpoint = origin, key = "k", hub = "stress", proxy = false, timeout = GIVE_UP }
local moments, ended = {}, { done = 0, cancelled = 0 }
local progress = core.now()

local function on_done(response, err)
  assert(response and response.status == 204 or err.kind == "cancelled", tostring(err))
  local outcome = response and "done" or "cancelled"
  ended[outcome] = ended[outcome] + 1
  progress = core.now()
end

local function start()
  local task = client:close_user_connections_async { user = "user-" .. state }
  task:on_done(on_done)
  moments[task] = core.now() + math.random() * LONGEST
end

local function cancel_those_due()
  local now = core.now()
  for task, moment in pairs(moments) do
    if moment <= now then
      moments[task] = nil
      task:cancel()
    end
  end
end

count = tonumber(count)
math.randomseed(state)
local started = 0
while started < count or client:pending() > 0 do
  for _ = 1, math.min(math.random(20), count - started, MAX_PENDING - client:pending()) do
    start()
    started = started + 1
  end
  cancel_those_due()
  if math.random() < 0.05 then collectgarbage() end
  client:poll(math.random() < 0.5 and 0 or 0.001)
  assert(core.now() - progress < GIVE_UP, "no progress")
end
assert(ended.done + ended.cancelled == count, "some tasks have not ended, or twice")
assert(client:close_user_connections_async { user = "last" }:await().status == 204)

-- some are in flight while the state is closed
for _ = 1, 50 do start() end
print(("state %d: %d tasks done, %d cancelled"):format(state, ended.done, ended.cancelled))
