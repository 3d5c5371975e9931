-- run.lua ROUNDS SECONDS README|- ROW...: measures the rows named, or all; see README.md beside this file. With a
-- README the table goes into it. What is missed is said; it is no failure.

local harness = require "spec.bench.harness"
local readme = require "spec.bench.readme"
local report = require "spec.bench.report"

local ROWS = { "calls", "flight", "instructions", "tick", "memory", "nginx", "size" }

local rounds, seconds, path = tonumber(arg[1]), tonumber(arg[2]), arg[3]
local names = { table.unpack(arg, 4) }
if #names == 0 then names = ROWS end

local bench, rows = harness.new(rounds, seconds), report.new()
local ok, problem = xpcall(function()
  local bytes = harness.check_yardstick()
  print(("%d rounds, %g seconds each; a request has %d bytes, the yardstick's too."):format(rounds, seconds, bytes))
  for _, name in ipairs(names) do require("spec.bench.rows." .. name)(bench, rows) end
end, debug.traceback)
bench:stop()
if not ok then error(problem, 0) end
print(("\n%d goals missed."):format(rows.missed))
if path ~= "-" then readme.put(path, "run", readme.surroundings() .. "\n\n" .. rows:markdown()) end
