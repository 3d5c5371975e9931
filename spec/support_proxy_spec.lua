-- The scripted server as an HTTP proxy in front of another one.

local certs = require("spec.support.certs")
local process = require("spec.support.process")
local scripted_server = require("spec.support.scripted_server")
local steps = require("spec.support.steps")
local tcp = require("spec.support.tcp")
local wait = require("spec.support.wait")

local reply, exchange = steps.reply, tcp.exchange

local TIMEOUT_SECONDS = 5
local GET = "GET /path?query=1 HTTP/1.1\r\nHost: spec\r\n\r\n"
local LAST_GET = "GET /last HTTP/1.1\r\nHost: spec\r\nConnection: close\r\n\r\n"

local function status_of(response)
  return tonumber(response:match("^HTTP/1%.1 (%d+) "))
end

describe("scripted server as a proxy", function()
  local proxy, origin

  setup(function()
    proxy = scripted_server.start({ proxy = true })
  end)
  before_each(function() proxy:reset() end)
  after_each(function() origin:stop() end)
  teardown(function() proxy:stop() end)

  local function start_origin(options)
    origin = scripted_server.start(options)
    origin:script({ default = reply({ status = 200, body = "secret" }) })
  end

  it("tunnels CONNECT, and TLS through it", function()
    start_origin({ tls = certs.valid })
    local result = process.run({ "openssl", "s_client", "-quiet", "-proxy", "127.0.0.1:" .. proxy.port,
      "-connect", "127.0.0.1:" .. origin.port, "-CAfile", certs.ca.cert, "-verify_return_error" },
      { stdin = LAST_GET })
    assert.matches("secret$", result.stdout)
    local request = proxy:requests()[1]
    assert.are.same({ "CONNECT", "127.0.0.1:" .. origin.port }, { request.method, request.target })
    assert.are.same({ 1, 1, 1 }, { proxy:connections(), #proxy:requests(), #origin:requests() })
    wait.until_true(function() return proxy:open_connections() == 0 end, TIMEOUT_SECONDS, "the tunnel to end")
  end)

  it("keeps a tunnel open in both directions", function()
    start_origin()
    local client = tcp.connect(proxy)
    client:send("CONNECT localhost:" .. origin.port .. " HTTP/1.1\r\n\r\n")
    assert.matches("^HTTP/1.1 200 ", client:receive("*l"))
    assert.are.equal("", client:receive("*l"))
    for _ = 1, 2 do
      client:send(GET)
      assert.matches("secret$", client:receive(#"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nsecret"))
    end
    proxy:reset()
    assert.are.equal("closed", select(2, client:receive(1)))
    wait.until_true(function() return origin:open_connections() == 0 end, TIMEOUT_SECONDS, "the origin to see it")
    assert.are.same({}, proxy:requests())
  end)

  it("passes on a request with an absolute URL, without the fields meant for itself", function()
    start_origin()
    local response = exchange(proxy, "POST " .. origin.origin .. "/a?b HTTP/1.1\r\nHost: spec\r\n"
      .. "Proxy-Authorization: Basic eA==\r\nConnection: keep-alive\r\nContent-Length: 4\r\n\r\nbody")
    assert.matches("secret$", response)
    assert.are.equal(origin.origin .. "/a?b", proxy:requests()[1].target)
    assert.are.equal("POST /a?b HTTP/1.1\r\nHost: spec\r\nContent-Length: 4\r\nConnection: close\r\n\r\nbody",
      origin:requests()[1].raw)
  end)

  it("refuses what is not on loopback, not there or no proxy request", function()
    start_origin()
    local port = origin.port
    origin:stop()
    assert.are.equal(403, status_of(exchange(proxy, "CONNECT 192.0.2.1:443 HTTP/1.1\r\n\r\n")))
    assert.are.equal(403, status_of(exchange(proxy, "GET http://service.example/ HTTP/1.1\r\n\r\n")))
    assert.are.equal(502, status_of(exchange(proxy, ("CONNECT 127.0.0.1:%d HTTP/1.1\r\n\r\n"):format(port))))
    assert.are.equal(400, status_of(exchange(proxy, GET)))
    assert.are.equal(4, #proxy:requests())
  end)

  it("plays its script first", function()
    start_origin()
    proxy:script({ reply({ status = 407, headers = { ["Proxy-Authenticate"] = "Basic" } }) })
    local absolute = LAST_GET:gsub("/last", origin.origin .. "/last")
    assert.are.equal(407, status_of(exchange(proxy, absolute)))
    assert.are.equal(200, status_of(exchange(proxy, absolute)))
    assert.are.equal(1, #origin:requests())
  end)
end)
