-- Calls inside a real nginx through an HTTP proxy: a tunnel for each connection, and failures that name the proxy.

if _VERSION ~= "Lua 5.1" then return end -- NGINX loads the build for Lua 5.1

local certs = require("spec.support.certs")
local dns = require("spec.support.dns")
local nginx = require("spec.support.nginx")
local scripted_server = require("spec.support.scripted_server")
local socket = require("socket")
local steps = require("spec.support.steps")

local contains = nginx.contains
local OK = steps.reply({ status = 204 })
local SECRET = "p@ss:word"

describe("in NGINX, an HTTP proxy", function()
  local proxy, plain, secure, names, web

  setup(function()
    names = dns.start()
    proxy = scripted_server.start({ proxy = true })
    plain, secure = scripted_server.start(), scripted_server.start({ tls = certs.valid })
    web = nginx.start({ set = { dns = names.port, ca = certs.ca.cert },
      http = "resolver 127.0.0.1:$(dns); lua_ssl_trusted_certificate $(ca); lua_socket_log_errors off;" })
  end)
  teardown(function()
    web:stop()
    for _, server in ipairs({ proxy, plain, secure }) do server:stop() end
    names.stop()
  end)
  before_each(function()
    for _, server in ipairs({ proxy, plain, secure }) do server:reset() end
    plain:script({ default = OK })
    secure:script({ default = OK })
  end)

  -- What calls come to with a client of that name.
  local function close(name, origin, options, code)
    return web:run(nginx.with_client(origin, name, "retries = 0, " .. options, code or "return close(client)"))
  end

  local function through(address)
    return ("proxy = %q"):format(address or proxy.origin)
  end

  local function localhost()
    return "https://localhost:" .. secure.port -- NGINX compares no addresses
  end

  it("is asked for one tunnel a connection, and sees neither token nor user", function()
    assert.are.equal("204 204", close("tls", localhost(), through(), "return close(client), close(client)"))
    local tunnels, requests = proxy:requests(), secure:requests()
    assert.are.same({ 1, 2, 1 }, { #tunnels, #requests, secure:connections() })
    local target = "localhost:" .. secure.port
    assert.are.same({ "CONNECT", target, target }, { tunnels[1].method, tunnels[1].target,
      tunnels[1].headers:get("Host") })
    for _, secret in ipairs({ "Bearer", "alice" }) do assert.is_nil(tunnels[1].raw:find(secret, 1, true)) end
    assert.are.equal("localhost", requests[1].tls.server_name)
  end)

  it("tunnels to plain http:// as well", function()
    assert.are.equal("204", close("plain", plain.origin, through()))
    assert.are.same({ "CONNECT", "127.0.0.1:" .. plain.port },
      { proxy:requests()[1].method, proxy:requests()[1].target })
    contains(plain:requests()[1].target, "/api/hubs/chat/users/alice/:closeConnections?")
  end)

  it("is shown the user and password of its URL, which no error tells", function()
    local address = ("http://user%%20name:p%%40ss%%3Aword@127.0.0.1:%d"):format(proxy.port)
    assert.are.equal("204", close("user", localhost(), through(address)))
    -- base64 of "user name:p@ss:word"
    assert.are.same({ "Basic dXNlciBuYW1lOnBAc3M6d29yZA==" }, proxy:requests()[1].headers:all("Proxy-Authorization"))
    assert.is_nil(secure:requests()[1].headers:get("Proxy-Authorization"))
    proxy:script({ steps.reply({ status = 407, headers = { ["Proxy-Authenticate"] = "Basic realm=x" } }) })
    local text = close("refused_user", plain.origin, through(address))
    contains(text, "transport proxy: ", ("the proxy 127.0.0.1:%d asks for another user and password (407)"):format(
      proxy.port))
    for _, secret in ipairs({ SECRET, "p%40ss", "dXNlc" }) do assert.is_nil(text:find(secret, 1, true), text) end
  end)

  it("and connections through it are not lent to clients with another or none", function()
    assert.are.equal("204", close("lent", plain.origin, through()))
    assert.are.equal("204", close("direct", plain.origin, ""))
    assert.are.equal("204", close("other_user", plain.origin, through(("http://u@127.0.0.1:%d"):format(proxy.port))))
    assert.are.same({ 2, 3 }, { #proxy:requests(), plain:connections() })
  end)

  for about, script in pairs({
    ["answered 403"] = steps.reply({ status = 403, body = "not from here" }),
    ["answered 502"] = steps.reply({ status = 502 }),
    ["the response does not begin with an HTTP status line"] = { steps.raw("SSH-2.0-OpenSSH_9.2\r\n"), steps.close() },
    ["the connection was closed before any answer"] = steps.close(),
    ["the connection was closed in the middle of the response"] = { steps.raw("HTTP/1.1 200"), steps.close() },
    ["sent bytes into the tunnel before it was used"] = { steps.raw("HTTP/1.1 200 OK\r\n\r\nhello"), steps.silence() },
    ["exceeds max_header_bytes"] = steps.endless_headers(),
  }) do
    it("that fails is named: " .. about, function()
      proxy:script({ script })
      contains(close("failing " .. about, plain.origin, through()), "transport proxy: ",
        ("127.0.0.1:%d: the proxy "):format(plain.port), ("127.0.0.1:%d"):format(proxy.port), about)
      assert.are.equal(0, #plain:requests())
    end)
  end

  it("that is not there, or has no address, is named", function()
    local gone = scripted_server.start()
    gone:stop()
    contains(close("gone", plain.origin, through(gone.origin)), "transport proxy: ",
      ("the proxy 127.0.0.1:%d cannot be reached"):format(gone.port), "connection refused")
    contains(close("unknown", plain.origin, through("http://missing.example:3128") .. ", allow_http = true"),
      "transport proxy: ", "the proxy missing.example:3128 cannot be reached", "could not be resolved")
  end)

  it("that cannot be reached in time is named", function()
    local deaf = assert(socket.udp())
    assert(deaf:setsockname("127.0.0.1", 0))
    local other = nginx.start({ http = ("resolver 127.0.0.1:%d;"):format(select(2, deaf:getsockname())) })
    contains(other:run(nginx.with_client(plain.origin, "deaf", through("http://slow.example:3128")
      .. ", connect_timeout = 0.3, retries = 0, allow_http = true", "return close(client)")),
      "timeout connect_timeout: ", "the proxy slow.example:3128 cannot be reached in the time there is to connect")
    other:stop()
    deaf:close()
  end)

  it("that is silent ends with the time to connect", function()
    proxy:script({ steps.silence() })
    contains(close("silent", plain.origin, through() .. ", connect_timeout = 0.3"), "timeout connect_timeout: ",
      ("the proxy 127.0.0.1:%d opened no tunnel"):format(proxy.port))
  end)

  it("leaves the origin's certificate to be checked", function()
    local stranger = scripted_server.start({ tls = certs.unknown_ca })
    contains(close("stranger", "https://localhost:" .. stranger.port, through()), "transport certificate: ",
      "lua_ssl_trusted_certificate")
    stranger:stop()
  end)

  it("on another machine is refused for plain http:// unless that is allowed", function()
    contains(web:run([[return outcome(client, "", { endpoint = "http://127.0.0.1:1",
      proxy = "http://user:secret@proxy.example:3128" })]]), "argument invalid: ", "allow_http = true")
  end)
end)
