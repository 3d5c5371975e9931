--- The vendor's JavaScript clients against the emulator, over http and over https: make interop
-- Needs node and, once, network: npm fetches the versions package.json names.

local here = arg[0]:match("^(.*/)") or "./"
package.path = here .. "../../lua/?.lua;" .. package.path

local launch = require "webpubsub.emulator.launch"

local function run(command)
  return (os.execute(("cd '%s' && %s"):format(here, command)))
end

-- Whether every check passes; the certificate of an emulator with TLS is the only thing node is told besides.
local function passes(options)
  local emulator = launch(options)
  print(emulator.endpoint)
  local passed = run(("CONNECTION_STRING='%s' NODE_EXTRA_CA_CERTS='%s' node interop.mjs"):format(
    emulator.connection_string, emulator.ca_file or ""))
  emulator.stop()
  return passed
end

assert(run "test -d node_modules || npm install --no-package-lock --no-audit --no-fund --loglevel=error",
  "npm install failed")
local plain, secure = passes({}), passes({ tls = true })
os.exit(plain and secure and true or false)
