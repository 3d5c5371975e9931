-- A server that does what it should not: whichever way a call is made, it is told what happened in the same words, and
-- the next call does not suffer from it.

local curl = require("webpubsub.curl")
local hostile = require("spec.support.hostile")
local scripted_server = require("spec.support.scripted_server")
local webpubsub = require("webpubsub")

local server

setup(function() server = scripted_server.start() end)
teardown(function() server:stop() end)

local function new_client(case)
  local options = hostile.options(case, server.origin)
  options.proxy = false
  return webpubsub.new(options)
end

-- What the tasks of so many calls at once come to.
local function at_once(client, count)
  local tasks, outcomes = {}, {}
  for index = 1, count do tasks[index] = client:close_user_connections_async({ user = "alice" }) end
  for index, task in ipairs(tasks) do outcomes[index] = hostile.outcome(task.await, task) end
  return outcomes
end

local function one_after_another(outcomes, case, count, call)
  for index = 1, count do
    if index > 1 and case.pause then curl.sleep(case.pause) end
    outcomes[#outcomes + 1] = hostile.outcome(call)
  end
  return outcomes
end

local ways = {}

-- Only tasks are made at once, and their connections are not those of calls in place.
function ways.place(case, warm, count)
  local client, name = new_client(case), hostile.method(case)
  local function call() return client[name](client, hostile.arguments(case)) end
  return one_after_another(one_after_another({}, {}, warm, call), case, count, call)
end

function ways.tasks(case, warm, count)
  local client, name = new_client(case), hostile.method(case) .. "_async"
  local function call() return client[name](client, hostile.arguments(case)):await() end
  return one_after_another(at_once(client, warm), case, count, call)
end

for name, run in pairs(ways) do
  describe("a hostile server is seen through by calls as " .. name .. ":", function()
    for _, case in ipairs(hostile.cases) do
      if not (case.warm and name == "place") then
        it(case.name, function() hostile.play(server, case, run) end)
      end
    end
  end)
end
