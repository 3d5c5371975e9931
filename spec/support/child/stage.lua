-- What one script and one record know of each other. A reset puts a new stage in place of the old one, and connections
-- of the old stage, wherever they are in their steps, can no longer touch the new one.

-- Not retried by any sensible client, so that a spec which forgot an entry fails at once and says why.
local SCRIPT_EXHAUSTED = { {
  kind = "reply",
  status = 501,
  reason = "Script Exhausted",
  headers = { ["Content-Type"] = "text/plain" },
  body = "the scripted server has no entry left for this request\n",
} }
local FORWARD = { { kind = "forward" } }

local Stage = {}
Stage.__index = Stage

local stage = {}

function stage.new(is_proxy)
  return setmetatable({
    fallback = is_proxy and FORWARD or SCRIPT_EXHAUSTED,
    entries = {},
    requests = {},
    accepted = 0,
    open = {}, -- set of cqueues sockets
  }, Stage)
end

local function is_on_accept(entry)
  return entry[1].kind == "on_accept"
end

function Stage:set_script(script)
  self.entries = script.entries
  self.default = script.default
end

-- The steps for a connection that has just been accepted, if the script's next entry is for one.
function Stage:take_for_connection()
  local entry = self.entries[1] or self.default
  if not entry or not is_on_accept(entry) then return nil end
  table.remove(self.entries, 1)
  return entry[1].steps
end

-- The steps that answer a request.
function Stage:take_for_request()
  for i, entry in ipairs(self.entries) do
    if not is_on_accept(entry) then return table.remove(self.entries, i) end
  end
  if self.default and not is_on_accept(self.default) then return self.default end
  return self.fallback
end

-- Counts an accepted connection and returns its ordinal.
function Stage:opened(socket)
  self.accepted = self.accepted + 1
  self.open[socket] = true
  return self.accepted
end

function Stage:closed(socket)
  self.open[socket] = nil
end

function Stage:open_connections()
  local count = 0
  for _ in pairs(self.open) do count = count + 1 end
  return count
end

-- Closes every connection under the feet of the coroutine that serves it; whatever that raises is no longer an error.
function Stage:abandon()
  self.abandoned = true
  for socket in pairs(self.open) do socket:close() end
end

return stage
