--- Whoever has signed in with `azd auth login`.

local program = require "webpubsub.credential.program"

local azure_developer_cli = {}

---@param given webpubsub.ProgramOptions|nil
function azure_developer_cli.source(given)
  return program.source(given, "azure_developer_cli", {
    name = "the Azure Developer CLI", command = { "azd", "auth", "token", "--output", "json" }, tenant = "--tenant-id",
    login = "azd auth login",
  })
end

return azure_developer_cli
