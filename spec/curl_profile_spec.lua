local curl = require("webpubsub.curl")
local certs = require("spec.support.certs")
local exchange = require("spec.support.exchange")
local process = require("spec.support.process")
local scripted_server = require("spec.support.scripted_server")
local steps = require("spec.support.steps")

local profile, send, assert_fails = exchange.profile, exchange.send, exchange.assert_fails
local reply = steps.reply
local NO_CONTENT = reply({ status = 204 })

describe("a profile", function()
  local function refused(options)
    local made, kind, code, message = curl.profile(options)
    assert.is_nil(made)
    assert.are.equal("argument", kind)
    return code, message
  end

  it("takes an origin and nothing but an origin", function()
    for _, origin in ipairs({ "https://h", "http://h:8080", "https://[::1]:443", "https://h/" }) do
      assert.is_userdata(curl.profile({ origin = origin }))
    end
    for _, origin in ipairs({ "h", "ftp://h", "https://h/path", "https://h?q", "https://h/?q=1", "https://u:secret@h",
      "https://h#f", "https://", "https://h:99999", "https://a b" }) do
      local code, message = refused({ origin = origin })
      assert.are.equal("invalid", code, origin)
      assert.is_nil(message:find("secret", 1, true))
    end
  end)

  it("reads every file before there is any I/O", function()
    local directory, missing = certs.directory, certs.directory .. "/missing"
    for _, option in ipairs({ "ca_file", "client_cert", "client_key" }) do
      local options = { origin = "https://h", client_cert = certs.client.cert }
      for path, reason in pairs({ [missing] = "No such file", [directory] = "directory", ["/dev/null"] = "empty" }) do
        options[option] = path
        local code, message = refused(options)
        assert.are.equal("unreadable", code)
        assert.is_truthy(message:find(option, 1, true) and message:find(path, 1, true), message)
        assert.is_truthy(message:find(reason, 1, true), message)
      end
    end
  end)

  it("needs a certificate for a key", function()
    assert.are.equal("missing", (refused({ origin = "https://h", client_key = certs.client.key })))
  end)

  it("takes proxies libcurl knows, and quotes none", function()
    for _, proxy in ipairs({ "http://p:3128", "https://u:pw@p", "socks5h://p:1080", "socks4a://p" }) do
      assert.is_userdata(curl.profile({ origin = "https://h", proxy = proxy }))
    end
    for _, proxy in ipairs({ "p:3128", "ftp://p", "http://", "secret" }) do
      local code, message = refused({ origin = "https://h", proxy = proxy })
      assert.are.equal("invalid", code)
      assert.is_nil(message:find("secret", 1, true))
    end
  end)

  it("names the option at fault", function()
    local wrong = {
      ["did you mean 'ca_file'"] = { cafile = "x" },
      ["ca_file must be a string"] = { ca_file = 1 },
      ["proxy must be a string"] = { proxy = true },
      ["client_key must be a string"] = { client_key = "a\0b" },
      ["connect_timeout must be"] = { connect_timeout = 0 },
      ["idle_timeout must be"] = { idle_timeout = -1 },
      ["max_connection_age must be"] = { max_connection_age = "old" },
      ["profile has no option 'http2'"] = { http2 = true },
      ["max_response_bytes must be a number"] = { max_response_bytes = "many" },
      ["max_header_bytes must be a whole"] = { max_header_bytes = 1.5 },
      ["max_connections must be a number"] = { max_connections = 0 },
      ["max_connections must be a whole"] = { max_connections = 1.5 },
    }
    for message, options in pairs(wrong) do
      options.origin = "https://h"
      local ok, problem = pcall(curl.profile, options)
      assert.is_false(ok)
      assert.is_truthy(problem:find(message, 1, true), problem)
    end
    assert.has_error(function() curl.profile({}) end)
  end)
end)

describe("a proxy", function()
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
    for _, each in ipairs({ server, secure, proxy }) do each:reset() end
  end)

  local function proxy_targets()
    local targets = {}
    for i, request in ipairs(proxy:requests()) do targets[i] = request.method .. " " .. request.target end
    return targets
  end

  it("is asked for a tunnel for plain requests, too, and once for all that go through it", function()
    server:script({ default = NO_CONTENT })
    local of_profile = profile(server.origin, { proxy = proxy.origin })
    for _ = 1, 2 do assert.are.equal(204, (send(of_profile, { target = TARGET }))) end
    assert.are.same({ "CONNECT 127.0.0.1:" .. server.port }, proxy_targets())
    assert.are.equal(TARGET, server:requests()[2].target)
  end)

  it("is asked for a tunnel where TLS is spoken, and sees no header of ours", function()
    secure:script({ default = reply({ status = 200, headers = { ["X-Origin"] = "1" }, body = "x" }) })
    local of_profile = profile(secure.origin, { proxy = proxy.origin, ca_file = certs.ca.cert })
    local status, headers = send(of_profile, { target = TARGET, headers = "Authorization: Bearer secret\r\n" })
    assert.are.equal(200, status)
    assert.is_truthy(headers:find("X-Origin: 1\r\n", 1, true))
    assert.are.same({ "CONNECT 127.0.0.1:" .. secure.port }, proxy_targets())
    assert.is_nil(proxy:requests()[1].raw:find("secret", 1, true))
    assert.are.equal(TARGET, secure:requests()[1].target)
  end)

  it("that refuses the tunnel, or is not there, is named", function()
    proxy:script({ default = reply({ status = 403, headers = { ["X-Proxy"] = "1" } }) })
    assert_fails("transport", "proxy", send(profile(secure.origin, { proxy = proxy.origin })))
    local gone = scripted_server.start()
    gone:stop()
    assert_fails("transport", "proxy", send(profile(secure.origin, { proxy = gone.origin })))
    assert_fails("transport", "proxy", send(profile(server.origin, { proxy = gone.origin })))
    assert_fails("transport", "proxy", send(profile(server.origin, { proxy = "socks5://127.0.0.1:" .. gone.port })))
    assert_fails("transport", "proxy", send(profile(server.origin, { proxy = "http://nowhere.invalid:1" })))
  end)

  describe("of the environment", function()
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
      server:script({ default = NO_CONTENT })
      local child = process.run_lua(CHILD, { env = clean, arguments = { server.origin, TARGET, option } })
      assert.are.same({ "204\n", "" }, { child.stdout, child.stderr })
      assert.are.equal(TARGET, server:requests()[#server:requests()].target)
      return #proxy:requests()
    end

    it("is used", function()
      assert.are.equal(1, send_in_child({ http_proxy = proxy.origin }))
      assert.are.equal(2, send_in_child({ ALL_PROXY = proxy.origin }))
    end)

    it("is not used where no_proxy or an empty value says so", function()
      assert.are.equal(0, send_in_child({ http_proxy = proxy.origin, no_proxy = "127.0.0.1" }))
      assert.are.equal(0, send_in_child({ http_proxy = "" }))
    end)

    it("yields to the option", function()
      assert.are.equal(0, send_in_child({ http_proxy = proxy.origin }, "false"))
      assert.are.equal(1, send_in_child({ http_proxy = "http://127.0.0.1:1", no_proxy = "*" }, proxy.origin))
    end)
  end)
end)
