--- Several sources, of which the first that gives a token is kept.

local chain = {}

-- Seconds in which a virtual machine's metadata service must have answered anything: on other machines nobody does.
local PROBE_SECONDS = 1

local Chain = {}
Chain.__index = Chain

local function fetch_from(entry, request)
  local source = entry.source
  if source.is_imds and not entry.is_there then
    local ok, code, message, pause = source:answers(request, PROBE_SECONDS)
    if not ok then return nil, code, message, pause end
    entry.is_there = true
  end
  return source:fetch(request)
end

function Chain:fetch(request)
  if self.kept then return self.kept.source:fetch(request) end
  local lines = {}
  for index, entry in ipairs(self) do
    local token, expires, refresh = fetch_from(entry, request)
    if token then
      self.kept = entry
      return token, expires, refresh
    end
    lines[index] = ("%s: %s"):format(entry.name, refresh)
  end
  return nil, "no_token", "no source of tokens works here; " .. table.concat(lines, "; ")
end

--- A source of several.
---@param entries { name: string, source: table }[]
function chain.source(entries)
  local self = setmetatable({ seconds = 0, kept = false }, Chain)
  for index, entry in ipairs(entries) do
    self[index] = { name = entry.name, source = entry.source, is_there = false }
    self.seconds = self.seconds + (entry.source.seconds or 30)
  end
  return self
end

return chain
