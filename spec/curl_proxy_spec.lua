-- Proxies: what they are asked for, what they are told, and what is said when they fail.

local certs = require("spec.support.certs")
local companion = require("spec.support.companion")
local engines = require("spec.support.engines")
local exchange = require("spec.support.exchange")
local process = require("spec.support.process")
local scripted_server = require("spec.support.scripted_server")
local shell = require("spec.support.shell")
local steps = require("spec.support.steps")

local profile, send, assert_fails = exchange.profile, exchange.send, exchange.assert_fails
local reply, raw = steps.reply, steps.raw
local NO_CONTENT = reply({ status = 204 })
local TARGET = "/a/../%2e%2e/b?x=1&y=?"

local server, secure, proxy

setup(function()
  server = scripted_server.start()
  secure = scripted_server.start({ tls = certs.valid })
  proxy = scripted_server.start({ proxy = true })
end)
teardown(function()
  for _, each in ipairs({ server, secure, proxy }) do each:stop() end
end)
before_each(function()
  for _, each in ipairs({ server, secure, proxy }) do
    each:reset()
    each:script(each ~= proxy and { default = NO_CONTENT } or {})
  end
end)

local function with_proxy(origin, url)
  return profile(origin, { proxy = url, ca_file = certs.ca.cert })
end

local function proxy_targets()
  local targets = {}
  for i, request in ipairs(proxy:requests()) do targets[i] = request.method .. " " .. request.target end
  return targets
end

local function named(message, ...)
  for _, words in ipairs({ ... }) do assert.is_truthy(message:find(words, 1, true), message) end
  assert.is_nil(message:find("secret", 1, true), message)
  assert.is_nil(message:find("[^\32-\126]"), message)
end

describe("an HTTP proxy", function()
  for engine, exchange_with in pairs(engines) do
    it("is asked for a tunnel, once for all that goes through it, and sees no header of ours, " .. engine, function()
      for _, origin in ipairs({ server, secure }) do
        proxy:reset()
        local of_profile = with_proxy(origin.origin, proxy.origin)
        for _ = 1, 2 do
          assert.are.equal(204, (exchange_with(of_profile,
            { target = TARGET, headers = "Authorization: Bearer secret\r\n" })))
        end
        assert.are.same({ "CONNECT 127.0.0.1:" .. origin.port }, proxy_targets())
        assert.is_nil(proxy:requests()[1].raw:find("secret", 1, true))
        assert.are.equal(TARGET, origin:requests()[2].target)
      end
    end)
  end

  it("is given the login that stands in its URL", function()
    local url = proxy.origin:gsub("//", "//user:secret@")
    assert.are.equal(204, (send(with_proxy(server.origin, url))))
    assert.are.equal("Basic dXNlcjpzZWNyZXQ=", proxy:requests()[1].headers:get("Proxy-Authorization"))
  end)

  it("that wants another login is named, and what it says is not printed", function()
    proxy:script({ default = reply({ status = 407, reason = "secret \27[2J", body = "secret",
      headers = { ["Proxy-Authenticate"] = "Basic realm=\"secret\"" } }) })
    for _, origin in ipairs({ server.origin, secure.origin }) do
      local url = proxy.origin:gsub("//", "//user:secret@")
      named(assert_fails("transport", "proxy", send(with_proxy(origin, url))), "another login", "user:password")
    end
  end)

  it("that refuses the tunnel, breaks off or is not there is named", function()
    local gone = scripted_server.start()
    gone:stop()
    for _, origin in ipairs({ server.origin, secure.origin }) do
      for what, answer in pairs({
        ["refused the tunnel"] = reply({ status = 403, headers = { ["X-Proxy"] = "secret" } }),
        ["did not connect"] = steps.close(),
        ["the proxy"] = steps.abort(),
      }) do
        proxy:script({ default = answer })
        named(assert_fails("transport", "proxy", send(with_proxy(origin, proxy.origin))), what)
      end
      for _, url in ipairs({ gone.origin, "socks5://127.0.0.1:" .. gone.port, "http://nowhere.invalid:1" }) do
        named(assert_fails("transport", "proxy", send(with_proxy(origin, url))), "the proxy did not connect")
      end
    end
  end)

  it("that opened the tunnel is not blamed for what is at its end", function()
    secure:script({ default = steps.on_accept(steps.close()) })
    assert_fails("transport", "tls", send(with_proxy(secure.origin, proxy.origin)))
    local stranger = scripted_server.start({ tls = certs.self_signed })
    assert_fails("transport", "certificate", send(with_proxy(stranger.origin, proxy.origin)))
    stranger:stop()
    server:script({ default = steps.close() })
    assert_fails("transport", "closed", send(with_proxy(server.origin, proxy.origin)))
  end)

  it("that sends more than its answer to CONNECT leaves nothing of it to anybody", function()
    local answers = "HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
    proxy:script({ { raw(answers), steps.silence() } })
    local message = assert_fails("transport", "proxy", send(with_proxy(server.origin, proxy.origin)))
    named(message, "the proxy did not connect")
  end)

  it("does not share its connections with clients that go another way", function()
    assert.are.equal(204, (send(with_proxy(server.origin, proxy.origin))))
    assert.are.equal(204, (send(profile(server.origin, { ca_file = certs.ca.cert }))))
    assert.are.equal(204, (send(with_proxy(server.origin, (proxy.origin:gsub("//", "//user:secret@"))))))
    assert.are.same({ 2, 3 }, { #proxy:requests(), server:connections() })
  end)
end)

describe("an HTTPS proxy", function()
  local tls_proxy

  setup(function() tls_proxy = scripted_server.start({ tls = certs.valid, proxy = true }) end)
  teardown(function() tls_proxy:stop() end)

  it("carries http and https", function()
    for _, origin in ipairs({ server, secure }) do
      local of_profile = with_proxy(origin.origin, tls_proxy.origin)
      assert.are.equal(204, (send(of_profile)))
      assert.is_false(select(4, send(of_profile)).new_connection)
    end
    assert.are.equal("1.3", tls_proxy:requests()[1].tls.version)
  end)

  it("must have a certificate, and TLS 1.2", function()
    named(assert_fails("transport", "proxy", send(profile(server.origin, { proxy = tls_proxy.origin }))),
      "the proxy's certificate")
    local old = scripted_server.start({ tls = certs.valid, tls_max = "1.1", proxy = true })
    named(assert_fails("transport", "proxy", send(with_proxy(server.origin, old.origin))), "the proxy did not connect")
    assert.are.equal(0, #old:requests())
    old:stop()
  end)
end)

describe("a SOCKS proxy", function()
  local function start(login)
    local command = shell.lua_program("socks_child.lua")
    command[#command + 1] = login
    local child, ready = companion.start(command, { ready = "ready (%d+)\n" })
    return child, "127.0.0.1:" .. ready[1]
  end

  it("carries http and https, and resolves names where it is asked to", function()
    local child, authority = start()
    for scheme, host in pairs({ socks5 = "127.0.0.1", socks5h = "localhost" }) do
      for _, origin in ipairs({ server, secure }) do
        local of_profile = with_proxy(origin.origin:gsub("127.0.0.1", host), scheme .. "://" .. authority)
        local status, _, _, problem = send(of_profile)
        assert.are.equal(204, status, problem)
        assert.is_false(select(4, send(of_profile)).new_connection)
        local asked = (host == "localhost" and "name " or "address ") .. host .. ":" .. origin.port
        assert.is_truthy(child:output():find(asked, 1, true), child:output())
      end
    end
    child:stop()
  end)

  it("is given the login that stands in its URL, and named where it wants another", function()
    local child, authority = start("user:password")
    assert.are.equal(204, (send(with_proxy(server.origin, "socks5h://user:password@" .. authority))))
    named(assert_fails("transport", "proxy", send(with_proxy(server.origin, "socks5h://user:secret@" .. authority))),
      "the proxy did not connect")
    child:stop()
  end)

  it("that cannot reach the server says so", function()
    local child, authority = start()
    named(assert_fails("transport", "proxy", send(with_proxy("http://127.0.0.1:1", "socks5h://" .. authority))),
      "the proxy did not connect")
    child:stop()
  end)
end)

describe("a proxy of the environment", function()
  local CHILD = [[
    local curl = require("webpubsub.curl")
    local origin, target, proxy = ...
    if proxy == "false" then proxy = false end
    local exchange = curl.start(curl.profile({ origin = origin, proxy = proxy }), "POST", target, "", nil, 5, 5)
    while not exchange:step(1) do end
    print((exchange:result()))
  ]]

  local function send_in_child(env, option)
    local clean = { http_proxy = false, all_proxy = false, ALL_PROXY = false, no_proxy = false, NO_PROXY = false }
    for name, value in pairs(env) do clean[name] = value end
    local child = process.run_lua(CHILD, { env = clean, arguments = { server.origin, TARGET, option } })
    assert.are.same({ "204\n", "" }, { child.stdout, child.stderr })
    assert.are.equal(TARGET, server:requests()[#server:requests()].target)
    return #proxy:requests()
  end

  it("is used, with a scheme or without", function()
    assert.are.equal(1, send_in_child({ http_proxy = proxy.origin }))
    assert.are.equal(2, send_in_child({ ALL_PROXY = "127.0.0.1:" .. proxy.port }))
  end)

  it("is not used where no_proxy or an empty value says so", function()
    assert.are.equal(0, send_in_child({ http_proxy = proxy.origin, no_proxy = "127.0.0.1" }))
    assert.are.equal(0, send_in_child({ http_proxy = proxy.origin, NO_PROXY = "*" }))
    assert.are.equal(0, send_in_child({ http_proxy = "" }))
  end)

  it("yields to the option", function()
    assert.are.equal(0, send_in_child({ http_proxy = proxy.origin }, "false"))
    assert.are.equal(1, send_in_child({ http_proxy = "http://127.0.0.1:1", no_proxy = "*" }, proxy.origin))
  end)
end)
