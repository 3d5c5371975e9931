--- Runs the hostile cases: a world says how calls are made, what they come to is compared here.

local assert = require("luassert")
local wait = require("spec.support.wait")

local hostile = {}

local CLOSE_SECONDS = 5

hostile.cases = require("spec.support.hostile_cases")

local function has_openings(script)
  for _, entry in ipairs(script) do
    if entry.kind == "on_accept" then return true end
  end
  return script.default ~= nil and script.default.kind == "on_accept"
end

-- Over TLS what a server does before its handshake is about the handshake, and no case of these.
hostile.secure_cases = {}
for _, case in ipairs(hostile.cases) do
  if not has_openings(case.script) then hostile.secure_cases[#hostile.secure_cases + 1] = case end
end

--- What a call came to, as text: the status, what the method returned, or "kind code: message".
function hostile.outcome(action, ...)
  local ok, result = pcall(action, ...)
  if ok then return tostring(type(result) == "table" and result.status or result) end
  if type(result) ~= "table" then return tostring(result) end
  return ("%s %s: %s"):format(result.kind, result.code, result.message)
end

--- The options of a case's client.
function hostile.options(case, origin)
  local options = { endpoint = origin, key = "k", hub = "chat", retries = 0, timeout = 20 }
  for name, value in pairs(case.options or {}) do options[name] = value end
  return options
end

--- The method that a case is about.
function hostile.method(case)
  return case.method or "close_user_connections"
end

--- What it is called with.
function hostile.arguments(case)
  return case.content and { content = ("x"):rep(case.content), content_type = "text" } or { user = "alice" }
end

local function check(expected, outcome, about)
  if type(expected) ~= "table" then return assert.are.equal(tostring(expected), outcome, about) end
  local kind, code = expected[1], expected[2]
  assert.are.equal(("%s %s: "):format(kind, code), outcome:sub(1, #kind + #code + 3), about .. ": " .. outcome)
  for index = 3, #expected do
    assert.is_truthy(outcome:find(expected[index], 1, true), ("%s: %s is not in: %s"):format(about, expected[index],
      outcome))
  end
end

--- Has the server play a case and compares what comes of it.
---@param server ScriptedServer
---@param case table
---@param run fun(case: table, warm: integer, count: integer): string[]  makes `warm` calls at once, and then `count`
---  one after the other, `case.pause` seconds apart, and returns what all of them came to
function hostile.play(server, case, run)
  server:reset()
  wait.until_true(function() return server:open_connections() == 0 end, CLOSE_SECONDS, "the connections to be closed")
  server:script(case.script)
  local warm = case.warm or 0
  local outcomes = run(case, warm, #case.expected)
  assert.are.equal(warm + #case.expected, #outcomes)
  for index = 1, warm do check(204, outcomes[index], "warm call " .. index) end
  for index, expected in ipairs(case.expected) do check(expected, outcomes[warm + index], "call " .. index) end
  if case.connections then assert.are.equal(case.connections, server:connections()) end
end

return hostile
