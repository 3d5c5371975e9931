-- Messages over connections that die, as the server counts them: with `retries = 0` none arrives twice.

local webpubsub = require("webpubsub")
local at_most_once = require("spec.support.at_most_once")
local failing_calls = require("spec.support.failing_calls")
local scripted_server = require("spec.support.scripted_server")
local steps = require("spec.support.steps")

local ACCEPTED = steps.reply({ status = 202 })
local ROUNDS = 5
local MESSAGES, SEED = 4000, 20241201 -- to a server that lets connections die at random

local server

-- One for each spec: connections that were kept for the one before would be among the dying.
before_each(function() server = scripted_server.start() end)
after_each(function() server:stop() end)

-- Every death comes upon a connection that was kept and upon one that is new.
local function script_deaths()
  local script = { default = ACCEPTED }
  for _ = 1, ROUNDS do
    for _, death in ipairs(at_most_once.DEATHS) do
      for _, step in ipairs({ ACCEPTED, death, death }) do script[#script + 1] = step end
    end
  end
  server:script(script)
  return #script
end

local function message(number)
  return { content = at_most_once.message(number), context = { timeout = 20 } }
end

-- The response to one message, in place or as a task.
local function send(client, name, number)
  local result = client[name](client, message(number))
  return name:find("_async$") and result:await() or result
end

local function one_after_another(name)
  return function(client, count)
    local accepted, errors = {}, {}
    for number = 1, count do
      local ok, result = pcall(send, client, name, number)
      accepted[number], errors[number] = ok, not ok and result or nil
    end
    return accepted, errors
  end
end

local function all_at_once(client, count)
  local tasks = {}
  for number = 1, count do tasks[number] = client:send_to_all_async(message(number)) end
  local accepted, errors = webpubsub.gather(tasks)
  return accepted, errors or {}
end

-- Three ways to send messages 1 to `count`; each returns which of them were accepted and the errors of the others.
local ways = {
  ["one after another, in place"] = one_after_another("send_to_all"),
  ["one after another, as tasks"] = one_after_another("send_to_all_async"),
  ["all at once, as tasks"] = all_at_once,
}

local METHODS = { "send_to_all", "send_to_all_async" }

describe("a message with retries = 0", function()
  for how, send_all in pairs(ways) do
    it("reaches the server once or not at all when sent " .. how, function()
      local count = script_deaths()
      local accepted, errors = send_all(failing_calls.client(server.origin, { retries = 0 }), count)
      local times, failures = server:times_seen(), 0
      for number = 1, count do
        local seen = times[message(number).content] or 0
        if accepted[number] then
          assert.are.equal(1, seen, "of message " .. number)
        else
          failures = failures + 1
          assert.is_true(seen <= 1, ("message %d was seen %d times"):format(number, seen))
          assert.are.same({ "transport", 1 }, { errors[number].kind, errors[number].attempts })
        end
      end
      assert.is_true(failures >= ROUNDS, failures .. " failures") -- or nothing was put to the test
    end)
  end

  for how, send_all in pairs(ways) do
    it(("arrives as its sender is told, of %d sent %s to a server that closes at random"):format(MESSAGES, how),
      function()
        local unread, told = at_most_once.script(server, MESSAGES, SEED), {}
        local accepted, errors = send_all(failing_calls.client(server.origin, { retries = 0 }), MESSAGES)
        for number = 1, MESSAGES do
          local err = errors[number]
          told[number] = accepted[number] and "202" or ("%s %s: %s"):format(err.kind, err.code, err.message)
        end
        at_most_once.check(server, told, unread)
      end)
  end

  for _, name in ipairs(METHODS) do
    it("is said to have possibly arrived when a kept connection dies under it, through " .. name, function()
      server:script({ ACCEPTED, steps.close(), default = ACCEPTED })
      local client = failing_calls.client(server.origin, { retries = 0 })
      send(client, name, 1)
      local err = failing_calls.raised_by(send, client, name, 2)
      failing_calls.assert_error({ "transport", "closed", 1, true }, err)
      assert.is_truthy(err.message:find("the request may have been carried out", 1, true), err.message)
      assert.are.same({ ["message 1"] = 1, ["message 2"] = 1 }, server:times_seen())
    end)
  end
end)

describe("a message with retries, the default,", function()
  for _, name in ipairs(METHODS) do
    it("may arrive twice, through " .. name, function()
      server:script({ ACCEPTED, steps.close(), ACCEPTED })
      local client = failing_calls.client(server.origin)
      for number = 1, 2 do assert.are.equal(202, send(client, name, number).status) end
      assert.are.same({ ["message 1"] = 1, ["message 2"] = 2 }, server:times_seen())
    end)
  end
end)
