--- An application with a client secret.

local core = require "webpubsub.core"
local options = require "webpubsub.credential.options"
local source = require "webpubsub.credential.source"

local client_secret = {}

---@param given webpubsub.ClientSecretOptions
---@param getenv fun(name: string): string|nil
function client_secret.source(given, getenv)
  given = options.checked(given, "client_secret")
  options.set_authority(given, getenv)
  given.source = "client_secret"
  return source.of_identity(core.identity(given, "credential.client_secret"), "Entra ID", { seconds = given.timeout })
end

return client_secret
