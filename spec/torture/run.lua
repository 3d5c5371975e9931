-- Starts the emulator and has the torture host (the first argument) run against it.

local launch = require "webpubsub.emulator.launch"

local emulator = launch { quiet = true }
local ok, _, code = os.execute(("%s spec/torture/calls.lua '%s'"):format(arg[1], emulator.connection_string))
emulator.stop()
os.exit(ok and 0 or code, true)
