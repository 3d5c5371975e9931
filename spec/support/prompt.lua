--- The interpreter that runs the specs, at its prompt: `lua -i` with lines typed into it.

local companion = require("spec.support.companion")
local process = require("spec.support.process")
local wait = require("spec.support.wait")

local TIMEOUT_SECONDS = 5 -- for anything to be printed

-- The process tells its own number, for signals.
local FIRST_LINE = 'do io.write("pid ", io.open("/proc/self/stat"):read("*n"), "\\n") end\n'

-- Lua 5.3 and later show the value of an expression by itself, and 5.5 no longer takes the "=" of before.
local NEEDS_NO_SIGN = _VERSION == "Lua 5.5"

local Prompt = {}
Prompt.__index = Prompt

local prompt = {}

--- Starts an interactive interpreter that finds the same modules.
---@param environment? string[] more variables, as NAME=value
function prompt.start(environment)
  local command = { "env", "-u", "LUA_INIT", "LUA_PATH=" .. package.path, "LUA_CPATH=" .. package.cpath }
  for _, variable in ipairs(environment or {}) do command[#command + 1] = variable end
  command[#command + 1] = process.interpreter()
  command[#command + 1] = "-i"
  local child, ready = companion.start(command, { input = FIRST_LINE, ready = "pid (%d+)\n" })
  return setmetatable({ child = child, pid = ready[1], read = #child:output() }, Prompt)
end

--- Types a line.
---@param line string
function Prompt:type(line)
  self.child.input:write(line, "\n")
  self.child.input:flush()
end

--- Waits for text that was not returned yet, and returns everything up to its end.
---@param text string
---@return string
function Prompt:wait_for(text)
  return wait.until_true(function()
    local output = self:shown()
    local _, last = output:find(text, self.read + 1, true)
    if not last then return nil end
    local shown = output:sub(self.read + 1, last)
    self.read = last
    return shown
  end, TIMEOUT_SECONDS, ("%q at the prompt; it shows: %s"):format(text, self:shown()))
end

--- Types a line and returns what it prints. The prompt may echo what is typed, so the end is marked by what the line
--- does not contain.
---@param line string
---@return string
function Prompt:answer(line)
  self:type(NEEDS_NO_SIGN and line:gsub("^=", "") or line)
  self:type('io.write("<", "end", ">\\n")')
  return self:wait_for("<end>\n")
end

--- Everything it has shown.
---@return string
function Prompt:shown()
  return self.child:output()
end

--- Does what Ctrl-C does.
function Prompt:interrupt()
  os.execute("kill -INT " .. self.pid)
end

--- Ends it as Ctrl-D does.
function Prompt:stop()
  self.child:stop()
end

return prompt
