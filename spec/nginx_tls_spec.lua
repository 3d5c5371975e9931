-- TLS inside a real nginx: what is verified, and what connections and sessions are shared.

if _VERSION ~= "Lua 5.1" then return end -- NGINX loads the build for Lua 5.1

local certs = require("spec.support.certs")
local dns = require("spec.support.dns")
local nginx = require("spec.support.nginx")
local scripted_server = require("spec.support.scripted_server")
local steps = require("spec.support.steps")

local contains = nginx.contains
local OK = steps.reply({ status = 204 })

describe("in NGINX, TLS", function()
  local names, trusting, servers

  setup(function()
    names = dns.start()
    trusting = nginx.start({ set = { dns = names.port, ca = certs.ca.cert },
      http = "resolver 127.0.0.1:$(dns); lua_ssl_trusted_certificate $(ca);" })
  end)
  teardown(function()
    trusting:stop()
    names.stop()
  end)
  before_each(function() servers = {} end)
  after_each(function()
    for _, server in ipairs(servers) do server:stop() end
  end)

  local function serve(options)
    local server = scripted_server.start(options)
    server:script({ default = OK })
    servers[#servers + 1] = server
    return server
  end

  -- What one call to that server comes to.
  local function close(web, server, options, host)
    local text = web:run(("return close(client(%q, { endpoint = 'https://%s:%d', retries = 0, %s }))"):format(
      tostring(server.port) .. tostring(options), host or "localhost", server.port, options or ""))
    return text
  end

  it("serves calls, with the server's name in the handshake", function()
    local server = serve({ tls = certs.valid })
    assert.are.equal("204", close(trusting, server))
    assert.are.equal("204", close(trusting, server))
    assert.are.equal(1, server:connections())
    assert.are.equal("localhost", server:requests()[1].tls.server_name)
  end)

  for name, about in pairs({
    wrong_name = "for another name", expired = "has expired", not_yet_valid = "not valid yet",
    unknown_ca = "lua_ssl_trusted_certificate", self_signed = "lua_ssl_trusted_certificate",
  }) do
    it("refuses a certificate that is " .. name, function()
      local server = serve({ tls = certs[name] })
      contains(close(trusting, server), "transport certificate: ", about)
      assert.are.equal(0, #server:requests())
    end)
  end

  it("refuses a certificate that is for the name, where the endpoint is an address", function()
    contains(close(trusting, serve({ tls = certs.valid }), nil, "127.0.0.1"), "transport certificate: ",
      "for another name")
  end)

  it("refuses a certificate that is not trusted at once, for it will not be trusted in a second", function()
    local server = serve({ tls = certs.unknown_ca })
    contains(close(trusting, server, "retries = 3"), "transport certificate: ")
    assert.are.equal(1, server:connections())
  end)

  it("trusts nobody without lua_ssl_trusted_certificate, and names the directive", function()
    local web = nginx.start({ set = { dns = names.port }, http = "resolver 127.0.0.1:$(dns);" })
    local server = serve({ tls = certs.valid })
    contains(close(web, server), "transport certificate: ", "NGINX needs the directive lua_ssl_trusted_certificate")
    assert.are.equal(0, #server:requests())
    web:stop()
  end)

  it("says when the port does not speak it", function()
    local server = serve()
    server:script({ steps.on_accept({ steps.raw("220 mail.example ESMTP\r\n"), steps.close() }) })
    contains(close(trusting, server), "transport tls: ")
  end)

  it("gives up on a handshake that does not end", function()
    local server = serve()
    server:script({ steps.on_accept(steps.silence()) })
    contains(close(trusting, server, "connect_timeout = 0.3"), "timeout connect_timeout: ", "within 0.3 s")
  end)

  it("does not use connections that others have opened without verification", function()
    local server = serve({ tls = certs.unknown_ca })
    local text = trusting:run(([[
      local sock = ngx.socket.tcp()
      assert(sock:connect("localhost", %d))
      assert(sock:sslhandshake(nil, "localhost", false))
      assert(sock:setkeepalive())
      return close(client("others", { endpoint = "https://localhost:%d", retries = 0 }))]]):format(server.port,
      server.port))
    contains(text, "transport certificate: ")
    assert.are.equal(0, #server:requests())
  end)

  it("says so when a certificate is refused so quickly that NGINX does not wait for it", function()
    local server = serve({ tls = certs.valid })
    local text = trusting:run(([[
      local tcp = ngx.socket.tcp
      ngx.socket.tcp = function()
        local sock = tcp()
        return setmetatable({ sslhandshake = function() assert(false) end }, { __index = function(_, name)
          return function(_, ...) return sock[name](sock, ...) end
        end })
      end
      local result = close(client("quick", { endpoint = "https://localhost:%d", retries = 0 }))
      ngx.socket.tcp = tcp
      return result]]):format(server.port))
    contains(text, "transport certificate: ", "lua_ssl_trusted_certificate")
  end)

  describe("with handshakes that take long", function()
    -- The first of its connections wait so long for the server's part of the handshake.
    local function serve_slowly(connections, seconds)
      local server, script = serve({ tls = certs.valid }), { default = OK }
      for index = 1, connections do script[index] = steps.on_accept(steps.delay(seconds)) end
      server:script(script)
      return server
    end

    it("shakes few hands at a time, for the loop's sake", function()
      local server = serve_slowly(20, 0.1)
      assert.are.equal("16", trusting:run(([[
        local client = client("handshakes", { endpoint = "https://localhost:%d" })
        local tcp, at_once, most = ngx.socket.tcp, 0, 0
        ngx.socket.tcp = function()
          local sock = tcp()
          local function handshake(_, ...)
            at_once = at_once + 1
            most = math.max(most, at_once)
            local session, problem = sock:sslhandshake(...)
            at_once = at_once - 1
            return session, problem
          end
          return setmetatable({ sslhandshake = handshake }, { __index = function(_, name)
            return function(_, ...) return sock[name](sock, ...) end
          end })
        end
        local threads = {}
        for i = 1, 20 do threads[i] = ngx.thread.spawn(close, client) end
        for i = 1, 20 do assert(select(2, ngx.thread.wait(threads[i])) == 204) end
        ngx.socket.tcp = tcp
        return most]]):format(server.port)))
    end)

    it("is not stopped by those of another server", function()
      local deaf, server = serve_slowly(40, 60), serve({ tls = certs.valid })
      assert.are.equal("204", trusting:run(([[
        local deaf = client("deaf_beside", { endpoint = "https://localhost:%d", connect_timeout = 3, retries = 0 })
        local threads = {}
        for i = 1, 40 do threads[i] = ngx.thread.spawn(close, deaf) end
        local result = close(client("beside", { endpoint = "https://localhost:%d", connect_timeout = 1, retries = 0 }))
        for i = 1, 40 do ngx.thread.kill(threads[i]) end
        return result]]):format(deaf.port, server.port)))
    end)

    it("is not stopped by those that were given up", function()
      local server = serve_slowly(16, 60)
      contains(trusting:run(([[
        local client = client("stuck", { endpoint = "https://localhost:%d", retries = 0 })
        local threads, stop = {}, ngx.now() + 0.2
        for i = 1, 16 do
          threads[i] = ngx.thread.spawn(close, client, { cancel = function() return ngx.now() > stop end })
        end
        for i = 1, 15 do ngx.thread.wait(threads[i]) end
        return select(2, ngx.thread.wait(threads[16]))]]):format(server.port)), "cancelled cancelled: ")
      assert.are.equal("204", trusting:run("return close(client('stuck'))"))
    end)

    it("is not stopped for long by threads that were killed", function()
      local server = serve_slowly(16, 60)
      assert.are.equal("done", trusting:run(([[
        local client = client("killed", { endpoint = "https://localhost:%d", connect_timeout = 0.4, retries = 0 })
        local threads = {}
        for i = 1, 16 do threads[i] = ngx.thread.spawn(close, client) end
        for i = 1, 16 do ngx.thread.kill(threads[i]) end
        return "done"]]):format(server.port)))
      assert.are.equal("204", trusting:run("return close(client('killed'), { retry = { retries = 3, delay = 0.3 } })"))
    end)
  end)

  it("resumes its session on the next connection", function()
    local port = nginx.free_port()
    local service = nginx.start({ set = { tls = port, cert = certs.valid.cert, key = certs.valid.key }, http = [[
      server {
        listen 127.0.0.1:$(tls) ssl; ssl_certificate $(cert); ssl_certificate_key $(key); ssl_protocols TLSv1.2;
        keepalive_timeout 0;
        location / { default_type application/json; return 200 '{"token":"$ssl_session_reused"}'; }
      }]] })
    local text = trusting:run(([[
      local client = client("resuming", { endpoint = "https://localhost:%d" })
      return client:generate_client_token({}).token, client:generate_client_token({}).token]]):format(port))
    service:stop()
    assert.are.equal(". r", text)
  end)

  it("shows a client certificate, and does not lend the connection to a client without", function()
    local server = serve({ tls = certs.valid, client_ca = certs.ca.cert })
    assert.are.equal("204", close(trusting, server, ("client_cert = %q, client_key = %q"):format(certs.client.cert,
      certs.client.key)))
    assert.are.equal("/CN=spec client", server:requests()[1].tls.client)
    contains(close(trusting, server), "transport ")
    assert.are.equal(1, #server:requests())
  end)

  it("refuses a client certificate or key that is none", function()
    for options, about in pairs({
      [("client_cert = %q"):format(certs.client.key)] = "client_cert is no PEM certificate",
      [("client_cert = %q, client_key = %q"):format(certs.client.cert, certs.ca.cert)] = "client_key is no PEM key",
      [("client_cert = %q, client_key = '/nowhere'"):format(certs.client.cert)] = "client_key cannot be read",
    }) do
      contains(trusting:run(("return outcome(client, '', { endpoint = 'https://localhost', %s })"):format(options)),
        "argument invalid: ", about)
    end
  end)
end)
