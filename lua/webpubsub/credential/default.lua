--- Whatever there is: variables of the environment, a workload's identity, a managed one, or who has signed in.

local azure_cli = require "webpubsub.credential.azure_cli"
local azure_developer_cli = require "webpubsub.credential.azure_developer_cli"
local chain = require "webpubsub.credential.chain"
local client_certificate = require "webpubsub.credential.client_certificate"
local client_secret = require "webpubsub.credential.client_secret"
local core = require "webpubsub.core"
local managed_identity = require "webpubsub.credential.managed_identity"
local options = require "webpubsub.credential.options"
local source = require "webpubsub.credential.source"
local workload_identity = require "webpubsub.credential.workload_identity"

local default = {}

local OPERATION = "credential.default"

local function from_environment(given, getenv)
  local variable = options.variable
  local secret = variable(getenv, "AZURE_CLIENT_SECRET")
  local certificate = variable(getenv, "AZURE_CLIENT_CERTIFICATE_PATH")
  local parts = {
    tenant = given.tenant or variable(getenv, "AZURE_TENANT_ID"), client_id = variable(getenv, "AZURE_CLIENT_ID"),
    authority = given.authority, scope = given.scope, timeout = given.timeout,
  }
  if not (parts.tenant and parts.client_id and (secret or certificate)) then
    return source.missing("AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET or "
      .. "AZURE_CLIENT_CERTIFICATE_PATH are not all set")
  elseif secret then
    parts.secret = secret
    return client_secret.source(parts, getenv)
  end
  parts.certificate, parts.password = certificate, variable(getenv, "AZURE_CLIENT_CERTIFICATE_PASSWORD")
  return client_certificate.source(parts, getenv)
end

-- In the order in which they are tried, with the names that AZURE_TOKEN_CREDENTIALS has for them.
local members = {
  { "environment", "environmentcredential", "prod", from_environment },
  { "workload_identity", "workloadidentitycredential", "prod", function(given, getenv)
    return workload_identity.source({ tenant = given.tenant, client_id = given.client_id, authority = given.authority,
      scope = given.scope, timeout = given.timeout }, getenv)
  end },
  { "managed_identity", "managedidentitycredential", "prod", function(given, getenv, defaults)
    local all = { client_id = given.client_id or options.variable(getenv, "AZURE_CLIENT_ID") }
    for name, value in pairs(defaults or {}) do all[name] = value end
    return managed_identity.source({ scope = given.scope, timeout = given.timeout }, getenv, all)
  end },
  { "azure_cli", "azureclicredential", "dev", function(given)
    return azure_cli.source { tenant = given.tenant, scope = given.scope, timeout = given.timeout }
  end },
  { "azure_developer_cli", "azuredeveloperclicredential", "dev", function(given)
    return azure_developer_cli.source { tenant = given.tenant, scope = given.scope, timeout = given.timeout }
  end },
}

local function refuse(argument, message)
  core.raise("argument", "invalid", message, argument, OPERATION)
end

local function names()
  local list = {}
  for index, member in ipairs(members) do list[index] = member[1] end
  return list
end

local function excluded_of(given)
  local excluded = {}
  for _, name in pairs(given.exclude or {}) do
    local known = false
    for _, member in ipairs(members) do known = known or member[1] == name end
    if not known then
      refuse("exclude", ("exclude has \"%.40s\", which is no source; they are %s"):format(tostring(name),
        table.concat(names(), ", ")))
    end
    excluded[name] = true
  end
  return excluded
end

-- AZURE_TOKEN_CREDENTIALS narrows the chain to a kind, or to one.
local function is_wanted(getenv)
  local wanted = (options.variable(getenv, "AZURE_TOKEN_CREDENTIALS") or ""):lower()
  if wanted == "" then return function() return true end end
  local function fits(member) return wanted == member[1] or wanted == member[2] or wanted == member[3] end
  for _, member in ipairs(members) do
    if fits(member) then return fits end
  end
  refuse("AZURE_TOKEN_CREDENTIALS", "AZURE_TOKEN_CREDENTIALS must be prod, dev, or one of "
    .. table.concat(names(), ", "))
end

-- What one of them finds wrong is its reason in the list; the others may work.
local function built(build, ...)
  local ok, result = pcall(build, ...)
  if ok then return result end
  return source.missing(type(result) == "table" and result.message or tostring(result))
end

---@param given webpubsub.DefaultCredentialOptions|nil
---@param getenv fun(name: string): string|nil
---@param defaults table|nil  see managed_identity.lua
function default.source(given, getenv, defaults)
  given = options.checked(given, "default")
  local excluded, wanted, entries = excluded_of(given), is_wanted(getenv), {}
  for _, member in ipairs(members) do
    if wanted(member) and not excluded[member[1]] then
      entries[#entries + 1] = { name = member[1], source = built(member[4], given, getenv, defaults) }
    end
  end
  if #entries == 0 then refuse("exclude", "exclude leaves no source of tokens") end
  return chain.source(entries)
end

return default
