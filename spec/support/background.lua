--- Exchanges of the background engine, for the specs about it.

local curl = require("webpubsub.curl")
local assert = require("luassert")
local wait = require("spec.support.wait")

local LONG = 60   -- seconds that no spec waits for
local ARRIVAL = 5 -- seconds within which what must happen has happened

local support = { LONG = LONG, ARRIVAL = ARRIVAL }

local held = {} -- what is collected is cancelled

--- `request` may have a method (POST), target (/), headers, body, seconds (LONG), patience (as many) and fresh.
function support.submit(profile, request)
  request = request or {}
  held[#held + 1] = curl.background():submit(profile, request.method or "POST", request.target or "/",
    request.headers or "", request.body, request.seconds or LONG, request.patience or request.seconds or LONG,
    request.fresh)
  return held[#held]
end

--- Lets go of all that was submitted.
function support.forget()
  held = {}
  collectgarbage()
  collectgarbage()
end

--- So many of them.
function support.submit_all(count, profile, request)
  local list = {}
  for index = 1, count do list[index] = support.submit(profile, request) end
  return list
end

--- The next one that comes out.
function support.take()
  local background = curl.background()
  return wait.until_true(function()
    background:wait(0.05)
    return background:next()
  end, ARRIVAL, "an exchange to come out")
end

--- The next so many, which must be all that come out.
function support.take_all(count)
  local taken = {}
  for index = 1, count do taken[index] = support.take() end
  assert.is_nil(curl.background():next())
  return taken
end

--- Cancels them and takes them out; nothing else may be finished.
function support.cancel_all(list)
  for _, one in ipairs(list) do one:cancel() end
  support.take_all(#list)
end

--- Nothing may be left from one spec for the next.
function support.assert_idle()
  support.forget()
  assert.are.equal(0, curl.background():pending())
  assert.is_nil(curl.background():next())
end

return support
