-- exchanges.lua ORIGIN COUNT: that many exchanges of the background engine, of which some are cancelled and some
-- forgotten, at whatever stage they are in. What is neither must succeed; at the end the engine must be as good as new.

local curl = require "webpubsub.curl"

local origin, count, state = ...
local MAX_HELD = 500              -- exchanges in flight at a time, more than run at once
local CANCELLED, FORGOTTEN = 0.3, 0.2 -- shares
local GIVE_UP = 60                -- seconds without any progress

local background = curl.background()
local profile = assert(curl.profile { origin = origin, proxy = false })
local held, positions, cancelled = {}, {}, {}
local expected, ended = { [204] = 0, cancelled = 0 }, { [204] = 0, cancelled = 0 }
local forgotten, late = 0, 0

local function submit()
  local exchange = background:submit(profile, "POST", "/stress", "X-State: " .. state .. "\r\n", nil, GIVE_UP, GIVE_UP)
  held[#held + 1] = exchange
  positions[exchange] = #held
  expected[204] = expected[204] + 1
end

local function drop(exchange)
  local position, last = positions[exchange], held[#held]
  held[position], positions[last] = last, position
  held[#held] = nil
  positions[exchange] = nil
end

local function disturb()
  local exchange = held[math.random(#held)]
  if not exchange or cancelled[exchange] then return end
  local dice = math.random()
  if dice < CANCELLED then
    exchange:cancel()
    cancelled[exchange] = true
    expected[204], expected.cancelled = expected[204] - 1, expected.cancelled + 1
  elseif dice < CANCELLED + FORGOTTEN then
    drop(exchange)
    expected[204], forgotten = expected[204] - 1, forgotten + 1
  end
end

local function take()
  local exchange = background:next()
  if not exchange then return false end
  -- one that was dropped is still there until the collector comes, and then comes out like the others
  if not positions[exchange] then
    late = late + 1
    return true
  end
  assert(exchange:done())
  local status, kind, _, message = exchange:result()
  local outcome = status or kind
  if not ended[outcome] then error(tostring(kind) .. ": " .. tostring(message)) end
  ended[outcome] = ended[outcome] + 1
  cancelled[exchange] = nil
  drop(exchange)
  return true
end

local submitted, progress = 0, curl.now()
count = tonumber(count)
math.randomseed(state)
while submitted < count or #held > 0 do
  if submitted < count and #held < MAX_HELD then
    for _ = 1, math.random(20) do
      submit()
      submitted = submitted + 1
    end
    for _ = 1, math.random(0, 20) do disturb() end
    progress = curl.now()
  end
  if math.random() < 0.05 then collectgarbage() end
  if take() then
    while math.random() < 0.9 and take() do end
    progress = curl.now()
  elseif #held >= MAX_HELD or submitted >= count then
    background:wait(0.01)
  end
  assert(curl.now() - progress < GIVE_UP, "no progress")
end
collectgarbage()
collectgarbage()
while background:pending() > 0 do assert(background:next() or background:wait(GIVE_UP)) end
for outcome, number in pairs(expected) do
  assert(ended[outcome] == number, ("%s: %d instead of %d"):format(outcome, ended[outcome], number))
end

local last = background:submit(profile, "POST", "/stress", "", nil, GIVE_UP, GIVE_UP)
assert(background:wait(GIVE_UP) and background:next() == last and last:result() == 204)

-- some are in flight while the state is closed
for _ = 1, 50 do submit() end
print(("state %d: %d succeeded, %d cancelled, %d forgotten, of which %d came out"):format(state, ended[204],
  ended.cancelled, forgotten, late))
