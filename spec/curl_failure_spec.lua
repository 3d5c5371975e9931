local curl = require("webpubsub.curl")
local certs = require("spec.support.certs")
local exchange = require("spec.support.exchange")
local scripted_server = require("spec.support.scripted_server")
local steps = require("spec.support.steps")

local profile, send, assert_fails = exchange.profile, exchange.send, exchange.assert_fails
local reply, raw = steps.reply, steps.raw
local NO_CONTENT = reply({ status = 204 })
local KIBIBYTE = 1024

local server -- plain HTTP
local others = {}

local function tls_server(options)
  others[#others + 1] = scripted_server.start(options)
  return others[#others]
end

setup(function() server = scripted_server.start() end)
teardown(function()
  server:stop()
  for _, each in ipairs(others) do each:stop() end
end)
before_each(function() server:reset() end)

describe("a failure", function()
  local function failure(kind, code, script, request, options)
    server:script({ script })
    local message = assert_fails(kind, code, send(profile(server.origin, options), request))
    assert.is_truthy(message:find("127.0.0.1:" .. server.port, 1, true), message)
    assert.is_nil(message:find("secret", 1, true), message)
    assert.is_nil(message:find("%c"), message)
    return message
  end

  it("to connect is told from one to resolve", function()
    local unused = scripted_server.start()
    unused:stop()
    local message = assert_fails("transport", "connect", send(profile(unused.origin)))
    assert.is_truthy(message:find("127.0.0.1:" .. unused.port, 1, true), message)
    message = assert_fails("transport", "resolve", send(profile("http://nowhere.invalid")))
    assert.is_truthy(message:find("nowhere.invalid:80", 1, true), message)
  end)

  it("of the connection is `closed`, wherever the response had got to", function()
    local request = { target = "/users/secret", headers = "Authorization: Bearer secret\r\n" }
    local text = reply({ status = 200, body = "0123456789" })
    for _, script in ipairs({
      steps.on_accept(steps.close()),
      steps.close(),
      steps.abort(),
      { steps.truncate(text, 30), steps.close() },
      { steps.truncate(text, 30), steps.abort() },
      { raw("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n01234"), steps.close() },
      { raw("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n01234"), steps.abort() },
      { raw("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n01"), steps.close() },
    }) do
      failure("transport", "closed", script, request)
    end
  end)

  it("to speak HTTP is `malformed`", function()
    for _, bytes in ipairs({
      "SSH-2.0-OpenSSH_9.2\r\n",
      "<html>hello</html>\r\n\r\n",
      "HTTP/9.9 200 OK\r\n\r\n",
      "HTTP/1.1 abc\r\n\r\n",
      "HTTP/1.1 200 OK\r\nA: 1\r\nno colon here\r\n\r\n",
      "HTTP/1.1 200 OK\r\nA: 1\r\nNul: \0\r\n\r\n",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nabc\r\n0\r\n\r\n",
      "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n",
    }) do
      failure("protocol", "malformed", { raw(bytes), steps.close() })
    end
  end)

  it("to answer in time says which time", function()
    for _, script in ipairs({
      steps.silence(),
      { raw("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n01234"), steps.silence() },
      steps.slowly(reply({ status = 200, body = ("x"):rep(1000) }), 0.05),
    }) do
      local started = curl.now()
      local message = failure("timeout", "attempt_timeout", script, { seconds = 0.2 })
      local elapsed = curl.now() - started
      assert.is_true(elapsed > 0.19 and elapsed < 1, elapsed)
      assert.is_truthy(message:find("0.2 s", 1, true), message)
    end
  end)

  it("to connect in time is another than to answer in time", function()
    local silent = tls_server({ tls = certs.valid })
    silent:script({ default = steps.on_accept(steps.silence()) })
    local message = assert_fails("timeout", "connect_timeout", send(profile(silent.origin, { connect_timeout = 0.2 })))
    assert.is_truthy(message:find("not connected within 0.2 s", 1, true), message)
    message = assert_fails("timeout", "connect_timeout", send(profile(silent.origin), { seconds = 0.2 }))
    assert.is_truthy(message:find("0.2 s", 1, true), message)
  end)

  it("leaves the engine as good as new", function()
    server:script({ steps.abort(), raw("nonsense\r\n\r\n"), NO_CONTENT })
    local of_profile = profile(server.origin)
    assert_fails("transport", "closed", send(of_profile))
    assert_fails("protocol", "malformed", send(of_profile))
    assert.are.equal(204, (send(of_profile)))
  end)
end)

describe("TLS", function()
  local function trusting(origin, options)
    local settings = { ca_file = certs.ca.cert }
    for name, value in pairs(options or {}) do settings[name] = value end
    return profile(origin, settings)
  end

  local function named(message, ...)
    for _, words in ipairs({ ... }) do assert.is_truthy(message:find(words, 1, true), message) end
  end

  it("works, with the name checked and the connection kept", function()
    local secure = tls_server({ tls = certs.valid })
    secure:script({ default = NO_CONTENT })
    local of_profile = trusting(secure.origin)
    assert.are.equal(204, (send(of_profile)))
    assert.is_false(select(4, send(of_profile)).new_connection)
    assert.are.equal("1.3", secure:requests()[1].tls.version)
    assert.are.equal(204, (send(trusting("https://localhost:" .. secure.port))))
    assert.are.equal("localhost", secure:requests()[3].tls.server_name)
  end)

  it("does not share a connection with a profile that trusts others", function()
    local secure = tls_server({ tls = certs.valid })
    secure:script({ default = NO_CONTENT })
    assert.are.equal(204, (send(trusting(secure.origin))))
    assert_fails("transport", "certificate", send(profile(secure.origin)))
  end)

  it("says what is wrong with a certificate", function()
    for name, words in pairs({
      wrong_name = "for another name",
      expired = "expired",
      not_yet_valid = "not yet valid",
      unknown_ca = "set ca_file",
      self_signed = "set ca_file",
    }) do
      local secure = tls_server({ tls = certs[name] })
      secure:script({ default = NO_CONTENT })
      named(assert_fails("transport", "certificate", send(trusting(secure.origin))), words,
        "127.0.0.1:" .. secure.port)
      assert.are.equal(0, #secure:requests())
    end
  end)

  it("is 1.2 or newer", function()
    local newest = { ["1.1"] = false, ["1.2"] = true }
    for version, accepted in pairs(newest) do
      local secure = tls_server({ tls = certs.valid, tls_max = version })
      secure:script({ default = NO_CONTENT })
      if accepted then
        assert.are.equal(204, (send(trusting(secure.origin))))
      else
        named(assert_fails("transport", "tls", send(trusting(secure.origin))), "TLS")
        assert.are.equal(0, #secure:requests())
      end
    end
  end)

  it("is missed on a port that speaks plain HTTP", function()
    server:script({ steps.on_accept({ raw("HTTP/1.1 400 Bad Request\r\n\r\n"), steps.silence() }) })
    local origin = server.origin:gsub("^http:", "https:")
    named(assert_fails("transport", "tls", send(trusting(origin))), "TLS 1.2 or newer")
  end)

  it("shows a client certificate where one is asked for", function()
    for _, version in ipairs({ "1.2", "1.3" }) do
      local secure = tls_server({ tls = certs.valid, client_ca = certs.ca.cert, tls_max = version })
      secure:script({ default = NO_CONTENT })
      local function with(identity, password)
        return trusting(secure.origin, { client_cert = identity.cert, client_key = identity.key,
          client_key_password = password })
      end
      named(assert_fails("transport", "tls", send(with(certs.client_encrypted, "wrong"))), "client_key_password")
      named(assert_fails("transport", "tls", send(with(certs.client_encrypted))), "client_key_password")
      local mismatch = { cert = certs.client.cert, key = certs.valid.key }
      named(assert_fails("transport", "tls", send(with(mismatch))), "together")
      named(assert_fails("transport", "tls", send(with({ cert = certs.client.key, key = certs.client.key }))), "PEM")
      assert.are.equal(204, (send(with(certs.client))))
      assert.are.equal(204, (send(with(certs.client_encrypted, certs.client_encrypted.password))))
      local answered = #secure:requests()
      for _, stranger in ipairs({ trusting(secure.origin), with(certs.unknown_ca) }) do
        local _, kind, code = send(stranger)
        assert.are.equal("transport", kind)
        -- The server's alert may be lost when it closes the connection over what TLS 1.3 has already sent.
        assert.is_true(code == "tls" or version == "1.3" and code == "closed", code)
      end
      assert.are.equal(answered, #secure:requests())
    end
  end)

  it("names a ca_file without a certificate", function()
    local origin = "https://127.0.0.1:" .. server.port
    named(assert_fails("transport", "tls", send(trusting(origin, { ca_file = certs.valid.key }))), "ca_file")
  end)

  it("survives a server that hangs up in the middle", function()
    local secure = tls_server({ tls = certs.valid })
    secure:script({ NO_CONTENT, steps.abort(), default = NO_CONTENT })
    local of_profile = trusting(secure.origin)
    assert.are.equal(204, (send(of_profile)))
    assert_fails("transport", "closed", send(of_profile, { body = ("x"):rep(1000 * KIBIBYTE) }))
    assert.are.equal(204, (send(of_profile)))
  end)
end)
