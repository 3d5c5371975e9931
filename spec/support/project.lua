--- The project's own files.

local project = {}

--- Its top folder, with a slash at the end.
project.root = debug.getinfo(1, "S").source:match("^@(.*)spec/support/[^/]*$")
if project.root == "" then project.root = "./" end

--- A file's text.
---@param path string below the top folder
---@return string
function project.read(path)
  local file = assert(io.open(project.root .. path, "rb"))
  local text = file:read("*a")
  file:close()
  return text
end

--- The files below a folder, sorted.
---@param folder string below the top folder
---@return string[] paths below the top folder
function project.files(folder)
  local paths = {}
  local listing = assert(io.popen("cd '" .. project.root .. "' && find '" .. folder .. "' -type f | LC_ALL=C sort"))
  for path in listing:lines() do paths[#paths + 1] = path end
  listing:close()
  return paths
end

return project
