--- `webpubsub emulator`: the emulator is a program of its own, always on Lua 5.4.

local emulator = {}

local MAIN = debug.getinfo(1, "S").source:match "^@(.*)cli/emulator%.lua$" .. "emulator/main.lua"

local EXIT_FAILURE = 1

local function quote(text)
  return "'" .. text:gsub("'", "'\\''") .. "'"
end

-- The search paths and settings of this Lua are not those of Lua 5.4.
local function run_in_lua54(words)
  local command = { "unset LUA_PATH LUA_CPATH LUA_INIT; exec lua5.4", quote(MAIN) }
  for _, word in ipairs(words) do command[#command + 1] = quote(word) end
  local first, _, code = os.execute(table.concat(command, " "))
  if type(first) == "number" then return math.floor(first / 256) end -- Lua 5.1: the status as wait() has it
  return code or (first and 0 or EXIT_FAILURE)
end

--- Serves until it is interrupted.
---@param words string[]  its own options
---@return integer exit_code
function emulator.run(words)
  if _VERSION ~= "Lua 5.4" then return run_in_lua54(words) end
  local command_line = rawget(_G, "arg") -- the same table: argparse, already loaded, holds on to it
  for index = 1, math.max(#command_line, #words) do command_line[index] = words[index] end
  command_line[0] = MAIN
  return dofile(MAIN)
end

return emulator
