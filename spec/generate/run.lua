-- Writes what is made from the table of operations: `make generate`.

local annotations = require("spec.generate.annotations")
local project = require("spec.support.project")
local readme = require("spec.generate.readme")

local function write(path, text)
  local file = assert(io.open(project.root .. path, "wb"))
  assert(file:write(text))
  assert(file:close())
end

write(annotations.path, annotations.text())
write(readme.path, readme.text(project.read(readme.path)))
