local curl = require("webpubsub.curl")
local certs = require("spec.support.certs")
local exchange = require("spec.support.exchange")
local process = require("spec.support.process")
local scripted_server = require("spec.support.scripted_server")
local steps = require("spec.support.steps")
local wait = require("spec.support.wait")

local profile, start, finish, send = exchange.profile, exchange.start, exchange.finish, exchange.send
local assert_fails = exchange.assert_fails
local reply, raw = steps.reply, steps.raw
local NO_CONTENT = reply({ status = 204 })
local KIBIBYTE = 1024

local server

setup(function() server = scripted_server.start() end)
teardown(function() server:stop() end)
before_each(function() server:reset() end)

describe("the clock", function()
  it("is steady, and knows the date", function()
    local before = curl.now()
    assert.is_true(curl.now() >= before)
    assert.is_true(math.abs(curl.time() - os.time()) < 2)
  end)

  it("sleeps for as long as it is told", function()
    local before = curl.now()
    assert.are.equal(0, curl.sleep(0.05))
    assert.is_true(curl.now() - before >= 0.05)
    assert.are.equal(0, curl.sleep(-1))
    assert.has_error(function() curl.sleep(1e10) end)
    assert.has_error(function() curl.sleep(0 / 0) end)
  end)
end)

describe("a request", function()
  local function wire(request)
    server:script({ default = NO_CONTENT })
    assert.are.equal(204, (send(profile(server.origin), request)))
    local seen = server:requests()
    return seen[#seen].raw
  end

  local function expected(line, rest)
    return line .. " HTTP/1.1\r\nHost: 127.0.0.1:" .. server.port .. "\r\n" .. rest
  end

  it("without a body has exactly these bytes", function()
    assert.are.equal(expected("POST /", "Content-Length: 0\r\n\r\n"), wire({ method = "POST" }))
    assert.are.equal(expected("POST /", "Content-Length: 0\r\n\r\n"), wire({ method = "POST", body = "" }))
    assert.are.equal(expected("PUT /", "Content-Length: 0\r\n\r\n"), wire({ method = "PUT" }))
    assert.are.equal(expected("GET /", "\r\n"), wire({ method = "GET" }))
    assert.are.equal(expected("HEAD /", "\r\n"), wire({ method = "HEAD" }))
    assert.are.equal(expected("DELETE /", "\r\n"), wire({ method = "DELETE" }))
  end)

  it("has its headers and its body as they were given", function()
    for _, method in ipairs({ "POST", "PUT", "DELETE" }) do
      local headers = "Accept: application/json\r\nX-Tab:\ta\tb\r\nContent-Type: text/plain\r\n"
      assert.are.equal(expected(method .. " /", headers .. "Content-Length: 4\r\n\r\na\0\r\n"),
        wire({ method = method, headers = headers, body = "a\0\r\n" }))
    end
  end)

  it("has headers without a value, too", function()
    local headers = "X-Empty:\r\nX-Blank: \r\nX-Last: 1\r\n"
    assert.are.equal(expected("GET /", headers .. "\r\n"), wire({ method = "GET", headers = headers }))
  end)

  it("does not wait for leave to send a large body", function()
    local body = ("x"):rep(1100 * KIBIBYTE) -- more than a socket takes at a time
    assert.are.equal(expected("POST /", "Content-Length: " .. #body .. "\r\n\r\n" .. body), wire({ body = body }))
  end)

  it("keeps its target byte for byte", function()
    local punctuation = "/:close~!$&'()*+,;=@[]{}|^`\"<>\\"
    for _, target in ipairs({ "/a/../b/./c", "/%2e%2e/%2E/", "//x", "/a?", "/?a=b?c/../d", punctuation }) do
      assert.are.equal(expected("GET " .. target, "\r\n"), wire({ method = "GET", target = target }))
    end
  end)

  it("does not inherit anything from the one before", function()
    local plain = wire({ method = "GET" })
    for _, method in ipairs({ "POST", "HEAD", "DELETE", "PUT" }) do
      wire({ method = method, headers = "X-Old: 1\r\n", body = method ~= "HEAD" and "old" or nil })
      assert.are.equal(plain, wire({ method = "GET" }))
    end
  end)

  it("is refused when it could not be sent as it is", function()
    local of_profile = profile(server.origin)
    for message, request in pairs({
      ["the method must be a word"] = { method = "GET /evil HTTP/1.1\r\n" },
      ["the target must begin with /"] = { target = "https://elsewhere/" },
      ["no blanks"] = { target = "/a b" },
      ["control bytes or bytes above"] = { target = "/\r\nX: y" },
      ["target must"] = { target = "/a\0b" },
      ["each ended with CR LF"] = { headers = "X: y" },
      ["headers must be lines"] = { headers = "X: y\r\nno colon\r\n" },
      ["without control bytes"] = { headers = "X: y\nZ: evil\r\n" },
      ["headers must be"] = { headers = "X: y\0\r\n" },
      ["must be lines"] = { headers = ": y\r\n" },
      ["header Host cannot be set"] = { headers = "Host: elsewhere\r\n" },
      ["header content-length cannot be set"] = { headers = "content-length: 9\r\n" },
      ["seconds above 0"] = { seconds = 0 },
      ["seconds above"] = { seconds = 0 / 0 },
      ["argument #7"] = { patience = -1 },
    }) do
      local ok, problem = pcall(start, of_profile, request)
      assert.is_false(ok)
      assert.is_truthy(problem:find(message, 1, true), problem)
    end
    assert.are.equal(0, server:connections())
  end)
end)

describe("a response", function()
  local function receive(script, request)
    server:script({ script, default = NO_CONTENT })
    return send(profile(server.origin), request or { method = "GET" })
  end

  it("has a status, header lines, a body and a status line", function()
    local status, headers, body, info = receive(raw("HTTP/1.1 200 Fine, thanks\r\nA: 1\r\nB:  2 \r\nA: 3\r\n" ..
      "Content-Length: 3\r\n\r\na\0b"))
    assert.are.equal(200, status)
    assert.are.equal("A: 1\r\nB:  2 \r\nA: 3\r\nContent-Length: 3\r\n", headers)
    assert.are.equal("a\0b", body)
    assert.are.same({ reason = "Fine, thanks", new_connection = true }, info)
  end)

  it("may have no reason, an older version, an unknown status", function()
    local status, _, _, info = receive(raw("HTTP/1.1 204\r\n\r\n"))
    assert.are.same({ 204, "" }, { status, info.reason })
    status, _, _, info = receive(raw("HTTP/1.0 599 \r\nContent-Length: 0\r\n\r\n"))
    assert.are.same({ 599, "" }, { status, info.reason })
  end)

  it("is the final one, without interim responses and trailers", function()
    local status, headers, body = receive(raw("HTTP/1.1 100 Continue\r\nX-Interim: 1\r\n\r\n" ..
      "HTTP/1.1 103 Early Hints\r\nX-Interim: 2\r\n\r\n" ..
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX-Trailer: 1\r\n\r\n"))
    assert.are.same({ 200, "Transfer-Encoding: chunked\r\n", "abc" }, { status, headers, body })
  end)

  it("is refused where its lines have another form than one", function()
    for _, lines in ipairs({ "Folded: a\r\n \t b\r\n", "Bare: c\n", "Blank : d\r\n", "e\r\n" }) do
      assert_fails("protocol", "malformed",
        receive(raw("HTTP/1.1 200 OK\r\nFirst: 1\r\n" .. lines .. "Content-Length: 0\r\n\r\n")))
    end
  end)

  it("may come in chunks, or end with its connection", function()
    local text = ("0123456789"):rep(5000)
    for _, framing in ipairs({ "length", "chunked", "close" }) do
      local status, _, body = receive(reply({ status = 200, body = text, framing = framing,
        chunk_size = framing == "chunked" and 333 or nil }))
      assert.are.equal(200, status)
      assert.is_true(body == text, framing)
    end
  end)

  it("without a body is not waited for, whatever length it announces", function()
    local announcing = { ["Content-Length"] = "133" }
    local started = curl.now()
    local status, headers, body = receive(raw("HTTP/1.1 404 Not Found\r\nContent-Length: 133\r\n\r\n"),
      { method = "HEAD" })
    assert.are.same({ 404, "Content-Length: 133\r\n", "" }, { status, headers, body })
    assert.are.equal(204, (receive(reply({ status = 204, headers = announcing }))))
    assert.are.equal(304, (receive(reply({ status = 304, headers = announcing }))))
    assert.is_true(curl.now() - started < 2)
    assert.are.equal(2, server:connections()) -- what was announced for the 204 may come yet, and answers nothing
  end)

  it("is taken once", function()
    server:script({ NO_CONTENT })
    local started = start(profile(server.origin))
    assert.has_error(function() started:result() end)
    finish(started)
    assert.has_error(function() started:result() end)
    assert.has_error(function() started:step(0) end)
    started:cancel()
  end)
end)

describe("a limit", function()
  local small

  before_each(function()
    small = profile(server.origin, { max_response_bytes = 10 * KIBIBYTE, max_header_bytes = 2 * KIBIBYTE })
  end)

  local function assert_too_large(option, script)
    server:script({ script, default = NO_CONTENT })
    local message = assert_fails("protocol", "too_large", send(small, { method = "GET" }))
    assert.is_truthy(message:find(option, 1, true), message)
    wait.until_true(function() return server:open_connections() == 0 end, 2, "the connection to be closed")
    assert.are.equal(204, (send(small)))
  end

  it("ends a body that exceeds it, by its bytes and not by its announced length", function()
    local body = ("x"):rep(10 * KIBIBYTE)
    server:script({ reply({ status = 200, body = body }) })
    assert.are.equal(#body, #select(3, send(small, { method = "GET" })))
    for _, framing in ipairs({ "length", "chunked", "close" }) do
      assert_too_large("max_response_bytes", reply({ status = 200, body = body .. "x", framing = framing }))
    end
    assert_too_large("max_response_bytes", steps.endless_body())
  end)

  it("does not mind a length that is only announced", function()
    server:script({ raw("HTTP/1.1 200 OK\r\nContent-Length: 99999\r\n\r\n"), NO_CONTENT })
    assert.are.equal(200, (send(small, { method = "HEAD" })))
  end)

  it("ends headers that exceed it, of interim responses and trailers as well", function()
    assert_too_large("max_header_bytes", steps.endless_headers())
    assert_too_large("max_header_bytes", steps.endless("HTTP/1.1 103 Early Hints\r\n\r\n"))
    assert_too_large("max_header_bytes", { raw("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n"),
      steps.endless("X-Trailer: 1\r\n") })
  end)

  it("ends a single header line that has no end", function()
    server:script({ { raw("HTTP/1.1 200 OK\r\nX-Long: "), steps.endless(("x"):rep(KIBIBYTE)) }, default = NO_CONTENT })
    assert_fails("protocol", "too_large", send(small, { method = "GET" }))
    assert.are.equal(204, (send(small)))
  end)
end)

describe("a connection", function()
  local function new_connection(of_profile, request)
    return select(4, send(of_profile, request)).new_connection
  end

  it("is used again, by every method and every profile that is equal", function()
    server:script({ default = NO_CONTENT })
    assert.is_true(new_connection(profile(server.origin)))
    assert.is_false(new_connection(profile(server.origin), { method = "GET" }))
    assert.is_false(new_connection(profile(server.origin, { connect_timeout = 5 }), { body = "x" })) -- the default
    assert.are.equal(1, server:connections())
  end)

  it("is not used again by a profile that differs in anything", function()
    server:script({ default = NO_CONTENT })
    assert.is_true(new_connection(profile(server.origin)))
    for option, value in pairs({ ca_file = certs.ca.cert, client_cert = certs.client.cert, connect_timeout = 6,
      max_connections = 99, max_header_bytes = 1024, max_response_bytes = 1024, idle_timeout = 59 }) do
      assert.is_true(new_connection(profile(server.origin, { [option] = value })), option)
    end
    assert.is_false(new_connection(profile(server.origin)))
  end)

  it("is not used again where a new one is asked for", function()
    server:script({ default = NO_CONTENT })
    assert.is_true(new_connection(profile(server.origin)))
    assert.is_true(new_connection(profile(server.origin), { fresh = true }))
    assert.is_false(new_connection(profile(server.origin)))
    assert.are.equal(2, server:connections())
  end)

  it("is not used again when the server says so", function()
    server:script({ default = reply({ status = 204, headers = { Connection = "close" } }) })
    local of_profile = profile(server.origin)
    assert.is_true(new_connection(of_profile))
    assert.is_true(new_connection(of_profile))
  end)

  it("belongs to one exchange at a time, and all of them to the next burst", function()
    local of_profile, burst = profile(server.origin), 20
    server:script({ default = { steps.delay(0.1), NO_CONTENT } })
    for _ = 1, 2 do
      local started = {}
      for i = 1, burst do started[i] = start(of_profile) end
      for i = 1, burst do assert.are.equal(204, (finish(started[i]))) end
    end
    assert.are.equal(2 * burst, #server:requests())
    assert.are.equal(burst, server:connections())
  end)

  it("is closed by a cancellation, at whatever stage", function()
    server:script({ steps.silence(), steps.silence(), default = NO_CONTENT })
    local of_profile = profile(server.origin)
    start(of_profile):cancel() -- nothing sent yet

    local waiting = start(of_profile)
    assert.is_false(waiting:step(0))
    wait.until_true(function() waiting:step(0.01) return #server:requests() == 1 end, 2, "the request to arrive")
    waiting:cancel()
    waiting:cancel()
    assert.is_true(waiting:step(1))
    assert_fails("cancelled", "cancelled", waiting:result())
    wait.until_true(function() return server:open_connections() == 0 end, 2, "the connection to be closed")

    local abandoned = start(of_profile)
    wait.until_true(function() abandoned:step(0.01) return #server:requests() == 2 end, 2, "the request to arrive")
    abandoned = nil -- luacheck: ignore
    collectgarbage()
    collectgarbage()
    wait.until_true(function() return server:open_connections() == 0 end, 2, "the connection to be closed")
    assert.are.equal(204, (send(of_profile)))
  end)

  it("does not hold up the others of its engine", function()
    server:script({ { steps.delay(0.3), reply({ status = 200 }) }, NO_CONTENT })
    local of_profile = profile(server.origin)
    local slow = start(of_profile)
    wait.until_true(function() slow:step(0.01) return #server:requests() == 1 end, 2, "the request to arrive")
    assert.are.equal(204, (send(of_profile)))
    assert.is_false(slow:step(0))
    assert.are.equal(200, (finish(slow)))
  end)
end)

describe("a kept-alive connection that dies unanswered", function()
  local of_profile

  local function make_one()
    server:reset()
    server:script({ NO_CONTENT, steps.close(), default = NO_CONTENT })
    of_profile = profile(server.origin)
    assert.are.equal(204, (send(of_profile)))
  end

  local function times_seen()
    return #server:requests() - 1
  end

  it("is told from a server that closes a new one, and its request is not sent again", function()
    for _, body in ipairs({ "", "message" }) do
      make_one()
      local _, info = assert_fails("transport", "closed", send(of_profile, { body = body }))
      assert.are.same({ 1, true, false }, { times_seen(), info.stale, info.new_connection })
      server:script({ steps.close(), default = NO_CONTENT })
      _, info = assert_fails("transport", "closed", send(of_profile, { body = body }))
      assert.are.same({ 2, false, true }, { times_seen(), info.stale, info.new_connection })
      assert.are.equal(204, (send(of_profile)))
    end
  end)

  it("is noticed beforehand when it died in time", function()
    server:script({ { NO_CONTENT, steps.close() }, default = NO_CONTENT })
    of_profile = profile(server.origin)
    send(of_profile)
    wait.until_true(function() return server:open_connections() == 0 end, 2, "the connection to be closed")
    local status, _, _, info = send(of_profile)
    assert.are.same({ 204, true }, { status, info.new_connection })
  end)
end)

describe("a signal", function()
  -- The signal comes once the program is under way: half a second after it says so.
  local function interrupt(source)
    local started = curl.now()
    local child = process.run({ process.interpreter(), "-e", [[
      local own = io.popen("echo $PPID"):read("*n")
      os.execute(("(sleep 0.5; kill -INT %d) &"):format(own))
    ]] .. source, server.origin }, { env = { LUA_PATH = package.path, LUA_CPATH = package.cpath, LUA_INIT = false } })
    assert.is_true(curl.now() - started < 8)
    assert.are_not.equal(0, child.code)
    return child.stderr
  end

  it("ends a wait for a server that says nothing", function()
    server:script({ default = steps.silence() })
    assert.is_truthy(interrupt(([[
      local curl = require("webpubsub.curl")
      local profile = curl.profile({ origin = %q, proxy = false })
      local exchange = curl.start(profile, "POST", "/", "", nil, 9, 9)
      while not exchange:step(9) do end
    ]]):format(server.origin)):find("interrupted!", 1, true))
  end)

  it("ends a sleep", function()
    assert.is_truthy(interrupt([[
      local curl = require("webpubsub.curl")
      local left = curl.sleep(9)
      while left > 0 do left = curl.sleep(left) end
    ]]):find("interrupted!", 1, true))
  end)
end)

describe("the end of the Lua state", function()
  it("may find exchanges, profiles and the engine in any order", function()
    server:script({ default = steps.silence() })
    local child = process.run_lua([[
      local curl = require("webpubsub.curl")
      local profile = curl.profile({ origin = (...), proxy = false })
      kept = {}
      for i = 1, 5 do
        kept[i] = curl.start(profile, "POST", "/", "", nil, 9, 9)
        kept[i]:step(0.05)
      end
      -- an object whose finalizer uses them while the state is closing, whichever of them are gone by then
      local function last_words()
        for i = 1, 5 do pcall(kept[i].step, kept[i], 0) end
        pcall(curl.start, profile, "POST", "/", "", nil, 9, 9)
        io.stdout:write("closed\n")
      end
      if newproxy then
        local object = newproxy(true)
        getmetatable(object).__gc = last_words
        kept.object = object
      else
        kept.object = setmetatable({}, { __gc = last_words })
      end
    ]], { arguments = { server.origin } })
    assert.are.same({ 0, "closed\n", "" }, { child.code, child.stdout, child.stderr })
  end)
end)

if rawget(_G, "jit") then -- the one Lua here that can fork
  describe("a child process", function()
    it("has an engine of its own and leaves the parent's connections alone", function()
      server:script({ NO_CONTENT, { steps.delay(0.5), NO_CONTENT }, default = NO_CONTENT })
      local child = process.run_lua([[
        local ffi = require("ffi")
        ffi.cdef("int fork(void); int waitpid(int, int *, int);")
        local curl = require("webpubsub.curl")
        local profile = curl.profile({ origin = (...), proxy = false })
        local function finish(exchange)
          while not exchange:step(1) do end
          return exchange:result()
        end
        print("before", (finish(curl.start(profile, "GET", "/before", "", nil, 5, 5))))
        local running = curl.start(profile, "GET", "/running", "", nil, 5, 5)
        running:step(0)
        io.stdout:flush()
        local pid = ffi.C.fork()
        if pid == 0 then
          local _, kind, code = finish(running)
          print("child", kind, code)
          print("child", (finish(curl.start(profile, "GET", "/child", "", nil, 5, 5))))
          os.exit(0, true)
        end
        ffi.C.waitpid(pid, nil, 0)
        print("parent", (finish(running)))
        local last = curl.start(profile, "GET", "/parent", "", nil, 5, 5)
        while not last:step(1) do end
        print("parent", last:info().new_connection)
      ]], { arguments = { server.origin } })
      assert.are.equal("before\t204\nchild\ttransport\tforked\nchild\t204\nparent\t204\nparent\tfalse\n", child.stdout)
      assert.are.equal(2, server:connections())
    end)
  end)
end
