-- Writes what is made from the tables in C, and the rockspecs: `make generate`.

local annotations = require("spec.generate.annotations")
local project = require("spec.support.project")
local reference = require("spec.generate.reference")
local readme = require("spec.generate.readme")
local rockspecs = require("spec.generate.rockspecs")

local function write(path, text)
  local file = assert(io.open(project.root .. path, "wb"))
  assert(file:write(text))
  assert(file:close())
end

write(annotations.path, annotations.text())
write(reference.path, reference.text())
write(readme.path, readme.text(project.read(readme.path)))

local current = {}
for _, file in ipairs(rockspecs.files()) do
  write(file.path, file.text)
  current[file.path] = true
end
for _, path in ipairs(rockspecs.present()) do -- of an earlier version
  if not current[path] then assert(os.remove(project.root .. path)) end
end
