-- For wrk: `wrk … -s wrk.lua URL [MILLISECONDS]` waits that long before each request, and prints how many were answered
-- in a second and in how many milliseconds 99 of 100 were; nothing where one failed.

-- luacheck: globals init delay done

local pause = 0

function init(words)
  pause = tonumber(words[1]) or 0
end

function delay()
  return pause
end

function done(summary, latency)
  local errors = summary.errors
  if errors.connect + errors.read + errors.write + errors.status + errors.timeout > 0 then return end
  io.write(("measured %.1f %.2f\n"):format(summary.requests / summary.duration * 1e6, latency:percentile(99) / 1e3))
end
