--- A background process tied to this one. It must end when its standard input does, so that it cannot outlive the
--- specs, however they end.

local shell = require("spec.support.shell")
local wait = require("spec.support.wait")

local START_TIMEOUT_SECONDS = 5

local ENDED = "ended with exit status"

local Companion = {}
Companion.__index = Companion

local companion = {}

--- Starts `argv` and waits until its output matches the pattern `ready`.
---@param argv string[]
---@param options { ready: string, input?: string, timeout?: number } `input` is written to its standard input;
---  `timeout` in seconds, default 5
---@return table companion
---@return string[] captures of `ready`
function companion.start(argv, options)
  local path = os.tmpname()
  local self = setmetatable({ output_file = assert(io.open(path, "rb")) }, Companion)
  -- The inner shell prints its process id and becomes the command; the outer one says when it is over.
  self.input = assert(io.popen(("exec >%s 2>&1; sh -c 'echo $$; exec \"$@\"' sh %s; echo %s $?"):format(path,
    shell.join(argv), ENDED), "w"))
  if options.input then
    self.input:write(options.input)
    self.input:flush()
  end

  local captures
  local ok, problem = pcall(wait.until_true, function()
    captures = { self:output():match(options.ready) }
    return captures[1] or self:ended()
  end, options.timeout or START_TIMEOUT_SECONDS, "it to start")
  -- Removed while open: still readable here, and nothing is left behind if this process is killed.
  os.remove(path)
  if not captures[1] then
    self:kill()
    error(("%s: %s; its output: %s"):format(shell.join(argv), ok and "did not start" or problem, self:output()), 2)
  end
  return self, captures
end

function Companion:read_all()
  self.output_file:seek("set", 0)
  return self.output_file:read("*a")
end

--- Everything it has printed, on standard output and standard error.
---@return string
function Companion:output()
  return (self:read_all():gsub("^%d+\n", "", 1))
end

---@return boolean
function Companion:ended()
  return self:read_all():find(ENDED, 1, true) ~= nil
end

--- Ends its standard input and waits for it to exit; a second time does nothing.
function Companion:stop()
  if self.input then self.input:close() end
  self.input = nil
end

--- Ends it by force.
function Companion:kill()
  local pid = self:read_all():match("^(%d+)\n")
  if pid and not self:ended() then os.execute("kill -KILL " .. pid .. " 2>/dev/null") end
  self:stop()
end

return companion
