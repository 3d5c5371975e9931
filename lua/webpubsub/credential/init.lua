--- Where tokens of Entra ID come from: `webpubsub.credential.…`, for the option `credential` of clients, of which any
--- number can share one. See README.md.

local azure_cli = require "webpubsub.credential.azure_cli"
local azure_developer_cli = require "webpubsub.credential.azure_developer_cli"
local cache = require "webpubsub.credential.cache"
local chain = require "webpubsub.credential.chain"
local client_certificate = require "webpubsub.credential.client_certificate"
local client_secret = require "webpubsub.credential.client_secret"
local core = require "webpubsub.core"
local default = require "webpubsub.credential.default"
local managed_identity = require "webpubsub.credential.managed_identity"
local source = require "webpubsub.credential.source"
local workload_identity = require "webpubsub.credential.workload_identity"

local credential = {}

local kinds = {
  client_secret = client_secret, client_certificate = client_certificate, workload_identity = workload_identity,
  managed_identity = managed_identity, azure_cli = azure_cli, azure_developer_cli = azure_developer_cli,
  default = default,
}

--- The public functions, one for each kind. Nothing is sent; what is wrong with the options is raised here.
---@type webpubsub.Credentials
credential.kinds = {}

for name, kind in pairs(kinds) do
  credential.kinds[name] = function(options) return cache.new(kind.source(options, os.getenv), name) end
end

local function entry_of(value, index)
  local inner, name = cache.source_of(value)
  if inner then return { name = name, source = inner } end
  if type(value) == "function" then
    return { name = ("function %d"):format(index), source = source.of_function(value) }
  end
  core.raise("argument", "type", ("the chain's entry %d must be a credential or a function; it is a %s"):format(index,
    type(value)), "credential", "credential.chain")
end

--- One's own chain of credentials and functions.
function credential.kinds.chain(list)
  local entries = {}
  for index, value in ipairs(type(list) == "table" and list or {}) do entries[index] = entry_of(value, index) end
  if #entries == 0 then
    core.raise("argument", "empty", "chain takes a list of credentials, as in chain { one, another }", "credential",
      "credential.chain")
  end
  return cache.new(chain.source(entries), "chain")
end

-- By the AuthType of a connection string.
local function of_parts(parts)
  if parts.auth_type == "azure.msi" then return credential.kinds.managed_identity { client_id = parts.client_id } end
  if parts.auth_type == "azure.app" then
    return credential.kinds.client_secret { tenant = parts.tenant, client_id = parts.client_id, secret = parts.secret }
  end
  return credential.kinds.default()
end

--- The credential that a client's options name: an object, a function, or what its connection string says; else nil.
---@param options webpubsub.Options
function credential.of(options)
  local given, string = core.field(options, "credential"), core.field(options, "connection_string")
  if given == nil then
    local parts = string and core.connection_credential(string)
    return parts and of_parts(parts)
  elseif type(given) == "function" then
    return cache.new(source.of_function(given), "credential function")
  elseif not cache.source_of(given) then
    core.raise("argument", "type", "credential must be one of webpubsub.credential, such as "
      .. "webpubsub.credential.managed_identity(), or a function", "credential", "new")
  end
  return given
end

return credential
