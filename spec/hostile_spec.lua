-- A server that does what it should not: whichever way a call is made, it is told what happened in the same words, and
-- the next call does not suffer from it.

local certs = require("spec.support.certs")
local curl = require("webpubsub.curl")
local hostile = require("spec.support.hostile")
local scripted_server = require("spec.support.scripted_server")
local webpubsub = require("webpubsub")

local function new_client(case, origin)
  local options = hostile.options(case, origin)
  options.proxy, options.ca_file = false, certs.ca.cert
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
ways["in place"] = function(origin, case, warm, count)
  local client, name = new_client(case, origin), hostile.method(case)
  local function call() return client[name](client, hostile.arguments(case)) end
  return one_after_another(one_after_another({}, {}, warm, call), case, count, call)
end

ways["as tasks"] = function(origin, case, warm, count)
  local client, name = new_client(case, origin), hostile.method(case) .. "_async"
  local function call() return client[name](client, hostile.arguments(case)):await() end
  return one_after_another(at_once(client, warm), case, count, call)
end

local function describe_cases(name, wire, cases, server_options)
  describe(("a hostile server is seen through by calls %s over %s:"):format(name, wire), function()
    local server

    setup(function() server = scripted_server.start(server_options) end)
    teardown(function() server:stop() end)

    for _, case in ipairs(cases) do
      if not (case.warm and name == "in place") then
        it(case.name, function()
          hostile.play(server, case, function(...) return ways[name](server.origin, ...) end)
        end)
      end
    end
  end)
end

describe_cases("in place", "plain HTTP", hostile.cases)
describe_cases("as tasks", "plain HTTP", hostile.cases)
describe_cases("as tasks", "TLS", hostile.secure_cases, { tls = certs.valid })
