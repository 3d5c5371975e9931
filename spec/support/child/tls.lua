-- The server's side of TLS.

local pkey = require("openssl.pkey")
local ssl = require("openssl.ssl")
local ssl_context = require("openssl.ssl.context")
local store = require("openssl.x509.store")
local x509 = require("openssl.x509")

local VERSIONS = { -- in order
  { name = "1.0", off = ssl_context.OP_NO_TLSv1 },
  { name = "1.1", off = ssl_context.OP_NO_TLSv1_1 },
  { name = "1.2", off = ssl_context.OP_NO_TLSv1_2 },
  { name = "1.3", off = ssl_context.OP_NO_TLSv1_3 },
}
local DEFAULT_MIN = "1.2"
local DEFAULT_MAX = "1.3"

local tls = {}

local function read_file(path)
  local file = assert(io.open(path, "rb"))
  local bytes = file:read("a")
  file:close()
  return bytes
end

local function restrict_versions(context, min, max)
  for _, version in ipairs(VERSIONS) do
    if version.name < min or version.name > max then context:setOptions(version.off) end
  end
  -- OpenSSL's default security level has no cipher left for the versions before 1.2.
  if min < DEFAULT_MIN then context:setCipherList("DEFAULT:@SECLEVEL=0") end
end

local function require_client_certificate(context, ca_path)
  local trusted = store.new()
  trusted:add(x509.new(read_file(ca_path), "PEM"))
  context:setStore(trusted)
  context:setVerify(ssl_context.VERIFY_PEER | ssl_context.VERIFY_FAIL_IF_NO_PEER_CERT)
end

local function select_alpn(preferred)
  return function(_, offered)
    for _, protocol in ipairs(preferred) do
      for _, candidate in ipairs(offered) do
        if candidate == protocol then return protocol end
      end
    end
    return nil
  end
end

-- A context from the options of scripted_server.start.
function tls.server_context(options)
  local context = ssl_context.new("TLS", true)
  context:setCertificate(x509.new(read_file(options.tls.cert), "PEM"))
  context:setPrivateKey(pkey.new(read_file(options.tls.key), "PEM"))
  local max = options.tls_max or DEFAULT_MAX
  local min = options.tls_min or (max < DEFAULT_MIN and max or DEFAULT_MIN)
  restrict_versions(context, min, max)
  if options.client_ca then require_client_certificate(context, options.client_ca) end
  if options.alpn then context:setAlpnSelect(select_alpn(options.alpn)) end
  return context
end

-- What the two sides agreed on.
function tls.describe(socket)
  local session = socket:checktls()
  local client = session:getPeerCertificate()
  return {
    version = ("1.%d"):format(session:getVersion() - ssl.TLS1_VERSION),
    alpn = session:getAlpnSelected(),
    server_name = session:getHostName(),
    client = client and tostring(client:getSubject()),
  }
end

return tls
