-- Writes the certificates of certs.lua into the directory given as the argument (Lua 5.4, luaossl).

local altname = require("openssl.x509.altname")
local bignum = require("openssl.bignum")
local extension = require("openssl.x509.extension")
local name = require("openssl.x509.name")
local pkey = require("openssl.pkey")
local rand = require("openssl.rand")
local x509 = require("openssl.x509")

local DAY_SECONDS = 24 * 60 * 60
local SERIAL_BYTES = 16
local X509_V3 = 3
local HERE = { dns = "localhost", ip = "127.0.0.1" }

local directory = arg[1]
local now = os.time()

local function write(file_name, pem)
  local file = assert(io.open(directory .. "/" .. file_name, "wb"))
  assert(file:write(pem))
  assert(file:close())
end

local function distinguished_name(common_name)
  return name.new():add("CN", common_name)
end

local function base_certificate(common_name, key, from, to)
  local certificate = x509.new()
  certificate:setVersion(X509_V3)
  certificate:setSerial(bignum.fromBinary(rand.bytes(SERIAL_BYTES)))
  certificate:setSubject(distinguished_name(common_name))
  certificate:setPublicKey(key)
  certificate:setLifetime(from, to)
  return certificate
end

local function new_key()
  return pkey.new({ type = "EC", curve = "prime256v1" })
end

local function new_ca(common_name)
  local key = new_key()
  local certificate = base_certificate(common_name, key, now - DAY_SECONDS, now + DAY_SECONDS)
  certificate:setIssuer(certificate:getSubject())
  certificate:setBasicConstraints({ CA = true })
  certificate:setBasicConstraintsCritical(true)
  certificate:addExtension(extension.new("keyUsage", "critical,keyCertSign,cRLSign"))
  certificate:sign(key)
  return { certificate = certificate, key = key }
end

-- Writes a certificate and its key. Without an issuer it signs itself.
local function write_leaf(file_name, options)
  local key = new_key()
  local names = options.names or HERE
  local certificate = base_certificate(options.common_name or names.dns, key, options.from or now - DAY_SECONDS,
    options.to or now + DAY_SECONDS)
  local issuer = options.issuer or { certificate = certificate, key = key }
  certificate:setIssuer(issuer.certificate:getSubject())
  certificate:setBasicConstraints({ CA = false })
  certificate:setSubjectAlt(altname.new():add("DNS", names.dns):add("IP", names.ip))
  certificate:sign(issuer.key)
  write(file_name .. ".pem", certificate:toPEM())
  write(file_name .. ".key", key:toPEM("private"))
end

local ca = new_ca("Spec CA")
write("ca.pem", ca.certificate:toPEM())
write_leaf("valid", { issuer = ca })
write_leaf("wrong_name", { issuer = ca, names = { dns = "elsewhere.example", ip = "192.0.2.1" } })
write_leaf("expired", { issuer = ca, from = now - 3 * DAY_SECONDS, to = now - 2 * DAY_SECONDS })
write_leaf("not_yet_valid", { issuer = ca, from = now + 2 * DAY_SECONDS, to = now + 3 * DAY_SECONDS })
write_leaf("unknown_ca", { issuer = new_ca("Unknown CA") })
write_leaf("self_signed", {})
write_leaf("client", { issuer = ca, common_name = "spec client" })
