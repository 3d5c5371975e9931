--- The README's code, and how it is run: block after block, as a reader would type it, with what one block declares
--- still there in the next.

local project = require("spec.support.project")

local readme = { text = project.read("README.md") }

--- The fenced blocks of a language, in order.
---@param language string
---@param text? string  of another page
---@return string[]
function readme.blocks(language, text)
  local blocks = {}
  for block in (text or readme.text):gmatch("\n```" .. language .. "\n(.-\n)```\n") do blocks[#blocks + 1] = block end
  return blocks
end

--- What stands between backquotes within a line.
---@return string[]
function readme.spans()
  local spans = {}
  for span in readme.text:gsub("\n```.-\n```", ""):gmatch("`([^`\n]+)`") do spans[#spans + 1] = span end
  return spans
end

-- A line that shows a value, such as `err.kind --> "argument"`, is no statement of Lua: it becomes a call. So does the
-- expectation behind a print. Locals of a block become globals, for the blocks that follow.
local function to_lua(block)
  local lines = {}
  for text in block:gmatch("([^\n]*)\n") do
    local line = text
    local expression, arrow, comment = line:match("^([%a_][%w_.%[%]\"]*)%s+%-%-(>?)%s*(.*)$")
    local printed, expected = line:match("^(print%(.*%))%s+%-%->%s*(.*)$")
    if expression then
      line = ("show(%s, %q, %s)"):format(expression, comment, tostring(arrow == ">"))
    elseif printed then
      line = ("%s expect(%q)"):format(printed, expected)
    end
    lines[#lines + 1] = line:gsub("^local ", "")
  end
  return table.concat(lines, "\n")
end

--- Runs a block in an environment.
---@param block string
---@param environment table
function readme.run(block, environment)
  local source, name = to_lua(block), "=README.md"
  if setfenv then return setfenv(assert(loadstring(source, name)), environment)() end -- luacheck: ignore 113 (Lua 5.1)
  return assert(load(source, name, "t", environment))()
end

--- The value of a literal; nil where the text is none.
---@param text string
function readme.literal(text)
  local chunk = (loadstring or load)("return " .. text) -- luacheck: ignore 113 (Lua 5.1)
  return chunk and chunk()
end

return readme
