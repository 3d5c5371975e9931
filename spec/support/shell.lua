--- Command lines for the POSIX shell behind io.popen and os.execute.

local shell = {}

--- One word the shell takes literally.
---@param text string
---@return string
function shell.quote(text)
  if text:find("\0", 1, true) then error("a command-line argument cannot hold a NUL byte", 2) end
  return "'" .. text:gsub("'", [['\'']]) .. "'"
end

--- A command from its arguments.
---@param argv string[]
---@return string
function shell.join(argv)
  local words = {}
  for i, argument in ipairs(argv) do words[i] = shell.quote(tostring(argument)) end
  return table.concat(words, " ")
end

--- The words that run a Lua program beside this file in Lua 5.4, away from the search paths meant for the specs' Lua.
---@param name string its file name
---@return string[] argv
function shell.lua_program(name)
  local directory = debug.getinfo(1, "S").source:match("^@(.*/)[^/]*$") or "./"
  return { "env", "-u", "LUA_PATH", "-u", "LUA_CPATH", "lua5.4", directory .. name }
end

return shell
