--- A server's TLS with a certificate made on the spot, for 127.0.0.1, ::1 and localhost.

local bignum = require "openssl.bignum"
local altname = require "openssl.x509.altname"
local http_tls = require "http.tls"
local pkey = require "openssl.pkey"
local rand = require "openssl.rand"
local x509 = require "openssl.x509"
local x509_name = require "openssl.x509.name"

local tls = {}

local SERIAL_BYTES = 16
local LIFETIME_SECONDS = 7 * 24 * 3600
local BACKDATED_SECONDS = 3600 -- for a client whose clock is behind

local function new_certificate(key)
  local subject = x509_name.new()
  subject:add("CN", "localhost")
  local names = altname.new()
  names:add("DNS", "localhost")
  names:add("IP", "127.0.0.1")
  names:add("IP", "::1")
  local certificate = x509.new()
  certificate:setVersion(3)
  certificate:setSerial(bignum.fromBinary(rand.bytes(SERIAL_BYTES)))
  certificate:setSubject(subject)
  certificate:setIssuer(subject)
  certificate:setSubjectAlt(names)
  certificate:setLifetime(os.time() - BACKDATED_SECONDS, os.time() + LIFETIME_SECONDS)
  certificate:setBasicConstraints { CA = false }
  certificate:setBasicConstraintsCritical(true)
  certificate:setPublicKey(key)
  certificate:sign(key, "sha256")
  return certificate
end

-- Without an answer to ALPN, clients that offer it would be refused by lua-http's server.
local function select_protocol(_, offered)
  for _, protocol in ipairs(offered) do
    if protocol == "http/1.1" then
      return protocol
    end
  end
  return nil
end

--- Makes a key and a self-signed certificate.
---@return table context for the server
---@return string pem the certificate, which clients have to trust
function tls.new()
  local key = pkey.new { type = "EC", curve = "prime256v1" }
  local certificate = new_certificate(key)
  local context = http_tls.new_server_context()
  context:setAlpnSelect(select_protocol)
  context:setPrivateKey(key)
  context:setCertificate(certificate)
  return context, certificate:toPEM()
end

return tls
