--- Tokens from a program that somebody has signed in with: the Azure CLI, the Azure Developer CLI.

local core = require "webpubsub.core"
local options = require "webpubsub.credential.options"

local program = {}

local DEFAULT_SCOPE = "https://webpubsub.azure.com/.default"
local DEFAULT_SECONDS = 30

-- Seconds between two looks at whether the program is through.
local FIRST_PAUSE, LONGEST_PAUSE = 0.005, 0.05

local Program = {}
Program.__index = Program

-- What becomes an argument of the program must not be read as one of its options.
local function check(value, name, pattern, form, operation)
  if value and (not value:find(pattern) or value:find "^%-") then
    core.raise("argument", "invalid", ("%s must be %s"):format(name, form), name, operation)
  end
end

function Program:fetch(request)
  if request.claims then
    return nil, "claims", ("the service asks for more claims, which %s cannot: sign in again (%s)"):format(self.name,
      self.login)
  end
  local transport = request.transport
  local running, code, message = core.program(self.command)
  if not running then return nil, code, message end
  local due, pause = transport.now() + math.min(self.seconds, request.seconds), FIRST_PAUSE
  while not running:step() do
    if transport.now() >= due then
      running:close()
      return nil, "timeout", ("%s did not end within %g s"):format(self.command[1], self.seconds)
    end
    transport.sleep(pause)
    pause = math.min(pause * 2, LONGEST_PAUSE)
  end
  return running:answer(self.command[1], transport.wall())
end

--- A source that runs a program.
---@param given webpubsub.ProgramOptions|nil
---@param kind string  "azure_cli" or "azure_developer_cli"
---@param how table  `name`, `command`, the option for a `tenant`, and how to sign in (`login`)
function program.source(given, kind, how)
  local operation = "credential." .. kind
  given = options.checked(given, "azure_cli")
  if options.inside_nginx() then
    core.raise("argument", "unsupported", kind .. " starts a program, which a worker of NGINX must not; use "
      .. "managed_identity, workload_identity, client_certificate or client_secret", "credential", operation)
  end
  check(given.tenant, "tenant", "^[%w.-]+$", "the directory's id or one of its domains", operation)
  check(given.scope, "scope", "^[\33-\126]+/%.default$", "a resource and /.default", operation)
  local command = {}
  for index, word in ipairs(how.command) do command[index] = word end
  command[#command + 1] = "--scope"
  command[#command + 1] = given.scope or DEFAULT_SCOPE
  if given.tenant then
    command[#command + 1] = how.tenant
    command[#command + 1] = given.tenant
  end
  return setmetatable({
    name = how.name, login = how.login, command = command, seconds = given.timeout or DEFAULT_SECONDS,
  }, Program)
end

return program
