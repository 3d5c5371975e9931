-- Events of the service answered by a server of lua-http.

local scripted_server = require("spec.support.scripted_server")
local service = require("spec.support.service_events")
local steps = require("spec.support.steps")
local webpubsub = require("webpubsub")

local SECONDS = 10

-- Debian installs lua-http for 5.1 and 5.2 only; it works elsewhere too.
local PATH = package.path
local FOLDERS = ";/usr/share/lua/5.3/?.lua;/usr/share/lua/5.2/?.lua"

local YIELDS_THROUGH_PCALL = _VERSION ~= "Lua 5.1" or rawget(_G, "jit") ~= nil

describe("a server of lua-http", function()
  local cqueues, cqueues_socket, http_server, api

  setup(function()
    package.path = PATH .. FOLDERS
    cqueues, cqueues_socket = require("cqueues"), require("cqueues.socket")
    http_server = require("http.server")
    api = scripted_server.start()
  end)
  teardown(function()
    package.path = PATH
    api:stop()
  end)
  before_each(function()
    api:reset()
    api:script({ default = steps.reply({ status = 204 }) })
  end)

  -- Runs the client's coroutines beside a server whose streams `serve` answers.
  local function run(serve, ...)
    local loop, problems = cqueues.new(), {}
    local server = assert(http_server.listen({
      host = "127.0.0.1", port = 0, cq = loop, tls = false, -- with TLS it makes a key first, which takes its time
      onstream = function(_, stream)
        local ok, problem = serve(stream)
        if not ok then problems[#problems + 1] = problem end
      end,
      onerror = function(_, _, operation, problem) problems[#problems + 1] = operation .. ": " .. tostring(problem) end,
    }))
    assert(server:listen())
    local _, _, port = server:localname()
    local left = select("#", ...)
    for index = 1, left do
      local client = select(index, ...)
      loop:wrap(function()
        local socket = assert(cqueues_socket.connect("127.0.0.1", port))
        socket:setmode("bn", "bn")
        socket:onerror(function(_, _, why) return why end)
        client(socket)
        socket:close()
        left = left - 1
        if left == 0 then server:close() end
      end)
    end
    local deadline = cqueues.monotime() + SECONDS
    while not loop:empty() and left > 0 do
      assert(cqueues.monotime() < deadline, "timed out")
      assert(loop:step(0.1))
    end
    return problems
  end

  local function send(socket, method, headers, body, version)
    local lines = { ("%s /events HTTP/1.%d"):format(method, version or 1) }
    for name, values in pairs(headers) do
      for _, value in ipairs(type(values) == "table" and values or { values }) do
        lines[#lines + 1] = ("%s: %s"):format(name, value)
      end
    end
    if body then lines[#lines + 1] = ("Content-Length: %d"):format(#body) end
    socket:xwrite(table.concat(lines, "\r\n") .. "\r\n\r\n" .. (body or ""), SECONDS)
  end

  -- Status, headers and body of the next answer.
  local function receive(socket)
    local status = assert(socket:xread("*l", SECONDS)):match("^HTTP/1.1 (%d+)")
    local headers = {}
    for line in function() return assert(socket:xread("*l", SECONDS)):match("^([^\r]+)") end do
      local name, value = line:match("^(.-): (.*)$")
      headers[name:lower()] = value
    end
    local length = tonumber(headers["content-length"]) or 0
    return tonumber(status), headers, length > 0 and assert(socket:xread(length, SECONDS)) or ""
  end

  local function new(options)
    options.hub, options.keys, options.origins = "chat", { service.KEY }, "*"
    return webpubsub.events.new(options)
  end

  it("hands its streams over", function()
    local handler = new { connect = function() return { user = "alice" } end,
      user_event = function(event) return { content = event.content, content_type = event.content_type } end }
    assert.are.same({}, run(function(stream) return handler:serve(stream) end, function(socket)
      send(socket, "OPTIONS", { Host = "a", ["WebHook-Request-Origin"] = "b" })
      local status, headers, body = receive(socket)
      assert.are.same({ 200, "*", "" }, { status, headers["webhook-allowed-origin"], body })

      send(socket, "POST", service.headers("sys.connect"), "{}")
      status, headers, body = receive(socket)
      assert.are.same({ 200, "application/json", '{"userId":"alice"}' }, { status, headers["content-type"], body })

      send(socket, "POST", service.headers("sys.connected"), "{}")
      status, headers, body = receive(socket)
      assert.are.same({ 204, nil, "" }, { status, headers["content-length"], body })

      local long = ("x"):rep(300000)
      send(socket, "POST", service.headers("user.echo", { ["Content-Type"] = "text/plain" }), long)
      status, headers, body = receive(socket)
      assert.are.same({ 200, "text/plain", true }, { status, headers["content-type"], body == long })

      send(socket, "POST", service.headers("sys.connect", { ["ce-signature"] = false }), "{}")
      assert.are.equal(401, (receive(socket)))
    end))
  end)

  it("may have read the headers before", function()
    local handler = new {}
    run(function(stream)
      local headers = assert(stream:get_headers())
      assert.are.equal("/events", headers:get(":path"))
      return handler:serve(stream, headers)
    end, function(socket)
      send(socket, "POST", service.headers("sys.connected"), "{}")
      assert.are.equal(204, (receive(socket)))
    end)
  end)

  it("refuses a header that is there twice, and bodies without a bound", function()
    local handler = new { user_event = function() end }
    local serve = function(stream) return handler:serve(stream) end
    run(serve, function(socket)
      send(socket, "POST", service.headers("sys.connected", { ["ce-userId"] = { "alice", "eve" } }), "{}")
      assert.are.equal(400, (receive(socket)))
    end, function(socket)
      send(socket, "POST", service.headers("user.a", { ["Content-Length"] = "1048577" }))
      assert.are.equal(413, (receive(socket)))
    end, function(socket)
      send(socket, "POST", service.headers("user.a", { ["Transfer-Encoding"] = "chunked" }))
      for _ = 1, 17 do socket:xwrite(("10000\r\n%s\r\n"):format(("x"):rep(65536)), SECONDS) end
      assert.are.equal(413, (receive(socket)))
    end)
  end)

  it("says continue to who waits for it", function()
    local handler = new { user_event = function(event) return { content = event.content } end }
    run(function(stream) return handler:serve(stream) end, function(socket)
      send(socket, "POST", service.headers("user.a", { Expect = "100-continue", ["Content-Length"] = "2" }))
      assert.are.equal(100, (receive(socket)))
      socket:xwrite("{}", SECONDS)
      local status, _, body = receive(socket)
      assert.are.same({ 200, "{}" }, { status, body })
    end)
  end)

  it("has handlers that wait without holding up the others, and may raise after that", function()
    local waiting, most, lines = 0, 0, {}
    local handler = new { logger = function(line) lines[#lines + 1] = line end, user_event = function(event)
      waiting = waiting + 1
      most = math.max(most, waiting)
      cqueues.sleep(0.2)
      waiting = waiting - 1
      if event.name == "fail" then error("no such thing", 0) end
      return { content = "done" }
    end }
    local function client(name, expected)
      return function(socket)
        send(socket, "POST", service.headers("user." .. name), "{}")
        assert.are.equal(expected, (receive(socket)))
      end
    end
    assert.are.same({}, run(function(stream) return handler:serve(stream) end, client("a", 200), client("b", 200),
      client("fail", 500)))
    assert.are.equal(3, most)
    assert.are.same({ 'webpubsub.events: user_event["*"]: no such thing' }, lines)
  end)

  it("has handlers that call the client", function()
    local api_client = webpubsub.new { endpoint = api.origin, key = "k", hub = "chat" }
    api:script({ default = { steps.delay(0.2), steps.reply({ status = 204 }) } })
    local handler = new { user_event = function(event)
      return { content = tostring(api_client:close_user_connections({ user = event.user }).status) }
    end }
    local function client(socket)
      send(socket, "POST", service.headers("user.close", { ["ce-userId"] = "alice" }), "{}")
      local status, _, body = receive(socket)
      assert.are.same({ 200, "204" }, { status, body })
    end
    local started = cqueues.monotime()
    assert.are.same({}, run(function(stream) return handler:serve(stream) end, client, client, client, client, client))
    if YIELDS_THROUGH_PCALL then assert.is_true(cqueues.monotime() - started < 0.9, cqueues.monotime() - started) end
    assert.are.equal(5, #api:requests())
  end)
end)

describe("serve", function()
  it("says what it needs outside of NGINX", function()
    local handler = webpubsub.events.new { hub = "chat", keys = { "k" }, origins = "*" }
    local ok, err = pcall(handler.serve, handler)
    assert.are.same({ false, "argument" }, { ok, err.kind })
    assert.is_truthy(err.message:find("there is no NGINX here", 1, true))
  end)
end)
