-- Makes the README's table of operations, between its two markers.

local core = require("webpubsub.core")

local readme = {}

readme.path = "README.md"

local BEGINNING, ENDING = "<!-- operations -->\n", "<!-- /operations -->"

local types = { ["list of strings"] = "list", integer = "integer", any = "any value" }

local function describe(parameter)
  local kind = parameter.choices and table.concat(parameter.choices, " or ") or types[parameter.type]
  return (parameter.required and "**%s**" or "%s"):format(parameter.name) .. (kind and " (" .. kind .. ")" or "")
end

local function parameters_of(operation)
  local names = {}
  for index, parameter in ipairs(operation.parameters) do names[index] = describe(parameter) end
  return table.concat(names, ", ")
end

local function operations_table()
  local lines = { "| operation | arguments |", "|---|---|" }
  for _, operation in ipairs(core.operations()) do
    lines[#lines + 1] = ("| `%s` | %s |"):format(operation.name, parameters_of(operation))
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
