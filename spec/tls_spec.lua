-- Who is spoken to over TLS, and who is not: as a user of the client meets it.

local webpubsub = require("webpubsub")
local certs = require("spec.support.certs")
local failing_calls = require("spec.support.failing_calls")
local process = require("spec.support.process")
local scripted_server = require("spec.support.scripted_server")
local steps = require("spec.support.steps")

local failure_of, assert_error = failing_calls.failure_of, failing_calls.assert_error

local NO_CONTENT = steps.reply({ status = 204 })
local ATTEMPTS = 2

local servers = {}
local good -- a server whose certificate is right

local function start(options)
  local server = scripted_server.start(options)
  server:script({ default = NO_CONTENT })
  servers[#servers + 1] = server
  return server
end

setup(function() good = start({ tls = certs.valid }) end)
teardown(function()
  for _, server in ipairs(servers) do server:stop() end
end)

local function new_client(server, options)
  local all = { ca_file = certs.ca.cert }
  for name, value in pairs(options or {}) do all[name] = value end
  return failing_calls.client(server.origin, all)
end

-- No request reaches a server that is not spoken to, and the process can still speak to others.
local function assert_fails(expected, words, server, options)
  local answered = #server:requests()
  local err = failure_of(new_client(server, options))
  assert_error(expected, err)
  assert.is_truthy(err.message:find(words, 1, true), err.message)
  assert.is_truthy(err.message:find("127.0.0.1:" .. server.port, 1, true), err.message)
  assert.are.equal(answered, #server:requests())
  assert.are.equal(204, new_client(good):close_user_connections({ user = "alice" }).status)
end

describe("a server's certificate", function()
  it("is accepted from an authority that is trusted, for the name that is contacted", function()
    assert.are.equal(204, new_client(good):close_all_connections().status)
    local by_name = failing_calls.client("https://localhost:" .. good.port, { ca_file = certs.ca.cert })
    assert.are.equal(204, by_name:close_all_connections().status)
  end)

  for name, words in pairs({
    wrong_name = "its certificate is for another name",
    expired = "not valid today; it must be renewed",
    not_yet_valid = "not valid today; it must be renewed",
    unknown_ca = "not trusted; set ca_file",
    self_signed = "not trusted; set ca_file",
  }) do
    it("is refused, and not tried again: " .. name, function()
      assert_fails({ "transport", "certificate", 1, false }, words, start({ tls = certs[name] }))
    end)
  end

  it("is not accepted from the authorities of another client", function()
    assert.are.equal(204, new_client(good):close_all_connections().status)
    assert_error({ "transport", "certificate", 1, false },
      failure_of(failing_calls.client(good.origin))) -- which trusts the system's
  end)
end)

describe("the version of TLS", function()
  it("is 1.2 or newer", function()
    local oldest = start({ tls = certs.valid, tls_max = "1.2" })
    assert.are.equal(204, new_client(oldest):close_all_connections().status)
    local too_old = start({ tls = certs.valid, tls_max = "1.1" })
    assert_fails({ "transport", "tls", ATTEMPTS, true }, "TLS 1.2 or newer", too_old)
  end)

  -- What a call comes to on a machine whose OpenSSL would take less, and nothing of it is sent.
  local function assert_refused_by_the_lax(server, source)
    local configuration = os.tmpname()
    local file = assert(io.open(configuration, "w"))
    file:write("openssl_conf = init\n[init]\nssl_conf = ssl\n[ssl]\nsystem_default = lax\n",
      "[lax]\nMinProtocol = TLSv1\nCipherString = DEFAULT:@SECLEVEL=0\n")
    file:close()
    local child = process.run_lua(source .. [[
      local _, err = pcall(client.close_all_connections, client)
      print(err.kind)
    ]], { arguments = { server.origin, certs.ca.cert }, env = { OPENSSL_CONF = configuration } })
    os.remove(configuration)
    assert.are.same({ "transport\n", "" }, { child.stdout, child.stderr })
    assert.are.equal(0, #server:requests())
  end

  it("is 1.2 or newer even on a machine whose OpenSSL would take less", function()
    assert_refused_by_the_lax(start({ tls = certs.valid, tls_max = "1.1" }), [[
      local endpoint, ca_file = ...
      local client = require("webpubsub").new({ endpoint = endpoint, key = "k", hub = "chat", proxy = false,
        ca_file = ca_file, retries = 0 })
    ]])
  end)

  it("is 1.2 or newer towards a proxy, too", function()
    assert_refused_by_the_lax(start({ tls = certs.valid, tls_max = "1.1" }), [[
      local proxy, ca_file = ...
      local client = require("webpubsub").new({ endpoint = "https://contoso.example", key = "k", hub = "chat",
        proxy = proxy, ca_file = ca_file, retries = 0 })
    ]])
  end)
end)

describe("a client certificate", function()
  local demanding

  -- Each time another: libcurl uses a connection that was opened with a certificate again, whatever the key.
  before_each(function() demanding = start({ tls = certs.valid, client_ca = certs.ca.cert, tls_max = "1.2" }) end)

  local function with(identity, password)
    return { client_cert = identity.cert, client_key = identity.key, client_key_password = password }
  end

  it("needs its key's password", function()
    local words = "client_key_password the key's password"
    for _, password in ipairs({ "wrong", false }) do
      assert_fails({ "transport", "tls", ATTEMPTS, true }, words, demanding,
        with(certs.client_encrypted, password or nil))
    end
  end)

  it("needs the key that belongs to it", function()
    assert_fails({ "transport", "tls", ATTEMPTS, true }, "belong together", demanding,
      with({ cert = certs.client.cert, key = certs.valid.key }))
  end)

  it("is missed by a server that demands one", function()
    assert_fails({ "transport", "tls", ATTEMPTS, true }, "another client_cert", demanding)
  end)

  it("is refused by a server that does not trust it", function()
    assert_fails({ "transport", "tls", ATTEMPTS, true }, "another client_cert", demanding, with(certs.unknown_ca))
  end)

  for name, options in pairs({
    ["a key"] = with(certs.client),
    ["a key and its password"] = with(certs.client_encrypted, certs.client_encrypted.password),
  }) do
    it("is shown to a server that demands one, with " .. name, function()
      assert.are.equal(204, new_client(demanding, options):close_all_connections().status)
      assert.are.equal("/CN=spec client", demanding:requests()[1].tls.client)
    end)
  end
end)

describe("a file that cannot be read", function()
  it("is an error of webpubsub.new, before anything is sent", function()
    for _, option in ipairs({ "ca_file", "client_cert", "client_key" }) do
      local options = { endpoint = good.origin, key = "k", hub = "chat", client_cert = certs.client.cert }
      options[option] = certs.directory .. "/missing.pem"
      local err = failing_calls.raised_by(webpubsub.new, options)
      assert.are.same({ "argument", "unreadable", option }, { err.kind, err.code, err.argument })
      assert.is_truthy(tostring(err):find(option .. ": cannot read " .. options[option], 1, true), tostring(err))
    end
  end)
end)
