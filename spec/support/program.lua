--- The program `webpubsub`, run by the interpreter that runs the specs.

local process = require("spec.support.process")

local program = {}

local script = debug.getinfo(require("webpubsub.cli").run, "S").source:match("^@(.*)init%.lua$") .. "main.lua"

-- What the machine that runs the specs may have set.
local NOTHING_SET = { WebPubSubConnectionString = false, WebPubSubHub = false, WebPubSubKey = false, NO_COLOR = false }

--- The words that run it.
---@param arguments string[]
---@return string[] argv
function program.argv(arguments)
  local argv = { process.interpreter(), script }
  for _, word in ipairs(arguments) do argv[#argv + 1] = word end
  return argv
end

--- Its environment: the modules of the specs, and no settings but these.
---@param settings? table<string, string|false>
function program.environment(settings)
  local environment = { LUA_PATH = package.path, LUA_CPATH = package.cpath }
  for name, value in pairs(NOTHING_SET) do environment[name] = value end
  for name, value in pairs(settings or {}) do environment[name] = value end
  return environment
end

--- Runs it to its end.
---@param arguments string[]
---@param options? { settings?: table, stdin?: string }
---@return process.Result
function program.run(arguments, options)
  options = options or {}
  return process.run(program.argv(arguments), { env = program.environment(options.settings), stdin = options.stdin })
end

return program
