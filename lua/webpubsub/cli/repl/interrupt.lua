--- Ctrl-C as often as one likes. The interpreter's own handler is good for one: after that it ends the process.

local uv = require "luv"

local interrupt = {}
interrupt.__index = interrupt

-- As the interpreter words it; what catches Ctrl-C elsewhere looks for this.
local MESSAGE = "interrupted!"

-- The hook runs at each call and so many instructions, but looks for a signal only so often.
local HOOK_INSTRUCTIONS, LOOK_NANOSECONDS = 1000, 10e6

--- Takes over SIGINT for the rest of the process.
function interrupt.new()
  local self = setmetatable({ pending = false, signal = uv.new_signal() }, interrupt)
  self.signal:start("sigint", function() self.pending = true end)
  return self
end

--- Whether it was pressed since this was asked last.
function interrupt:take()
  local pending = self.pending
  self.pending = false
  return pending
end

--- Calls a function as pcall does; Ctrl-C raises "interrupted!" in it.
function interrupt:pcall(action, ...)
  local looked = uv.hrtime()
  self:take()
  debug.sethook(function()
    if uv.hrtime() - looked < LOOK_NANOSECONDS then return end
    looked = uv.hrtime()
    uv.run "nowait"
    if self:take() then error(MESSAGE, 0) end
  end, "c", HOOK_INSTRUCTIONS)
  local function finish(...)
    debug.sethook()
    return ...
  end
  return finish(pcall(action, ...))
end

return interrupt
