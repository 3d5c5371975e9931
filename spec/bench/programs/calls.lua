-- calls.lua LIMIT ORIGIN CA|-: calls one after another; prints calls per second. See client.lua.

local bench = require "spec.bench.programs.client"

local client = bench.new(arg[2], arg[3])
local is_over, start = bench.limit(arg[1])
local calls = 0
while not is_over(calls) do
  client:close_user_connections(bench.arguments(calls))
  calls = calls + 1
end
print(("%.1f"):format(calls / (bench.now() - start)))
