--- Whoever has signed in with `az login`.

local program = require "webpubsub.credential.program"

local azure_cli = {}

---@param given webpubsub.ProgramOptions|nil
function azure_cli.source(given)
  return program.source(given, "azure_cli", {
    name = "the Azure CLI", command = { "az", "account", "get-access-token", "--output", "json" }, tenant = "--tenant",
    login = "az login",
  })
end

return azure_cli
