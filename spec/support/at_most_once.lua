--- Messages to a server that lets connections die at random: what it has seen of them must be what their senders were
--- told, however they were sent.

local assert = require("luassert")
local steps = require("spec.support.steps")

local at_most_once = {}

local ACCEPTED = steps.reply({ status = 202 })
local FULL = steps.reply({ status = 202, body = "0123456789" })

-- What becomes of a connection: each with the request it has just read, or before there is one.
at_most_once.DEATHS = {
  steps.close(), steps.abort(), { steps.truncate(FULL, 30), steps.abort() }, { ACCEPTED, steps.close() },
  { ACCEPTED, steps.abort() }, steps.on_accept(steps.close()), steps.on_accept(steps.abort()),
}

-- Of them, the last, which may come upon a request that the server does not read any more.
local UNREAD = 4

-- The same numbers everywhere, from 0 up to 1 (Lehmer's generator; LuaJIT's and PUC's own differ).
local function random_from(seed)
  return function()
    seed = seed * 16807 % 2147483647
    return seed / 2147483647
  end
end

--- Has the server accept about half of so many requests, and let the connections of the others die.
---@param server ScriptedServer
---@param count integer
---@param seed integer  above 0
---@return integer unread  requests at most that may be lost before the server has read them
function at_most_once.script(server, count, seed)
  local random, script, unread = random_from(seed), { default = ACCEPTED }, 0
  for index = 1, count do
    local kind = math.floor(random() * 2 * #at_most_once.DEATHS) + 1
    script[index] = at_most_once.DEATHS[kind] or ACCEPTED
    if kind <= #at_most_once.DEATHS and kind > #at_most_once.DEATHS - UNREAD then unread = unread + 1 end
  end
  server:script(script)
  return unread
end

--- The text of one message.
function at_most_once.message(number)
  return "message " .. number
end

-- Which failures leave it open whether the server has acted on the request.
local OPEN = { ["transport closed"] = true, ["timeout attempt_timeout"] = true, ["protocol malformed"] = true }

--- Checks what the senders of messages 1 to #told were told, "202" or "kind code: …", against what the server has seen.
---@param server ScriptedServer
---@param told string[]
---@param unread integer
function at_most_once.check(server, told, unread)
  local times, accepted, open, lost = server:times_seen(), 0, 0, 0
  for number, outcome in ipairs(told) do
    local seen = times[at_most_once.message(number)] or 0
    if outcome == "202" then
      accepted = accepted + 1
      assert.are.equal(1, seen, "message " .. number .. " was accepted, and seen so many times")
    elseif OPEN[outcome:match("^%a+ [%w_]+")] then
      open, lost = open + 1, lost + (seen == 0 and 1 or 0)
      assert.is_true(seen <= 1, ("message %d was seen %d times: %s"):format(number, seen, outcome))
    else
      assert.are.equal(0, seen, ("message %d was seen, but its sender was told: %s"):format(number, outcome))
    end
  end
  -- or nothing was put to the test
  assert.is_true(accepted > #told / 4 and open > #told / 8, ("%d accepted, %d open"):format(accepted, open))
  assert.is_true(lost <= unread, ("%d were lost unread, of at most %d"):format(lost, unread))
end

return at_most_once
