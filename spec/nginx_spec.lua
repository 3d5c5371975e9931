-- Calls inside a real nginx: in which phases, over which connections, and how they fail.

if _VERSION ~= "Lua 5.1" then return end -- NGINX loads the build for Lua 5.1

local dns = require("spec.support.dns")
local nginx = require("spec.support.nginx")
local scripted_server = require("spec.support.scripted_server")
local socket = require("socket")
local steps = require("spec.support.steps")
local wait = require("spec.support.wait")

local reply = steps.reply
local OK = reply({ status = 204 })

local contains = nginx.contains

describe("in NGINX", function()
  local server, web

  setup(function()
    server = scripted_server.start()
    web = nginx.start({ http = "lua_socket_log_errors off;" })
  end)
  teardown(function()
    web:stop()
    server:stop()
  end)
  before_each(function()
    server:reset()
    server:script({ default = OK })
  end)

  local function with_client(name, options, code)
    return nginx.with_client(server.origin, name, options, code)
  end

  it("a call does what it does elsewhere", function()
    server:script({ reply({ status = 204 }), reply({ status = 404, headers = { ["x-ms-error-code"] = "Error.No" } }),
      reply({ status = 200, body = '{"token":"t"}', headers = { ["Content-Type"] = "application/json" } }) })
    local text = web:run(with_client("plain", "", [[
      local response = client:close_user_connections { user = "alice", excluded = { "a b" }, reason = "bye" }
      local refused = outcome(client.add_user_to_group, client, { user = "u", group = "g" })
      return response, refused, client:generate_client_token({}).token]]))
    contains(text, "204 No Content (close_user_connections, 1 attempt", "service Error.No: ", " t")
    local request = server:requests()[1]
    assert.are.equal("POST", request.method)
    contains(request.target, "/api/hubs/chat/users/alice/:closeConnections?", "excluded=a%20b&reason=bye")
    assert.are.equal(("127.0.0.1:%d"):format(server.port), request.headers:get("Host"))
    assert.are.equal("0", request.headers:get("Content-Length"))
    contains(request.headers:get("Authorization"), "Bearer ")
  end)

  it("libcurl is not loaded", function()
    assert.are.equal("true false", web:run(with_client("maps", "", [[
      local maps = io.open("/proc/self/maps"):read("*a")
      return maps:find("webpubsub/core.so", 1, true) ~= nil, maps:find("curl") ~= nil]])))
  end)

  it("connections are kept, and only where the server says nothing else", function()
    local code = with_client("kept", "", "for _ = 1, 5 do assert(close(client) == 204) end")
    web:run(code)
    web:run(code)
    assert.are.equal(1, server:connections())
    server:script({ default = reply({ status = 204, headers = { Connection = "close" } }) })
    web:run(code)
    assert.are.equal(5, server:connections()) -- the kept one served the first
  end)

  it("a call does not hold up the others of its worker", function()
    server:script({ default = { steps.delay(0.2), OK } })
    local started, running = socket.gettime(), {}
    for index = 1, 10 do running[index] = web:start_run(with_client("others", "", "return close(client)")) end
    for _, client in ipairs(running) do assert.are.equal("204", (web.finish(client))) end
    assert.is_true(socket.gettime() - started < 1.5, socket.gettime() - started)
  end)

  it("what is retried waits without holding up the worker", function()
    server:script({ reply({ status = 503 }), reply({ status = 503 }), default = OK })
    local running = web:start_run(with_client("retried", "retry = { delay = 0.3, jitter = 0 }", [[
      local response = client:close_user_connections { user = "alice" }
      return response.status, response.attempts]]))
    local started = socket.gettime()
    assert.are.equal("1", web:run("return 1"))
    assert.is_true(socket.gettime() - started < 0.25)
    assert.are.equal("204 3", (web.finish(running)))
  end)

  describe("a kept connection that the server has closed", function()
    it("is replaced, and the request sent again at once in an attempt of its own", function()
      server:script({ OK, steps.close(), OK })
      assert.are.equal("204 204 2", web:run(with_client("stale", "retry = { delay = 60 }", [[
        local first, second = close(client), client:close_user_connections { user = "alice" }
        return first, second.status, second.attempts]])))
      assert.are.equal(3, #server:requests())
    end)

    it("takes the others that are kept with it", function()
      server:script({ OK, OK, OK, steps.close(), default = OK })
      assert.are.equal("204 2 204 1", web:run(with_client("all_stale", "", [[
        local threads = {}
        for i = 1, 3 do threads[i] = ngx.thread.spawn(close, client) end
        for i = 1, 3 do ngx.thread.wait(threads[i]) end
        local first = client:close_user_connections { user = "alice" }
        local second = client:close_user_connections { user = "alice" }
        return first.status, first.attempts, second.status, second.attempts]])))
      local requests = server:requests()
      assert.are.same({ 6, 4, 4 }, { #requests, requests[5].connection, requests[6].connection })
    end)

    it("fails the call that must not arrive twice", function()
      server:script({ OK, steps.close(), OK })
      contains(web:run(with_client("once", "retries = 0", "close(client) return close(client)")),
        "transport closed: ", "before any answer")
      assert.are.equal(2, #server:requests())
    end)

    it("is replaced by a new one, whose death is a failure like any other", function()
      server:script({ OK, steps.close(), steps.close(), OK })
      assert.are.equal("204 3", web:run(with_client("stale_twice", "retry = { delay = 0.01 }", [[
        close(client)
        local response = client:close_user_connections { user = "alice" }
        return response.status, response.attempts]])))
    end)
  end)

  it("a response that breaks off is a failure, tried again unless told otherwise", function()
    local broken = { steps.truncate(reply({ status = 200, body = "whole" })), steps.close() }
    server:script({ broken, broken, OK })
    contains(web:run(with_client("broken", "", "return close(client, { retries = 0 })")), "transport closed: ",
      "in the middle of the response")
    assert.are.equal("204", web:run(with_client("broken", "retry = { delay = 0.01 }", "return close(client)")))
  end)

  it("a response that is no HTTP, or too much, is refused and its connection closed", function()
    for code, step in pairs({
      malformed = steps.raw("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n"),
      too_large = reply({ status = 200, body = ("x"):rep(101) }),
    }) do
      server:script({ step })
      contains(web:run(with_client("strict", "max_response_bytes = 100", "return close(client)")), "protocol " .. code)
      wait.until_true(function() return server:open_connections() == 0 end, 2, "the connection to be closed")
    end
  end)

  it("an answer that comes before the request is whole counts, be it that the server reads no further", function()
    local refused = "HTTP/1.1 429 Too Many Requests\r\nRetry-After: 7\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    server:script({ default = steps.on_accept({ steps.raw(refused), steps.delay(0.2), steps.close() }) })
    contains(web:run(with_client("early", "retries = 0", [[
      return outcome(client.send_to_all, client, { content = ("x"):rep(1000000), content_type = "text" })]])),
      "service ", "429")
  end)

  it("what a server sends unasked on a kept connection is nobody's response", function()
    server:script({ { steps.raw("HTTP/1.1 204 No Content\r\n\r\n"), steps.delay(0.05),
      steps.raw("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n") }, default = OK })
    assert.are.equal("204 204", web:run(with_client("unasked", "", [[
      local first = close(client)
      ngx.sleep(0.2)
      return first, close(client)]])))
    assert.are.equal(2, server:connections())
  end)

  it("what a server sends unasked, or its end, is seen although the worker has been busy", function()
    for _, late in ipairs({ steps.raw("HTTP/1.1 500 Late\r\nContent-Length: 0\r\n\r\n"), steps.close() }) do
      server:reset()
      server:script({ { OK, steps.delay(0.05), late }, default = OK })
      assert.are.equal("204 204", web:run(with_client("busy" .. late.kind, "retries = 0", [[
        local now = require("webpubsub.core").now
        local first, stop = close(client), now() + 0.2
        while now() < stop do end
        return first, close(client)]])))
      assert.are.equal(2, server:connections())
    end
  end)

  it("a slow response ends with its attempt, on time", function()
    server:script({ default = { steps.raw("HTTP/1.1 200 OK\r\n"), steps.silence() } })
    local started = socket.gettime()
    contains(web:run(with_client("slow", "attempt_timeout = 0.3, retries = 0", "return close(client)")),
      "timeout attempt_timeout: ", "within 0.3 s")
    local trickle = steps.slowly(reply({ status = 200, body = ("x"):rep(1000) }), 0.02)
    server:script({ default = trickle })
    contains(web:run(with_client("trickle", "timeout = 0.5", "return close(client)")), "timeout deadline: ")
    assert.is_true(socket.gettime() - started < 2)
  end)

  it("a server that is not there is a failure that says so", function()
    local gone = scripted_server.start()
    gone:stop()
    contains(web:run(("return close(client('gone', { endpoint = %q, retries = 0 }))"):format(gone.origin)),
      "transport connect: ", "connection refused")
  end)

  it("connections are bounded, and so are the calls that wait for one", function()
    server:script({ default = steps.silence() })
    local options = "pool_size = 1, backlog = 1, connect_timeout = 0.1, attempt_timeout = 1, retries = 0"
    local text = web:run(with_client("bounded", options, [[
      local function call(context) return close(client, context) end
      local first, second = ngx.thread.spawn(call), ngx.thread.spawn(call, { timeout = 0.3 })
      local third = call()
      local _, of_second = ngx.thread.wait(second)
      local _, of_first = ngx.thread.wait(first)
      return third, "|", of_second, "|", of_first]]))
    local third, second, first = text:match("^(.*) | (.*) | (.*)$")
    contains(third, "transport busy: ", "raise pool_size or backlog")
    contains(second, "timeout deadline: ", "timeout of 0.3 s")
    contains(first, "timeout attempt_timeout: ")
    assert.are.equal(1, server:connections())
  end)

  it("the wait for a connection counts towards the call's time and not the attempt's", function()
    server:script({ default = { steps.delay(0.3), OK } })
    local options = "pool_size = 1, attempt_timeout = 0.5, retries = 0"
    assert.are.equal("204 204 204 204", web:run(with_client("patient", options, [[
      local threads, results = {}, {}
      for i = 1, 4 do threads[i] = ngx.thread.spawn(close, client) end
      for i = 1, 4 do results[i] = select(2, ngx.thread.wait(threads[i])) end
      return unpack(results)]])))
  end)

  it("a call after a failure takes a new connection, and leaves the kept ones to others", function()
    server:script({ { steps.delay(0.1), OK }, { steps.delay(0.1), OK },
      { steps.raw("HTTP/1.1 200 OK\r\n"), steps.abort() }, default = OK })
    assert.are.equal("204 204 204 2 204", web:run(with_client("fresh", "retry = { delay = 0.001 }", [[
      local threads, results = {}, {}
      for i = 1, 2 do threads[i] = ngx.thread.spawn(close, client) end
      for i = 1, 2 do results[i] = select(2, ngx.thread.wait(threads[i])) end
      local response = client:close_user_connections { user = "alice" }
      return results[1], results[2], response.status, response.attempts, close(client)]])))
    local connections = {}
    for index, request in ipairs(server:requests()) do connections[index] = request.connection end
    local died = connections[3]
    assert.are.same({ 3, 3 - died }, { connections[4], connections[5] })
  end)

  it("connections are kept for idle_timeout, and used for max_connection_age at most", function()
    web:run(with_client("idle", "idle_timeout = 0.2", "return close(client)"))
    wait.until_true(function() return server:open_connections() == 0 end, 2, "the idle connection to be closed")
    server:reset()
    server:script({ default = OK })
    assert.are.equal("204 204 204", web:run(with_client("old", "max_connection_age = 0.3", [[
      local first, second = close(client), close(client)
      ngx.sleep(0.35)
      return first, second, close(client)]])))
    local requests = server:requests()
    assert.are.same({ 1, 1, 2 }, { requests[1].connection, requests[2].connection, requests[3].connection })
  end)

  it("a call can be cancelled while it waits for the network, which closes its connection", function()
    server:script({ default = steps.silence() })
    local started = socket.gettime()
    contains(web:run(with_client("cancelled", "", [[
      local stop = ngx.now() + 0.2
      return close(client, { cancel = function() return ngx.now() > stop end })]])), "cancelled cancelled: ")
    assert.is_true(socket.gettime() - started < 1)
    wait.until_true(function() return server:open_connections() == 0 end, 2, "the connection to be closed")
    server:script({ default = OK })
    assert.are.equal("204 204", web:run(with_client("cancelled", "", [[
      local function never() return false end
      return close(client, { cancel = never }), close(client, { cancel = never })]])))
    contains(web:run(with_client("cancelled", "",
      "return close(client, { cancel = function() error('from cancel', 0) end, retries = 0 })")), "from cancel")
  end)

  it("a call can be cancelled while it waits for its next attempt", function()
    server:script({ default = reply({ status = 503 }) })
    local started = socket.gettime()
    contains(web:run(with_client("cancelled_wait", "retry = { delay = 5 }", [[
      local stop = ngx.now() + 0.2
      return close(client, { cancel = function() return ngx.now() > stop end })]])), "cancelled cancelled: ")
    assert.is_true(socket.gettime() - started < 1)
  end)

  it("an application's own transport is used, with NGINX's clock", function()
    assert.are.equal("204 2", web:run([[
      local attempts = 0
      local client = webpubsub.new { endpoint = "https://contoso.example", key = "k", hub = "chat",
        retry = { delay = 0.01 }, transport = function()
          attempts = attempts + 1
          return { status = attempts == 1 and 503 or 204 }
        end }
      return close(client), attempts]]))
  end)

  it("options that NGINX's directives replace are refused, naming the directive", function()
    for options, about in pairs({
      ['ca_file = "/etc/ssl/certs/ca-certificates.crt"'] = "lua_ssl_trusted_certificate",
      ['proxy = "https://127.0.0.1:1"'] = "https:// one in NGINX",
      ['proxy = "socks5h://secret:word@127.0.0.1:1"'] = "http:// proxies only",
      ['proxy = "127.0.0.1:1"'] = "http://[user:password@]host[:port]",
      ['proxy = "http://secret:word@127.0.0.1:1/path"'] = "http://[user:password@]host[:port]",
      ['proxy = "http://secret:word@bad host:1"'] = "http://[user:password@]host[:port]",
      ['proxy = "http://127.0.0.1:65536"'] = "http://[user:password@]host[:port]",
      ["connect_timeout = 0"] = "connect_timeout",
      ["idle_timeout = 0"] = "idle_timeout",
      ["max_connection_age = -1"] = "max_connection_age",
      ['client_cert = "/nowhere", client_key_password = "x"'] = "client_key_password",
      ['client_cert = "/nowhere"'] = "client_cert cannot be read",
      ["max_header_bytes = 0.5"] = "max_header_bytes",
    }) do
      local text = web:run(('return outcome(client, "", { endpoint = "https://contoso.example", %s })'):format(options))
      contains(text, "argument invalid: ", about)
      assert.is_nil(text:find("secret"), text)
    end
    assert.are.equal("204", web:run(with_client("no_proxy", "proxy = false", "return close(client)")))
  end)

  it("a visitor who goes away ends the call, if the location asks for it, and nothing else", function()
    local aborting = nginx.start({ set = { origin = server.origin }, http = "lua_check_client_abort on;", server = [[
      location = /abort { content_by_lua_block {
        local client = require("webpubsub").new { endpoint = "$(origin)", key = "k", hub = "chat" }
        client:close_user_connections { user = "alice" }
      } }]] })
    server:script({ default = steps.silence() })
    local visitor = aborting:send("/abort")
    wait.until_true(function() return #server:requests() == 1 end, 2, "the call")
    visitor:close()
    wait.until_true(function() return server:open_connections() == 0 end, 2, "the connection to be closed")
    server:script({ default = OK })
    assert.are.equal("204", aborting:run(with_client("after", "", "return close(client)")))
    aborting:stop()
  end)
end)

describe("in NGINX, names", function()
  local server

  setup(function() server = scripted_server.start() end)
  teardown(function() server:stop() end)

  local function endpoint(host)
    return ('"http://%s:%d"'):format(host, server.port)
  end

  it("cannot be resolved without a resolver, which the error asks for", function()
    local web = nginx.start({})
    contains(web:run("return close(client('named', { endpoint = " .. endpoint("localhost") .. " }))"),
      "argument resolver: ", "NGINX needs the directive resolver")
    contains(web:run("return close(client('named', { endpoint = " .. endpoint("localhost")
      .. " }), { cancel = function() end })"), "argument resolver: ")
    web:stop()
  end)

  it("that the resolver does not answer do not hold up a call longer than it may take", function()
    local deaf = assert(socket.udp())
    assert(deaf:setsockname("127.0.0.1", 0))
    local _, port = deaf:getsockname()
    local web = nginx.start({ http = ("resolver 127.0.0.1:%d;"):format(port) })
    local started = socket.gettime()
    local client = "client('deaf', { allow_http = true, retries = 0, attempt_timeout = 1, connect_timeout = 0.3, "
      .. "endpoint = " .. endpoint("slow.example") .. " })"
    contains(web:run("return close(" .. client .. ")"), "timeout connect_timeout: ", "not connected within 0.3 s")
    contains(web:run("return close(" .. client .. ", { cancel = function() return false end })"), "timeout ")
    assert.is_true(socket.gettime() - started < 4, socket.gettime() - started)
    web:stop()
    deaf:close()
  end)

  it("are resolved with one", function()
    local names = dns.start()
    local web = nginx.start({ http = ("resolver 127.0.0.1:%d;"):format(names.port) })
    server:script({ default = OK })
    assert.are.equal("204", web:run("return close(client('named', { endpoint = " .. endpoint("localhost") .. " }))"))
    assert.are.equal(("localhost:%d"):format(server.port), server:requests()[1].headers:get("Host"))
    contains(web:run("return close(client('none', { allow_http = true, retries = 0, endpoint = "
      .. endpoint("missing.example") .. " }))"), "transport resolve: ")
    web:stop()
    names.stop()
  end)
end)

describe("in NGINX, the phase", function()
  local server, web

  local function call(phase)
    return ("%s_by_lua_block { called.%s, started.%s = outcome(client), start(client) }"):format(phase, phase, phase)
  end

  setup(function()
    server = scripted_server.start()
    server:script({ default = OK })
    web = nginx.start({ set = { origin = server.origin }, http = [[
      init_by_lua_block {
        client = require("webpubsub").new { endpoint = "$(origin)", key = "k", hub = "chat" }
        function outcome(client)
          local ok, result = pcall(client.close_user_connections, client, { user = "alice" })
          return ok and result.status or result.kind .. " " .. result.code .. ": " .. result.message
        end
        function start(client)
          local ok, result = pcall(client.close_user_connections_async, client, { user = "alice" })
          return ok and result or result.kind .. " " .. result.code .. ": " .. result.message
        end
        called, started = { init = outcome(client) }, { init = start(client) }
      }
      ]] .. call("init_worker") .. [[
      exit_worker_by_lua_block { ngx.log(ngx.WARN, "exit_worker: ", outcome(client)) }
      upstream balanced { server 0.0.0.1; ]] .. call("balancer"):gsub("}$",
        'require("ngx.balancer").set_current_peer("127.0.0.1", $(port)) }') .. [[ }
]], server = [[
      location = /phases { ]] .. call("rewrite") .. call("access") .. call("content")
        .. call("header_filter") .. call("body_filter") .. call("log") .. [[ }
      location = /timer { content_by_lua_block {
        ngx.timer.at(0, function() called.timer = outcome(client) end)
      } }
      location = /set {
        set_by_lua_block $nothing { called.set, started.set = outcome(client), start(client) }
        return 204;
      }
      location = /balanced { proxy_pass http://balanced/empty; }
      location = /empty { return 204; }]] })
    web:get("/phases")
    web:get("/set")
    web:get("/balanced")
    web:get("/timer")
    web:run("wait_until(function() return called.timer end)")
  end)
  teardown(function()
    web:stop()
    server:stop()
  end)

  for _, phase in ipairs({ "rewrite", "access", "content", "timer" }) do
    it(phase .. " can make calls", function()
      assert.are.equal("204", web:run("return called." .. phase))
    end)
  end

  for _, phase in ipairs({ "init_worker", "set", "balancer", "header_filter", "body_filter", "log" }) do
    it(phase .. " cannot, and is told to defer them", function()
      contains(web:run("return called." .. phase), "argument phase: ", "phase " .. phase .. ";",
        "use client:defer(operation, arguments)")
    end)

    it(phase .. " can start a task, as long as it does not wait for it", function()
      assert.are.equal("204", web:run(("return started.%s:await().status"):format(phase)))
    end)
  end

  it("init cannot, and is told to make them later", function()
    contains(web:run("return called.init"), "argument phase: ", "phase init;", "later phase")
    contains(web:run("return started.init"), "argument phase: ", "no timers in its phase init")
  end)

  it("exit_worker cannot, and there is no later one", function()
    web:quit()
    contains(web:log(), "exit_worker: argument phase: ", "phase exit_worker;", "no later phase")
  end)
end)
