-- Certificates in the place of a client secret. What they sign is verified by openssl on the command line.

local calls = require("spec.support.calls")
local core = require("webpubsub.core")
local identities = require("spec.support.identities")
local process = require("spec.support.process")

local PASSWORD = "correct horse"
local DAY = 86400

-- Everything in a folder of its own: pairs of RSA keys and certificates, in all forms.
local SCRIPT = [[
set -e
cd "$1"
pair() { # name, more arguments
  name=$1
  shift
  openssl req -x509 -newkey rsa:2048 -nodes -sha256 -subj "/CN=$name" -keyout $name.key -out $name.crt "$@" 2>/dev/null
  cat $name.crt $name.key >$name.pem
}
pair app -days 30
pair other -days 30
openssl pkcs8 -topk8 -in app.key -out encrypted.key -passout "pass:$2"
openssl rsa -in app.key -aes128 -traditional -out old.key -passout "pass:$2" 2>/dev/null
cat app.crt encrypted.key >encrypted.pem
cat old.key app.crt >old.pem
cat app.key other.crt app.crt >chain.pem
cat app.key other.crt >mismatch.pem
openssl pkcs12 -export -in app.crt -inkey app.key -certfile other.crt -out app.pfx -passout "pass:$2"
openssl pkcs12 -export -in app.crt -inkey app.key -out open.pfx -passout pass:
openssl pkcs12 -export -in app.crt -nokeys -out keyless.pfx -passout pass:
openssl req -x509 -newkey rsa:1024 -nodes -subj /CN=weak -keyout weak.key -out weak.crt -days 30 2>/dev/null
cat weak.key weak.crt >weak.pem
openssl ecparam -genkey -name prime256v1 -noout -out ec.key
openssl req -x509 -key ec.key -subj /CN=ec -out ec.crt -days 30
cat ec.key ec.crt >ec.pem
openssl x509 -in app.crt -pubkey -noout >app.pub
openssl x509 -in app.crt -noout -fingerprint -sha256 >fingerprint
openssl x509 -in app.crt -outform DER | openssl base64 -A >der.b64
echo nothing >none.pem
: >empty.pem
head -c 300 /dev/urandom >noise.pfx
]]

local folder

setup(function()
  local pipe = io.popen("mktemp -d")
  folder = pipe:read("*l")
  pipe:close()
  local result = process.run({ "sh", "-c", SCRIPT, "sh", folder, PASSWORD }, { timeout = 60 })
  assert.are.equal(0, result.code, result.stderr)
end)
teardown(function() os.execute("rm -rf " .. folder) end)

local function read(name)
  local file = assert(io.open(folder .. "/" .. name, "rb"))
  local text = file:read("*a")
  file:close()
  return text
end

local function write(name, text)
  local file = assert(io.open(folder .. "/" .. name, "wb"))
  file:write(text)
  file:close()
end

local function new(fields)
  local parts = { source = "assertion", secret = false }
  for name, value in pairs(fields) do parts[name] = value end
  parts.certificate = folder .. "/" .. fields.certificate
  parts.key = fields.key and folder .. "/" .. fields.key
  return identities.new(parts)
end

local function assertion_of(identity, wall)
  local sent = identities.sent(assert(identity:prepare(wall or os.time())))
  assert.are.equal("urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
    identities.field(sent.body, "client_assertion_type"))
  return identities.field(sent.body, "client_assertion")
end

local function parts_of(assertion)
  local input, header, claims, signature = assertion:match("^(([%w_-]+)%.([%w_-]+))%.([%w_-]+)$")
  assert.is_truthy(input, assertion)
  return { input = input, header = calls.decode_base64url(header), claims = calls.decode_base64url(claims),
    signature = calls.decode_base64url(signature) }
end

local function verifies(assertion)
  local parts = parts_of(assertion)
  write("input", parts.input)
  write("signature", parts.signature)
  local result = process.run({ "openssl", "dgst", "-sha256", "-sigopt", "rsa_padding_mode:pss", "-sigopt",
    "rsa_pss_saltlen:digest", "-verify", folder .. "/app.pub", "-signature", folder .. "/signature",
    folder .. "/input" })
  return result.stdout == "Verified OK\n", result.stdout .. result.stderr
end

local function refusal(fields)
  local err = calls.refusal(new, fields)
  return { err.kind, err.argument, err.code, err.message }
end

describe("the assertion of a certificate", function()
  it("is PS256 over what Entra ID wants to know", function()
    local wall = os.time()
    local parts = parts_of(assertion_of(new({ certificate = "app.pem" }), wall))
    local hex = read("fingerprint"):match("=([%x:]+)"):gsub(":", "")
    local bytes = hex:gsub("%x%x", function(byte) return string.char(tonumber(byte, 16)) end)
    local thumbprint = core.base64(bytes):gsub("+", "-"):gsub("/", "_"):gsub("=", "")
    assert.are.equal(('{"alg":"PS256","typ":"JWT","x5t#S256":"%s"}'):format(thumbprint), parts.header)
    local id = parts.claims:match('"jti":"([%x-]+)"')
    assert.is_truthy(id:find("^%x+%-%x+%-4%x+%-[89ab]%x+%-%x+$"), id)
    assert.are.equal(('{"aud":"https://login.microsoftonline.com/contoso.onmicrosoft.com/oauth2/v2.0/token",'
      .. '"iss":"app-id","sub":"app-id","jti":"%s","nbf":%d,"exp":%d}'):format(id, wall, wall + 600), parts.claims)
  end)

  it("is verified by openssl, from every form of file", function()
    for _, fields in ipairs({ { certificate = "app.pem" }, { certificate = "app.crt", key = "app.key" },
      { certificate = "encrypted.pem", password = PASSWORD }, { certificate = "old.pem", password = PASSWORD },
      { certificate = "app.crt", key = "encrypted.key", password = PASSWORD }, { certificate = "chain.pem" },
      { certificate = "app.pfx", password = PASSWORD }, { certificate = "open.pfx" } }) do
      local ok, said = verifies(assertion_of(new(fields)))
      assert.is_true(ok, fields.certificate .. ": " .. said)
    end
  end)

  it("is another one each time", function()
    local identity, wall = new({ certificate = "app.pem" }), os.time()
    assert.are_not.equal(parts_of(assertion_of(identity, wall)).claims, parts_of(assertion_of(identity, wall)).claims)
  end)

  it("has the certificates with send_chain, its own first", function()
    local header = parts_of(assertion_of(new({ certificate = "chain.pem", send_chain = true }))).header
    local first, second = header:match('"x5c":%["([%w+/=]+)","([%w+/=]+)"%]}$')
    assert.are.equal(read("der.b64"), first)
    assert.is_truthy(second)
  end)

  it("is none where the certificate has expired, or is not valid yet", function()
    local identity = new({ certificate = "app.pem" })
    local call, code, message = identity:prepare(os.time() + 40 * DAY)
    assert.are.same({ nil, "expired", "the certificate has expired 10 days ago; Entra ID takes none that has" },
      { call, code, message })
    call, code, message = identity:prepare(os.time() - DAY)
    assert.are.same({ nil, "not_yet_valid", "the certificate is not valid yet, or this machine's clock is behind" },
      { call, code, message })
  end)
end)

describe("a certificate", function()
  it("tells what its file lacks", function()
    assert.are.same({ "argument", "certificate", "no_key", "the file of certificate has no private key; append it "
      .. "there, or name its file as key" }, refusal({ certificate = "app.crt" }))
    assert.are.same({ "argument", "certificate", "no_certificate", "the file of certificate has no certificate "
      .. "(-----BEGIN CERTIFICATE-----)" }, refusal({ certificate = "app.key" }))
    assert.are.same({ "argument", "certificate", "mismatch", "the private key does not belong to the certificate; both "
      .. "must be of one pair" }, refusal({ certificate = "mismatch.pem" }))
    assert.are.equal("mismatch", refusal({ certificate = "other.crt", key = "app.key" })[3])
    assert.are.equal("no_key", refusal({ certificate = "keyless.pfx" })[3])
    for _, name in ipairs({ "none.pem", "noise.pfx" }) do
      assert.are.same({ "argument", "certificate", "invalid", "the file of certificate is neither PEM nor PKCS#12" },
        refusal({ certificate = name }))
    end
    assert.are.equal("empty", refusal({ certificate = "empty.pem" })[3])
    assert.are.same({ "argument", "certificate", "file", "the file of certificate cannot be read: No such file or "
      .. "directory" }, refusal({ certificate = "missing.pem" }))
    assert.are.same({ "argument", "key", "file", "the file of key cannot be read: No such file or directory" },
      refusal({ certificate = "app.crt", key = "missing.key" }))
  end)

  it("must be RSA, and long enough", function()
    assert.are.equal("the private key is not RSA, the only kind with which Entra ID takes assertions",
      refusal({ certificate = "ec.pem" })[4])
    assert.are.equal("the private key has 1024 bits; at least 2048 are needed",
      refusal({ certificate = "weak.pem" })[4])
  end)

  it("with a password needs the right one, and asks nobody", function()
    for _, name in ipairs({ "encrypted.pem", "old.pem" }) do
      assert.are.same({ "argument", "password", "missing", "the private key is encrypted; give its password" },
        refusal({ certificate = name }))
      assert.are.same({ "argument", "password", "wrong", "the password does not open the private key" },
        refusal({ certificate = name, password = "battery staple" }))
    end
    assert.are.same({ "argument", "password", "missing", "the PKCS#12 file of certificate needs a password" },
      refusal({ certificate = "app.pfx" }))
    assert.are.same({ "argument", "password", "wrong", "the password does not open the PKCS#12 file of certificate" },
      refusal({ certificate = "app.pfx", password = "battery staple" }))
  end)

  it("has neither password nor key in its errors", function()
    local err = calls.refusal(new, { certificate = "encrypted.pem", password = "battery staple" })
    assert.is_nil(calls.everything_said(err):find("battery", 1, true))
  end)
end)
