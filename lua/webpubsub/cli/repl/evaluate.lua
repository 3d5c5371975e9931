--- Turns what was typed into a chunk: an expression, whose values are wanted, or statements.

local evaluate = {}

local load_text = loadstring or load -- luacheck: ignore 113

local CHUNK_NAME = "=prompt"

-- The parser met the end of the text while it wanted more; but a string in quotes ends on its line.
local function is_incomplete(message)
  return message:find "near '?<eof>'?$" ~= nil and not message:find("unfinished string", 1, true)
end

--- Compiles a text.
---@param text string  one or more lines; `=` before an expression is allowed, as in Lua 5.1
---@return function|nil chunk
---@return string|nil message  what is wrong with it; nil where only the rest is missing
---@return string|nil missing  what the parser said where only the rest is missing
function evaluate.compile(text)
  local body, marked = text:gsub("^%s*=", "", 1)
  local expression, why = load_text("return " .. body, CHUNK_NAME)
  if expression then return expression end
  if is_incomplete(why) and marked > 0 then return nil, nil, why end
  if marked > 0 then return nil, why end

  local statements, statement_error = load_text(text, CHUNK_NAME)
  if statements then return statements end
  if is_incomplete(statement_error) then return nil, nil, statement_error end
  if is_incomplete(why) then return nil, nil, why end
  return nil, statement_error
end

return evaluate
