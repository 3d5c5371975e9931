--- Errors as text, for hosts that can show nothing else.
--
-- What a host makes of an error object that nobody catches, a table or a userdata, whatever its __tostring says:
--   Lua 5.2 to 5.5 and LuaJIT   its text
--   cqueues                     hands it on from `loop` as it is; assert(loop()) then raises it
--   Lua 5.1                     "(error object is not a string)"; so the library raises text in the main thread where
--                               nothing on the stack can catch it. assert() complains of its argument, as in 5.2
--   NGINX (ngx_lua)             "unknown reason", in every phase, timer and light thread
--   luv                         "Uncaught Error: (null)", and ends the process
-- An error object cannot help it: lua_tostring() knows strings and numbers only. So it is made text where it leaves.

local error, pcall, tostring, type = error, pcall, tostring, type
local gsub = string.gsub

local function finish(ok, ...)
  if ok then return ... end
  local problem = ...
  if type(problem) == "string" then error(problem, 0) end
  local text = gsub(tostring(problem), "%s*\n%s*", " ")
  error(text, 0)
end

--- Makes a function that does what `action` does, and whose errors are one line of text. For callbacks of luv, handlers
--- of NGINX and main functions in Lua 5.1, where nobody catches errors. In Lua 5.1 proper `action` cannot yield.
---@param action fun(...): ...
---@return fun(...): ...
return function(action)
  return function(...) return finish(pcall(action, ...)) end
end
