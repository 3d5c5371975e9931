--- `webpubsub emulator`: the emulator is a program of its own, always on Lua 5.4.

local exits = require "webpubsub.cli.exits"
local report = require "webpubsub.cli.report"

local emulator = {}

local MAIN = debug.getinfo(1, "S").source:match "^@(.*)cli/emulator%.lua$" .. "emulator/main.lua"

local function quote(text)
  return "'" .. text:gsub("'", "'\\''") .. "'"
end

-- The search paths and settings of this Lua are not those of Lua 5.4.
local function command_in_lua54(words)
  local reset = _VERSION ~= "Lua 5.4" and "unset LUA_PATH LUA_CPATH LUA_INIT; " or ""
  local command = { reset .. "exec lua5.4", quote(MAIN) }
  for _, word in ipairs(words) do command[#command + 1] = quote(word) end
  return table.concat(command, " ")
end

local function run_in_lua54(words)
  local first, _, code = os.execute(command_in_lua54(words))
  if type(first) == "number" then return math.floor(first / 256) end -- Lua 5.1: the status as wait() has it
  return code or (first and exits.OK or exits.BROKEN)
end

-- Its help as a text: whether that can be written is this program's to notice.
local function help_text()
  local pipe = io.popen(command_in_lua54 { "--help" })
  local text = pipe:read "*a"
  pipe:close()
  return text
end

local function is_installed()
  local file = io.open(MAIN)
  return file ~= nil and file:close()
end

--- Serves until it is interrupted.
---@param words string[]  its own options
---@return integer? exit_code
---@return string? wrong  where it is not installed beside this program
function emulator.run(words)
  if not is_installed() then
    return nil, "the emulator is not installed beside this program: it is the rock webpubsub-emulator, for Lua 5.4, "
      .. "which has a program of the same name"
  end
  local first = words[1]
  if first == "--help" or first == "-h" then
    local text = help_text()
    if text ~= "" then return report.text((text:gsub("\n$", ""))) end
  end
  if _VERSION ~= "Lua 5.4" then return run_in_lua54(words) end
  local command_line = rawget(_G, "arg") -- the same table: argparse, already loaded, holds on to it
  for index = 1, math.max(#command_line, #words) do command_line[index] = words[index] end
  command_line[0] = MAIN
  return dofile(MAIN)
end

return emulator
