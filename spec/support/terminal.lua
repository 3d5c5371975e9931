--- A terminal with a program in it: keys are typed and the screen is read, through tmux.

local process = require("spec.support.process")
local shell = require("spec.support.shell")
local wait = require("spec.support.wait")

local COLUMNS, ROWS = 100, 40
local LIFETIME_SECONDS = 60 -- after which it is ended, should the specs not live to do it
local WAIT_SECONDS = 10

-- Says how the program ended and keeps the screen; the trap keeps Ctrl-C for the program alone.
local SCRIPT = [[trap : INT; "$@"; echo "[ended with $?]"; read -r _]]

local Terminal = {}
Terminal.__index = Terminal

local terminal = {}

--- Whether this machine has tmux.
---@return boolean
function terminal.available()
  return process.run({ "sh", "-c", "command -v tmux" }).code == 0
end

function Terminal:tmux(...)
  local result = process.run({ "tmux", "-f", "/dev/null", "-S", self.socket, ... }, { env = { TMUX = false } })
  if result.code ~= 0 then error("tmux: " .. result.stderr, 2) end
  return result.stdout
end

--- Starts a program.
---@param argv string[]
---@param environment? table<string, string|false>
function terminal.open(argv, environment)
  local socket = os.tmpname()
  os.remove(socket)
  local self = setmetatable({ socket = socket }, Terminal)
  local words = { "env" }
  for name, value in pairs(environment or {}) do
    if value == false then table.insert(words, 2, "--unset=" .. name) else words[#words + 1] = name .. "=" .. value end
  end
  for _, word in ipairs({ "sh", "-c", SCRIPT, "sh" }) do words[#words + 1] = word end
  for _, word in ipairs(argv) do words[#words + 1] = word end
  self:tmux("new-session", "-d", "-x", COLUMNS, "-y", ROWS, "-s", "spec", shell.join(words), ";",
    "run-shell", "-b", "-C", "-d", LIFETIME_SECONDS, "kill-server")
  return self
end

--- Types text as it is.
---@param text string
function Terminal:type(text)
  self:tmux("send-keys", "-t", "spec", "-l", text)
end

--- Presses keys: "Enter", "Tab", "Up", "C-c", …
---@param ... string
function Terminal:press(...)
  self:tmux("send-keys", "-t", "spec", ...)
end

--- Types a line and presses Enter.
---@param line string
function Terminal:enter(line)
  self:type(line)
  self:press("Enter")
end

--- What can be read now, without blank ends; with `colors`, as escape sequences.
---@param colors? boolean
---@return string
function Terminal:screen(colors)
  local text = self:tmux("capture-pane", "-t", "spec", "-p", "-J", colors and "-e" or nil)
  return (text:gsub("[ \t]+\n", "\n"):gsub("%s+$", ""))
end

--- Waits until the screen has a text.
---@param text string plain
---@return string screen
function Terminal:wait_for(text)
  return self:wait_until(function(screen) return screen:find(text, 1, true) and screen end, ("%q"):format(text))
end

--- Waits until `condition(screen)` is true, and returns what it returned.
---@param condition fun(screen: string): any
---@param what string completes "waiting for …"
function Terminal:wait_until(condition, what)
  local ok, result = pcall(wait.until_true, function() return condition(self:screen()) end, WAIT_SECONDS, what)
  if not ok then error(result .. "; the screen:\n" .. self:screen(), 3) end
  return result
end

--- Waits until the program has ended.
---@return integer exit code
---@return string screen
function Terminal:wait_for_end()
  local screen = self:wait_for("[ended with ")
  return tonumber(screen:match("%[ended with (%d+)%]")), screen
end

--- Ends whatever runs in it.
function Terminal:close()
  process.run({ "tmux", "-S", self.socket, "kill-server" }) -- fails where its time is over
  os.remove(self.socket)
end

return terminal
