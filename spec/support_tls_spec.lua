-- The scripted server's TLS, proved with openssl's client.

local certs = require("spec.support.certs")
local process = require("spec.support.process")
local scripted_server = require("spec.support.scripted_server")
local steps = require("spec.support.steps")
local tcp = require("spec.support.tcp")

local reply, raw, truncate = steps.reply, steps.raw, steps.truncate
local close, abort, on_accept = steps.close, steps.abort, steps.on_accept

local LAST_GET = "GET /last HTTP/1.1\r\nHost: spec\r\nConnection: close\r\n\r\n"

describe("scripted server over TLS", function()
  local server

  local function start(options)
    options.tls = options.tls or certs.valid
    server = scripted_server.start(options)
    server:script({ default = reply({ status = 200, body = "secret" }) })
  end

  after_each(function() server:stop() end)

  -- Sends a request with openssl's client, trusting the CA and checking the name.
  local function s_client(...)
    local argv = { "openssl", "s_client", "-quiet", "-connect", "127.0.0.1:" .. server.port, "-CAfile", certs.ca.cert,
      "-verify_return_error", "-verify_ip", "127.0.0.1" }
    for _, argument in ipairs({ ... }) do argv[#argv + 1] = argument end
    return process.run(argv, { stdin = LAST_GET })
  end

  it("serves a client that trusts its CA, and records what was agreed", function()
    start({ alpn = { "http/1.1" } })
    assert.are.equal("https://127.0.0.1:" .. server.port, server.origin)
    assert.matches("\r\n\r\nsecret$", s_client("-servername", "localhost", "-alpn", "h2,http/1.1").stdout)
    assert.matches("\r\n\r\nsecret$", s_client("-tls1_2", "-noservername").stdout)
    local requests = server:requests()
    assert.are.same({ version = "1.3", alpn = "http/1.1", server_name = "localhost" }, requests[1].tls)
    assert.are.same({ version = "1.2" }, requests[2].tls)
    assert.are.equal(LAST_GET, requests[1].raw)
  end)

  for name, problem in pairs({ wrong_name = "IP address mismatch", expired = "certificate has expired",
    not_yet_valid = "certificate is not yet valid", unknown_ca = "unable to get local issuer certificate",
    self_signed = "self%-signed certificate" }) do
    it("is refused by a client when its certificate is " .. name, function()
      start({ tls = certs[name] })
      assert.matches(problem, s_client().stderr)
      assert.are.same({ 1, {} }, { server:connections(), server:requests() })
    end)
  end

  it("speaks nothing above tls_max and nothing below tls_min", function()
    start({ tls_max = "1.1" })
    assert.matches("unsupported protocol", s_client("-tls1_2").stderr)
    assert.are.same({}, server:requests())
    assert.matches("secret$", s_client("-tls1_1", "-cipher", "DEFAULT:@SECLEVEL=0").stdout)
    assert.are.equal("1.1", server:requests()[1].tls.version)
    server:stop()
    start({ tls_min = "1.3" })
    assert.matches("protocol version", s_client("-tls1_2").stderr)
    assert.matches("secret$", s_client().stdout)
  end)

  it("can require a client certificate of its CA", function()
    start({ client_ca = certs.ca.cert })
    assert.matches("certificate required", s_client().stderr)
    assert.matches("alert", s_client("-cert", certs.unknown_ca.cert, "-key", certs.unknown_ca.key).stderr)
    assert.are.same({}, server:requests())
    assert.matches("secret$", s_client("-cert", certs.client.cert, "-key", certs.client.key).stdout)
    assert.matches("secret$", s_client("-cert", certs.client_encrypted.cert, "-key", certs.client_encrypted.key,
      "-pass", "pass:" .. certs.client_encrypted.password).stdout)
    for _, request in ipairs(server:requests()) do assert.matches("CN=spec client", request.tls.client) end
  end)

  it("misbehaves before and after the handshake", function()
    start({})
    server:script({ on_accept(close()), on_accept({ raw("HTTP/1.1 400 Bad Request\r\n\r\n"), close() }),
      { truncate(reply({ status = 200, body = "secret" }), 12), abort() } })
    assert.matches("unexpected eof", s_client().stderr)
    assert.matches("wrong version number", s_client().stderr)
    assert.are.same({}, server:requests())
    assert.are.equal("HTTP/1.1 200", s_client().stdout)
    assert.are.equal(1, #server:requests())
  end)

  it("closes connections that are still in their handshake on reset", function()
    start({})
    local client = tcp.connect(server)
    assert.are.equal(1, server:connections())
    server:reset()
    assert.are.equal("closed", select(2, client:receive(1)))
  end)
end)
