--- The vendor's JavaScript clients against the emulator, over http and over https: make interop
-- Needs node and, once, network: npm fetches the versions package.json names.

local here = arg[0]:match("^(.*/)") or "./"
package.path = here .. "../../lua/?.lua;" .. package.path

local launch = require "webpubsub.emulator.launch"

local function run(command)
  return (os.execute(("cd '%s' && %s"):format(here, command)))
end

-- Whether every check of a script passes; the certificate of an emulator with TLS is all that node is told besides.
local function passes(script, options)
  local emulator = launch(options)
  print(("%s at %s"):format(script, emulator.endpoint))
  local passed = run(("CONNECTION_STRING='%s' NODE_EXTRA_CA_CERTS='%s' node %s"):format(
    emulator.connection_string, emulator.ca_file or "", script))
  emulator.stop()
  return passed
end

assert(run("test -d node_modules/@azure/web-pubsub-express"
  .. " || npm install --no-package-lock --no-audit --no-fund --loglevel=error"), "npm install failed")
local quiet, secure = { quiet = true }, { quiet = true, tls = true }
local passed = true
for _, check in ipairs { { "interop.mjs", quiet }, { "interop.mjs", secure }, { "reliable.mjs", quiet } } do
  passed = passes(check[1], check[2]) and passed
end
print "events.mjs"
passed = run "EMULATOR=../../lua/webpubsub/emulator/main.lua node events.mjs" and passed
os.exit(passed and true or false)
