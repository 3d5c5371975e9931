--- Locales whose decimal point is none, made anew: most machines have none of them.

local process = require("spec.support.process")

local locale = {}

local function run(argv)
  local result = process.run(argv)
  assert(result.code == 0, result.stderr)
  return result.stdout
end

--- Compiles de_DE.UTF-8 (a comma) and ps_AF.UTF-8 (U+066B, two bytes) into a folder for LOCPATH.
---@return string directory the caller removes it with `locale.remove`
function locale.make()
  local directory = run({ "mktemp", "-d" }):gsub("\n$", "")
  for _, name in ipairs({ "de_DE", "ps_AF" }) do
    run({ "localedef", "-i", name, "-f", "UTF-8", ("%s/%s.UTF-8"):format(directory, name) })
  end
  return directory
end

---@param directory string
function locale.remove(directory)
  run({ "rm", "-rf", directory })
end

return locale
