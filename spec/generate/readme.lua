-- Makes the README's table of operations, between its two markers.

local core = require("webpubsub.core")

local readme = {}

readme.path = "README.md"

local BEGINNING, ENDING = "<!-- operations -->\n", "<!-- /operations -->"

local function parameters_of(operation)
  local names = {}
  for index, parameter in ipairs(operation.parameters) do
    names[index] = (parameter.required and "**%s**" or "%s"):format(parameter.name)
  end
  return table.concat(names, ", ")
end

local function operations_table()
  local lines = { "| operation | arguments | |", "|---|---|---|" }
  for _, operation in ipairs(core.operations()) do
    lines[#lines + 1] = ("| `%s` | %s | %s |"):format(operation.name, parameters_of(operation), operation.doc)
  end
  return table.concat(lines, "\n") .. "\n"
end

--- The README with the table as it should be.
---@param text string  the README
---@return string
function readme.text(text)
  local _, beginning = text:find(BEGINNING, 1, true)
  local ending = text:find(ENDING, 1, true)
  assert(beginning and ending and beginning < ending, "README.md lacks the markers of the table of operations")
  return text:sub(1, beginning) .. operations_table() .. text:sub(ending)
end

return readme
