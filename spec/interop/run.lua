--- The vendor's JavaScript clients against the emulator: lua5.4 spec/interop/run.lua
-- Needs node and, once, network: npm fetches the versions package.json names.

local here = arg[0]:match("^(.*/)") or "./"
package.path = here .. "../../lua/?.lua;" .. package.path

local launch = require "webpubsub.emulator.launch"

local function run(command)
  return (os.execute(("cd '%s' && %s"):format(here, command)))
end

assert(run "test -d node_modules || npm install --no-package-lock --no-audit --no-fund --loglevel=error",
  "npm install failed")
local emulator = launch()
local passed = run(("CONNECTION_STRING='%s' node interop.mjs"):format(emulator.connection_string))
emulator.stop()
os.exit(passed and true or false)
