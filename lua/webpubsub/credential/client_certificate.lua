--- An application with a certificate.

local core = require "webpubsub.core"
local options = require "webpubsub.credential.options"
local source = require "webpubsub.credential.source"

local client_certificate = {}

local OPERATION = "credential.client_certificate"

---@param given webpubsub.ClientCertificateOptions
---@param getenv fun(name: string): string|nil
function client_certificate.source(given, getenv)
  given = options.checked(given, "client_certificate")
  if not given.certificate then
    core.raise("argument", "missing", "certificate is missing: a PEM or PKCS#12 file", "certificate", OPERATION)
  end
  options.set_authority(given, getenv)
  given.source = "assertion"
  return source.of_identity(core.identity(given, OPERATION), "Entra ID", { seconds = given.timeout })
end

return client_certificate
