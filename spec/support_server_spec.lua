-- The scripted server, proved with a client that hides nothing.

local socket = require("socket")
local certs = require("spec.support.certs")
local scripted_server = require("spec.support.scripted_server")
local steps = require("spec.support.steps")
local tcp = require("spec.support.tcp")
local wait = require("spec.support.wait")

local reply, raw, delay, slowly, truncate = steps.reply, steps.raw, steps.delay, steps.slowly, steps.truncate
local close, abort, on_accept = steps.close, steps.abort, steps.on_accept
local connect, exchange = tcp.connect, tcp.exchange

local TIMEOUT_SECONDS = 5
local GET = "GET /path?query=1 HTTP/1.1\r\nHost: spec\r\n\r\n"
local LAST_GET = "GET /last HTTP/1.1\r\nHost: spec\r\nConnection: close\r\n\r\n"

-- What came back, and how the connection ended: "FIN" or "RST". Reading tells no difference, the socket's pending error
-- does.
local function observe(server, bytes)
  local client = connect(server)
  assert(client:send(bytes))
  wait.until_true(function()
    return server:connections() > 0 and server:open_connections() == 0
  end, TIMEOUT_SECONDS, "the server to end the connection")
  local problem = client:getoption("error")
  local received, _, partial = client:receive("*a")
  client:close()
  return received or partial, problem and "RST" or "FIN"
end

local function status_of(response)
  return tonumber(response:match("^HTTP/1%.1 (%d+) "))
end

local function split(response)
  return response:match("^(.-\r\n)\r\n(.*)$")
end

describe("scripted server", function()
  local server

  setup(function() server = scripted_server.start() end)
  teardown(function() server:stop() end)
  before_each(function() server:reset() end)

  local function wait_for_open_connections(count)
    wait.until_true(function() return server:open_connections() == count end, TIMEOUT_SECONDS,
      count .. " open connections")
  end

  describe("record", function()
    it("holds every request as it was sent, in order", function()
      server:script({ default = reply({ status = 204 }) })
      local post = "POST /a%2Fb?x=%20 HTTP/1.1\r\nHost: spec\r\nX-Twice: 1\r\nx-twice:2\r\nContent-Length: 4\r\n"
        .. "Connection: close\r\n\r\n\0\r\n\255"
      exchange(server, GET .. post)

      local requests = server:requests()
      assert.are.equal(2, #requests)
      assert.are.equal("GET", requests[1].method)
      assert.are.equal("/path?query=1", requests[1].target)
      assert.are.equal("HTTP/1.1", requests[1].version)
      assert.are.equal("", requests[1].body)
      assert.are.equal(GET, requests[1].raw)
      assert.are.equal("/a%2Fb?x=%20", requests[2].target)
      assert.are.same({ "1", "2" }, requests[2].headers:all("X-TWICE"))
      assert.are.equal("\0\r\n\255", requests[2].body)
      assert.are.equal(post, requests[2].raw)
      assert.is_true(requests[2].at >= requests[1].at)
    end)

    it("decodes a chunked body and keeps its bytes", function()
      local post = "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
        .. "3\r\nabc\r\nA;x=y\r\n0123456789\r\n0\r\n\r\n"
      server:script({ reply({ status = 204 }) })
      exchange(server, post)
      assert.are.equal("abc0123456789", server:requests()[1].body)
      assert.are.equal(post, server:requests()[1].raw)
    end)

    it("counts connections, and requests on each", function()
      server:script({ default = reply({ status = 204 }) })
      exchange(server, GET .. GET .. LAST_GET)
      exchange(server, LAST_GET)
      connect(server):close()
      assert.are.equal(3, server:connections())
      local ordinals = {}
      for i, request in ipairs(server:requests()) do ordinals[i] = request.connection end
      assert.are.same({ 1, 1, 1, 2 }, ordinals)
    end)

    it("leaves out a request that never became complete", function()
      local client = connect(server)
      client:send("POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\nabc")
      client:close()
      assert.are.equal(1, server:connections())
      wait_for_open_connections(0)
      assert.are.same({}, server:requests())
    end)

    it("is forgotten by reset, with the script and the connections", function()
      server:script({ steps.silence(), { delay(0.05), reply({ status = 200 }) }, default = reply({ status = 204 }) })
      local clients = { connect(server), connect(server), connect(server) } -- silent, delayed, idle
      clients[1]:send(GET)
      clients[2]:send(GET)
      wait.until_true(function() return #server:requests() == 2 end, TIMEOUT_SECONDS, "two requests")
      server:reset()
      for _, client in ipairs(clients) do assert.are.equal("closed", select(2, client:receive(1))) end
      assert.are.same({ 0, 0, 0, {} }, { server:connections(), server:open_connections(), server:remaining(),
        server:requests() })
      assert.are.equal(501, status_of(exchange(server, LAST_GET)))
    end)
  end)

  describe("script", function()
    it("is taken entry by entry, then the default again and again", function()
      server:script({ reply({ status = 500 }), { delay(0), reply({ status = 503 }) },
        default = reply({ status = 204 }) })
      assert.are.equal(2, server:remaining())
      local statuses = {}
      for i = 1, 4 do statuses[i] = status_of(exchange(server, LAST_GET)) end
      assert.are.same({ 500, 503, 204, 204 }, statuses)
      assert.are.equal(0, server:remaining())
    end)

    it("that is used up and has no default answers 501", function()
      server:script({ reply({ status = 204 }) })
      assert.are.equal(204, status_of(exchange(server, LAST_GET)))
      local response = exchange(server, LAST_GET)
      assert.are.equal(501, status_of(response))
      assert.matches("no entry left", response)
      assert.are.equal(2, #server:requests())
    end)

    it("is refused when it makes no sense, before anything is sent", function()
      assert.error_matches(function() reply({ status = 204, body = "x" }) end, "a 204 has no body")
      assert.error_matches(function() reply({ status = 20 }) end, "status from 100 to 999")
      assert.error_matches(function() reply({ status = 200, header = {} }) end, 'no field "header"')
      assert.error_matches(function() reply({ status = 200, framing = "none" }) end, "framing is")
      assert.error_matches(function() reply({ status = 200, chunk_size = 2 }) end, "chunk_size needs")
      assert.error_matches(function() steps.endless("") end, "non%-empty")
      assert.error_matches(function() truncate(close()) end, "truncate takes")
      assert.error_matches(function() server:script({ {} }) end, "holds none")
      assert.error_matches(function() server:script({ "204" }) end, "not a string")
      assert.error_matches(function() server:script({ { close(), on_accept(close()) } }) end, "entry of its own")
      assert.error_matches(function() on_accept(steps.forward()) end, "cannot be played on_accept")
    end)
  end)

  describe("reply", function()
    it("is well-formed and keeps the connection", function()
      server:script({
        reply({ status = 200, headers = { ["X-One"] = 1, ["Set-Cookie"] = { "a", "b" } }, body = "hello" }),
        reply({ status = 202, reason = "Taken" }), reply({ status = 204 }) })
      assert.are.equal("HTTP/1.1 200 OK\r\nSet-Cookie: a\r\nSet-Cookie: b\r\nX-One: 1\r\nContent-Length: 5\r\n\r\nhello"
        .. "HTTP/1.1 202 Taken\r\nContent-Length: 0\r\n\r\n"
        .. "HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n", exchange(server, GET .. GET .. LAST_GET))
    end)

    it("can be chunked", function()
      server:script({ reply({ status = 200, body = "hello", framing = "chunked", chunk_size = 3 }),
        reply({ status = 200, framing = "chunked" }) })
      assert.are.equal("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n"
        .. "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n0\r\n\r\n",
        exchange(server, GET .. LAST_GET))
    end)

    it("can end with the connection, by framing or by header", function()
      server:script({ reply({ status = 200, body = "hello", framing = "close" }),
        reply({ status = 204, headers = { Connection = "close" } }) })
      assert.are.equal("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhello", exchange(server, GET))
      assert.are.equal("HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n", exchange(server, GET .. GET))
      assert.are.equal(2, #server:requests())
    end)

    it("to HEAD announces the body and leaves it out", function()
      server:script({ reply({ status = 404, body = ("x"):rep(115) }), reply({ status = 200 }) })
      local response = exchange(server, "HEAD / HTTP/1.1\r\n\r\nHEAD / HTTP/1.1\r\nConnection: close\r\n\r\n")
      assert.are.equal("HTTP/1.1 404 Not Found\r\nContent-Length: 115\r\n\r\n"
        .. "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", response)
    end)

    it("can follow interim ones", function()
      server:script({ { reply({ status = 103, headers = { Link = "x" } }), reply({ status = 204 }) } })
      assert.are.equal("HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"
        .. "HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n", exchange(server, LAST_GET))
    end)

    it("to a client that waits before sending its body comes after 100", function()
      server:script({ { reply({ status = 204 }), close() } })
      local client = connect(server)
      client:send("POST / HTTP/1.1\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n")
      assert.are.equal("HTTP/1.1 100 Continue", client:receive("*l"))
      client:send("body")
      assert.matches("^\r\nHTTP/1.1 204", client:receive("*a"))
      assert.are.equal("body", server:requests()[1].body)
    end)

    it("can lie about its length and its version", function()
      server:script({ { reply({ status = 200, headers = { ["Content-Length"] = 100 }, body = "abc" }), close() },
        { reply({ status = 200, version = "HTTP/9.9" }), close() } })
      assert.are.equal("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc", exchange(server, GET))
      assert.are.equal("HTTP/9.9 200 OK\r\nContent-Length: 0\r\n\r\n", exchange(server, GET))
    end)

    it("can be larger than any buffer", function()
      local body = ("0123456789abcdef"):rep(256 * 1024)
      server:script({ reply({ status = 200, body = body }) })
      local _, received = split(exchange(server, LAST_GET))
      assert.is_true(body == received)
    end)
  end)

  describe("misbehaviour", function()
    it("sends any bytes", function()
      local bytes = "\0\255 no HTTP\n\n"
      server:script({ { raw(bytes), close() } })
      assert.are.equal(bytes, exchange(server, GET))
    end)

    it("waits before and between", function()
      server:script({ { delay(0.05), raw("a"), delay(0.05), raw("b"), close() } })
      local client = connect(server)
      local started = socket.gettime()
      client:send(GET)
      assert.are.equal("a", client:receive(1))
      assert.is_true(socket.gettime() - started >= 0.05)
      assert.are.equal("b", client:receive(1))
      assert.is_true(socket.gettime() - started >= 2 * 0.05)
    end)

    it("sends a reply byte by byte", function()
      server:script({ slowly(reply({ status = 204 }), 0.001), slowly(raw("12345678"), 0.02, 4) })
      local started = socket.gettime()
      local response = exchange(server, LAST_GET)
      assert.are.equal("HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n", response)
      assert.is_true(socket.gettime() - started >= #response * 0.001)
      started = socket.gettime()
      assert.are.equal("12345678", exchange(server, LAST_GET))
      assert.is_true(socket.gettime() - started >= 2 * 0.02)
    end)

    it("keeps silent until the client leaves", function()
      server:script({ steps.silence() })
      local client = connect(server)
      client:send(GET)
      wait.until_true(function() return #server:requests() == 1 end, TIMEOUT_SECONDS, "the request")
      client:settimeout(0.1)
      assert.are.equal("timeout", select(2, client:receive(1)))
      assert.are.equal(1, server:open_connections())
      client:close()
      wait_for_open_connections(0)
    end)

    it("cuts a response short, with FIN or with RST", function()
      local whole = reply({ status = 200, body = "hello" })
      server:script({ { truncate(whole), close() }, { truncate(whole, 20), abort() },
        { reply({ status = 200, headers = { ["Content-Length"] = 9 }, body = "abc" }), abort() } })
      assert.are.same({ "HTTP/1.1 200 OK\r\nCont", "FIN" }, { observe(server, GET) })
      assert.are.same({ "HTTP/1.1 200 OK\r\nCon", "RST" }, { observe(server, GET) })
      assert.are.same({ "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc", "RST" }, { observe(server, GET) })
    end)

    it("reads a request and ends the connection unanswered", function()
      server:script({ close(), abort() })
      assert.are.same({ "", "FIN" }, { observe(server, GET) })
      assert.are.same({ "", "RST" }, { observe(server, GET) })
      assert.are.equal(2, #server:requests())
    end)

    it("ends a kept-alive connection when its next request arrives", function()
      server:script({ reply({ status = 204 }), close(), reply({ status = 200 }) })
      assert.are.equal("HTTP/1.1 204 No Content\r\n\r\n", exchange(server, GET .. GET))
      assert.are.equal(200, status_of(exchange(server, LAST_GET)))
      assert.are.same({ 2, 3 }, { server:connections(), #server:requests() })
    end)

    it("ends a connection right after a reply that promised to keep it", function()
      server:script({ { reply({ status = 204 }), close() } })
      assert.are.equal("HTTP/1.1 204 No Content\r\n\r\n", exchange(server, GET))
      wait_for_open_connections(0)
    end)

    it("never stops sending headers or a body", function()
      local enough = 1024 * 1024
      server:script({ steps.endless_headers(), steps.endless_body(), slowly(steps.endless("z"), 0.001) })
      for _, expected in ipairs({ "^HTTP/1.1 200 OK\r\nX%-Filler: x+\r\nX%-Filler: x+\r\n",
        "^HTTP/1.1 200 OK\r\n\r\nxxx" }) do
        local client = connect(server)
        client:send(GET)
        assert.matches(expected, client:receive(enough))
        client:close()
      end
      local client = connect(server)
      client:send(GET)
      assert.are.equal("zzzzz", client:receive(5))
      client:close()
      wait_for_open_connections(0)
    end)

    it("can come before anything is read", function()
      server:script({ on_accept(close()), on_accept({ delay(0.05), abort() }),
        on_accept({ raw("SSH-2.0\r\n"), close() }), on_accept(steps.silence()), on_accept(delay(0.05)),
        reply({ status = 204 }) })
      assert.are.same({ "", "FIN" }, { observe(server, "") })
      assert.are.same({ "", "RST" }, { observe(server, "") })
      assert.are.equal("SSH-2.0\r\n", exchange(server, ""))
      local silent = connect(server)
      silent:settimeout(0.05)
      silent:send(GET)
      assert.are.equal("timeout", select(2, silent:receive(1)))
      silent:close()
      assert.are.same({}, server:requests())
      assert.are.equal(204, status_of(exchange(server, LAST_GET))) -- served as usual, a little later
      assert.are.same({ 5, 1, 0 }, { server:connections(), #server:requests(), server:remaining() })
    end)

    it("before anything is read can be the default", function()
      server:script({ default = on_accept(close()) })
      for _ = 1, 3 do assert.are.equal("", exchange(server, "")) end
      assert.are.same({ 3, 0 }, { server:connections(), #server:requests() })
    end)
  end)
end)

describe("scripted_server.start", function()
  it("refuses options that make no sense", function()
    assert.error_matches(function() scripted_server.start({ port = 1 }) end, "port is not an option")
    assert.error_matches(function() scripted_server.start({ tls = true }) end, "tls is a table")
    assert.error_matches(function() scripted_server.start({ alpn = { "h2" } }) end, "alpn needs tls")
    assert.error_matches(function() scripted_server.start({ tls = certs.valid, tls_max = "2" }) end, "is one of 1.0")
  end)

  it("reports why the server's process did not start", function()
    assert.error_matches(function()
      scripted_server.start({ tls = { cert = "/nowhere", key = "/nowhere" } })
    end, "/nowhere: No such file")
  end)

  it("gives a server that says so when it is gone, and stops twice", function()
    local server = scripted_server.start()
    server.child:kill()
    assert.error_matches(function() server:connections() end, "did not answer \"connections\": closed")
    server = scripted_server.start()
    server:stop()
    server:stop()
    assert.are.equal("connection refused", select(2, socket.connect(server.host, server.port)))
  end)
end)
