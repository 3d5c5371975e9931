-- Has the torture host (the first argument) run on the bindings, and on calls against the emulator, which it starts.

local launch = require "webpubsub.emulator.launch"

local function torture(script, argument)
  local ok = os.execute(("%s spec/torture/%s.lua '%s'"):format(arg[1], script, argument))
  return ok
end

local bindings = torture("bindings", "")
local emulator = launch { quiet = true }
local calls = torture("calls", emulator.connection_string)
emulator.stop()
os.exit(bindings and calls and 0 or 1, true)
