--- The programs that hold calls in flight.

local harness = require "spec.bench.harness"
local peers = require "spec.bench.peers"

--- Their commands, for so many calls in flight; others' clients only where they are asked for.
---@param bench table
---@param to { origin: string, ca_file: string, port: integer? }
---@param in_flight integer
---@param with_peers boolean?
---@return { name: string, command: string }[]
return function(bench, to, in_flight, with_peers)
  local commands = {
    { name = "raw", command = harness.raw("raw_flight", to.origin, to.ca_file, bench.limit, in_flight) },
  }
  for _, lua in ipairs(harness.LUAS) do
    commands[#commands + 1] = {
      name = lua.name, command = harness.ours(lua, "flight", bench.limit, in_flight, to.origin, to.ca_file),
    }
  end
  for _, peer in ipairs(with_peers and peers or {}) do
    if peer.most >= in_flight then
      commands[#commands + 1] = { name = peer.name, command = peer.command(bench.seconds, in_flight, to.port) }
    end
  end
  return commands
end
