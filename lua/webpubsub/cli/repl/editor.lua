--- Lines from a terminal through GNU readline: editing, history, completion, and Ctrl-C that gives up the line.

local readline = require "readline"
local uv = require "luv"

local editor = {}
editor.__index = editor

local APPLICATION = "webpubsub" -- for conditions in ~/.inputrc

-- readline reads one key at a time when the loop says that there is one; so Ctrl-C is noticed while it waits.
-- Opened anew, for the loop makes what it watches non-blocking: standard input shares its state with the shell's, and
-- with standard output.
local TERMINAL = "/dev/tty"

local function install_completion(self, complete)
  readline.set_readline_name(APPLICATION)
  readline.set_complete_function(function(line, from, to)
    readline.set_completion_append_character "" -- readline makes it a blank again each time
    local text = self.before .. "\n" .. line:sub(1, to)
    local ok, matches = pcall(complete, text, line:sub(from, to)) -- nothing may unwind through readline
    return ok and matches or {}
  end)
end

--- An editor on standard input, which must be a terminal.
---@param options { complete: (fun(text: string, word: string): string[]), interrupt: table, history: table? }
function editor.new(options)
  readline.set_options { histfile = "", auto_add = false, completion = true }
  for _, line in ipairs(options.history and options.history.lines or {}) do readline.add_history(line) end
  local self = setmetatable({
    keys = uv.new_poll(assert(uv.fs_open(TERMINAL, "r", 0))),
    interrupt = options.interrupt,
    history = options.history,
    before = "",
  }, editor)
  install_completion(self, options.complete)
  return self
end

function editor:remember(line)
  if line:find "%S" and line ~= self.last then
    readline.add_history(line)
    if self.history then self.history:add(line) end
    self.last = line
  end
end

--- Reads a line.
---@param prompt string
---@param before string|nil  the earlier lines of the same entry, for completion
---@return string|nil line  nil at the end of the input
---@return string|nil "interrupted" where it was Ctrl-C
function editor:read(prompt, before)
  local finished, line = false, nil
  self.before = before or ""
  io.stdout:flush()
  self.interrupt:take()
  -- Where the line before was given up, its handler is installed still; this begins a new line all the same.
  readline.handler_install(prompt, function(entered)
    finished, line = true, entered
    readline.handler_remove()
  end)
  self.keys:start("r", function() readline.read_char() end)
  local interrupted
  repeat
    uv.run "once"
    interrupted = self.interrupt:take()
  until finished or interrupted
  self.keys:stop()
  if not finished then
    readline.sigcleanup() -- or a search that is under way would go on with the next line
    -- The handler stays, and costs a descriptor: removed within a line, lua-readline 3.2 uses a file it has closed.
    print "^C"
    return nil, "interrupted"
  end
  if line then self:remember(line) end
  return line
end

return editor
