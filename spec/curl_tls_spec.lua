-- TLS: sessions that are resumed, certificates that are read once, and what ends a connection.

local certs = require("spec.support.certs")
local companion = require("spec.support.companion")
local engines = require("spec.support.engines")
local exchange = require("spec.support.exchange")
local scripted_server = require("spec.support.scripted_server")
local socket = require("socket")
local steps = require("spec.support.steps")
local support = require("spec.support.background")

local profile, send = exchange.profile, exchange.send
local NO_CONTENT = steps.reply({ status = 204 })

-- Ends with its standard input.
local SCRIPT = [[trap '' HUP INT; "$@" </dev/null & server=$!; cat; kill $server; wait]]

-- OpenSSL's own server: each answer tells whether its session is a new one, and ends the connection.
local function status_server(...)
  local listener = assert(socket.bind("127.0.0.1", 0))
  local _, port = listener:getsockname()
  listener:close()
  local command = { "sh", "-c", SCRIPT, "sh", "openssl", "s_server", "-www", "-accept", "127.0.0.1:" .. port, "-cert",
    certs.valid.cert, "-key", certs.valid.key, ... }
  local child = companion.start(command, { ready = "(ACCEPT)" })
  return child, "https://127.0.0.1:" .. port
end

describe("a TLS session", function()
  local function kinds_of_sessions(engine, origin, options)
    local kinds = {}
    for index = 1, 3 do
      local all = { ca_file = certs.ca.cert }
      for name, value in pairs(options or {}) do all[name] = value end
      local status, _, body = engine(profile(origin, all), { method = "GET" })
      assert.are.equal(200, status)
      kinds[index] = body:match("(%a+), TLSv1%.%d, Cipher is")
    end
    return kinds
  end

  for name, engine in pairs(engines) do
    for _, version in ipairs({ "-tls1_2", "-tls1_3" }) do
      it("is resumed by the next connection of its profile, " .. name .. ", " .. version, function()
        local child, origin = status_server(version)
        assert.are.same({ "New", "Reused", "Reused" }, kinds_of_sessions(engine, origin))
        assert.are.equal("New", kinds_of_sessions(engine, origin, { connect_timeout = 4 })[1])
        child:stop()
      end)
    end

    it("is not resumed where a client certificate is shown, " .. name, function()
      local child, origin = status_server("-Verify", "1", "-CAfile", certs.ca.cert)
      assert.are.same({ "New", "New", "New" },
        kinds_of_sessions(engine, origin, { client_cert = certs.client.cert, client_key = certs.client.key }))
      child:stop()
    end)
  end

  it("that one profile has verified does not serve another that would not", function()
    local child, origin = status_server()
    assert.are.equal(200, (send(profile(origin, { ca_file = certs.ca.cert }), { method = "GET" })))
    exchange.assert_fails("transport", "certificate", send(profile(origin), { method = "GET" }))
    exchange.assert_fails("transport", "certificate",
      send(profile(origin, { ca_file = certs.self_signed.cert }), { method = "GET" }))
    child:stop()
  end)
end)

describe("a bundle of certificates", function()
  local BUNDLE, COPIES = "/etc/ssl/certs/ca-certificates.crt", 1

  it("is not read again for each connection", function()
    local secure = scripted_server.start({ tls = certs.valid })
    secure:script({ default = steps.reply({ status = 204, headers = { Connection = "close" } }) })
    local path = os.tmpname()
    local file = assert(io.open(path, "w"))
    for _, source in ipairs({ certs.ca.cert, BUNDLE }) do
      for _ = 1, COPIES do
        for line in io.lines(source) do file:write(line, "\n") end
      end
    end
    file:close()
    local of_profile = profile(secure.origin, { ca_file = path })
    local function processor_time(count)
      local before = os.clock()
      for _ = 1, count do assert.are.equal(204, (send(of_profile))) end
      return os.clock() - before
    end
    local first, others = processor_time(1), processor_time(10)
    assert.is_true(others < 5 * first, ("%g s for the first, %g s for ten more"):format(first, others))
    os.remove(path)
    secure:stop()
  end)

  it("that has changed is another one", function()
    local secure = scripted_server.start({ tls = certs.valid })
    secure:script({ default = NO_CONTENT })
    local path = os.tmpname()
    local function write(source)
      local file = assert(io.open(path, "w"))
      for line in io.lines(source) do file:write(line, "\n") end
      file:close()
    end
    write(certs.self_signed.cert)
    exchange.assert_fails("transport", "certificate", send(profile(secure.origin, { ca_file = path })))
    write(certs.ca.cert)
    assert.are.equal(204, (send(profile(secure.origin, { ca_file = path }))))
    write(certs.self_signed.cert)
    exchange.assert_fails("transport", "certificate", send(profile(secure.origin, { ca_file = path })))
    os.remove(path)
    secure:stop()
  end)
end)

describe("a response over TLS", function()
  it("that is larger than a record comes whole, whatever the pieces", function()
    local secure = scripted_server.start({ tls = certs.valid })
    local text = ("0123456789abcdef"):rep(40000)
    secure:script({ default = steps.reply({ status = 200, body = text }) })
    for _, engine in pairs(engines) do
      for _ = 1, 5 do
        local _, _, body = engine(profile(secure.origin, { ca_file = certs.ca.cert }), { method = "GET" })
        assert.is_true(body == text)
      end
    end
    secure:stop()
  end)

  it("comes while a large request is still on its way", function()
    local secure = scripted_server.start({ tls = certs.valid })
    secure:script({ default = NO_CONTENT })
    local of_profile = profile(secure.origin, { ca_file = certs.ca.cert })
    local body, list = ("x"):rep(3000000), {}
    for index = 1, 5 do list[index] = support.submit(of_profile, { body = body }) end
    for _, one in ipairs(support.take_all(#list)) do assert.are.equal(204, (one:result())) end
    for _, request in ipairs(secure:requests()) do assert.is_true(request.body == body) end
    secure:stop()
  end)
end)
