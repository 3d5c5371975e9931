--- A name server on loopback: every name is 127.0.0.1, but for those that begin with "missing".

local companion = require("spec.support.companion")
local shell = require("spec.support.shell")

local SCRIPT = [[
trap '' HUP INT
"$@" &
cat
kill $!
]]

local dns = {}

--- Starts it.
---@return { port: integer, stop: fun() }
function dns.start()
  local command = { "sh", "-c", SCRIPT, "sh" }
  for _, word in ipairs(shell.lua_program("dns_child.lua")) do command[#command + 1] = word end
  local child, ready = companion.start(command, { ready = "ready (%d+)\n" })
  return { port = tonumber(ready[1]), stop = function() child:stop() end }
end

return dns
