--- What there is to know about a terminal, asked of the shell: Lua by itself cannot tell.

local printable = require "webpubsub.printable"

local terminal = {}

terminal.STDIN, terminal.STDOUT, terminal.STDERR = 0, 1, 2

local DEFAULT_COLUMNS = 80

--- Whether a descriptor of this process is a terminal that understands escape sequences.
---@param descriptor integer
---@return boolean
function terminal.is_terminal(descriptor)
  if os.getenv "TERM" == "dumb" then return false end
  local result = os.execute(("test -t %d"):format(descriptor))
  return result == true or result == 0 -- Lua 5.1 returns the status
end

--- The terminal's width.
---@return integer columns
function terminal.columns()
  local pipe = io.popen "stty size 2>/dev/null </dev/tty"
  local size = pipe:read "*a"
  pipe:close()
  local columns = tonumber(size:match "^%d+ (%d+)")
  return columns and columns > 0 and columns or DEFAULT_COLUMNS
end

--- Text from outside on one line, without what could command the terminal.
---@type fun(text: string, maximum?: integer): string
terminal.printable = printable

--- Text in red, for a terminal.
---@param text string
---@return string
function terminal.red(text)
  return "\27[31m" .. text .. "\27[0m"
end

return terminal
