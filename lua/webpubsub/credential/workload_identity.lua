--- A workload whose platform (Kubernetes, a pipeline) writes a federated token to a file, again and again.

local core = require "webpubsub.core"
local options = require "webpubsub.credential.options"
local source = require "webpubsub.credential.source"

local workload_identity = {}

local KIND = "workload_identity"

---@param given webpubsub.WorkloadIdentityOptions|nil
---@param getenv fun(name: string): string|nil
function workload_identity.source(given, getenv)
  given = options.checked(given, KIND)
  options.default(given, "tenant", getenv, "AZURE_TENANT_ID", KIND, true)
  options.default(given, "client_id", getenv, "AZURE_CLIENT_ID", KIND, true)
  options.default(given, "token_file", getenv, "AZURE_FEDERATED_TOKEN_FILE", KIND, true)
  options.set_authority(given, getenv)
  given.source = "assertion"
  return source.of_identity(core.identity(given, "credential." .. KIND), "Entra ID", { seconds = given.timeout })
end

return workload_identity
