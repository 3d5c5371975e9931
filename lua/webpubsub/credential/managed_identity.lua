--- The identity that Azure gives to what runs in it. Where to ask for its tokens says the environment.

local core = require "webpubsub.core"
local options = require "webpubsub.credential.options"
local source = require "webpubsub.credential.source"

local managed_identity = {}

local KIND = "managed_identity"
local ARC_KEYS = "/var/opt/azcmagent/tokens"
local IMDS_SECONDS = 90 -- it is updated now and then, for more than a minute

local NO_THUMBPRINTS = "Service Fabric's endpoint is known by the thumbprint of its certificate, which cannot be "
  .. "checked inside NGINX; give a function as the credential"

-- The first whose variables are all there.
local sources = {
  { "service_fabric", "IDENTITY_ENDPOINT", "IDENTITY_HEADER", "IDENTITY_SERVER_THUMBPRINT",
    secret = "IDENTITY_HEADER" },
  { "app_service", "IDENTITY_ENDPOINT", "IDENTITY_HEADER", secret = "IDENTITY_HEADER", takes_id = true },
  { "arc", "IDENTITY_ENDPOINT", "IMDS_ENDPOINT" },
  { "azure_ml", "MSI_ENDPOINT", "MSI_SECRET", secret = "MSI_SECRET", takes_id = true },
  { "cloud_shell", "MSI_ENDPOINT" },
  { "imds", takes_id = true },
}

-- Service Fabric's certificate is signed by nobody; its SHA-1 is in the environment.
local function read_thumbprint(getenv)
  local thumbprint = options.variable(getenv, "IDENTITY_SERVER_THUMBPRINT")
  if options.inside_nginx() then
    core.raise("argument", "unsupported", NO_THUMBPRINTS, "credential", "credential." .. KIND)
  elseif not options.variable(getenv, "IDENTITY_ENDPOINT"):lower():find "^https://" then
    core.raise("argument", "invalid", "IDENTITY_ENDPOINT must begin with https:// where IDENTITY_SERVER_THUMBPRINT is "
      .. "set", "IDENTITY_ENDPOINT", "credential." .. KIND)
  elseif #thumbprint ~= 40 or thumbprint:find "%X" then
    core.raise("argument", "invalid", "IDENTITY_SERVER_THUMBPRINT must be 40 hexadecimal digits",
      "IDENTITY_SERVER_THUMBPRINT", "credential." .. KIND)
  end
  return thumbprint
end

local function has_all(entry, getenv)
  for index = 2, #entry do
    if not options.variable(getenv, entry[index]) then return false end
  end
  return true
end

local function choose(getenv)
  for _, entry in ipairs(sources) do
    if has_all(entry, getenv) then return entry end
  end
end

local names = {
  service_fabric = "Service Fabric", app_service = "App Service", arc = "Azure Arc", azure_ml = "Azure ML",
  cloud_shell = "Cloud Shell", imds = "the virtual machine's metadata service",
}

---@param given webpubsub.ManagedIdentityOptions|nil
---@param getenv fun(name: string): string|nil
---@param defaults table|nil  `client_id`, where a source takes one; `imds`, an origin, and `arc_keys`, a folder: others
---  than Azure's
function managed_identity.source(given, getenv, defaults)
  given, defaults = options.checked(given, KIND), defaults or {}
  local entry = choose(getenv)
  local kind = entry[1]
  given.source, given.place_name = kind, entry[2]
  given.place = entry[2] and options.variable(getenv, entry[2])
  given.secret = entry.secret and options.variable(getenv, entry.secret)
  if not (given.client_id or given.object_id or given.resource_id) then
    given.client_id = entry.takes_id and defaults.client_id
      or kind == "azure_ml" and options.variable(getenv, "DEFAULT_IDENTITY_CLIENT_ID") or nil
  end
  if kind == "imds" then given.place, given.place_name = defaults.imds, "imds" end
  local fields = { seconds = given.timeout or kind == "imds" and IMDS_SECONDS, is_imds = kind == "imds" }
  if kind == "arc" then fields.folder = defaults.arc_keys or ARC_KEYS end
  if kind == "service_fabric" then fields.thumbprint = read_thumbprint(getenv) end
  return source.of_identity(core.identity(given, "credential." .. KIND), names[kind], fields)
end

return managed_identity
