-- Events of the service answered by a location of a real nginx.

if _VERSION ~= "Lua 5.1" then return end -- NGINX loads the build for Lua 5.1

local nginx = require("spec.support.nginx")
local scripted_server = require("spec.support.scripted_server")
local service = require("spec.support.service_events")
local socket = require("socket")
local steps = require("spec.support.steps")

local OK = steps.reply({ status = 204 })

local HTTP = [[
  lua_socket_log_errors off;
  init_worker_by_lua_block {
    local webpubsub = require("webpubsub")
    local client = webpubsub.new { endpoint = "$(origin)", key = "$(key)", hub = "chat" }
    local events = webpubsub.events
    handler = events.new {
      hub = "chat", client = client, origins = { "contoso.webpubsub.azure.com" },
      connect = function(event)
        if event.user == "eve" then return events.reject(401, "banned") end
        return { user = event.query.user and event.query.user[1], state = { count = 0 } }
      end,
      user_event = {
        count = function(event)
          local count = event.state.count + 1
          return { json = { count = count }, state = { count = count } }
        end,
        size = function(event) return { content = tostring(#event.content) } end,
        close = function(event)
          local response = client:close_user_connections { user = event.user }
          return { content = tostring(response.status) }
        end,
        fail = function() error("the secret reason\nof it") end,
      },
    }
    larger = events.new { hub = "chat", client = client, origins = "*", max_body_bytes = 2097152,
      user_event = function(event) return { content = tostring(#event.content) } end }
    sleepy = events.new { hub = "chat", origins = "*", authorize = function(request)
      ngx.sleep(0.01)
      return request.headers["X-Gateway"] == "yes"
    end }
  }
]]

local SERVER = [[
  client_max_body_size 3m;
  client_body_buffer_size 4k;
  location = /events { content_by_lua_block { handler:serve() } }
  location = /larger { content_by_lua_block { larger:serve() } }
  location = /sleepy { content_by_lua_block { sleepy:serve() } }
]]

describe("a location of NGINX", function()
  local server, web

  setup(function()
    server = scripted_server.start()
    web = nginx.start({ http = HTTP, server = SERVER, set = { origin = server.origin, key = service.KEY } })
  end)
  teardown(function()
    web:stop()
    server:stop()
  end)
  before_each(function()
    server:reset()
    server:script({ default = OK })
  end)

  local function post(name, body, more, path)
    return web:request("POST", path or "/events", service.headers(name, more), body or "{}")
  end

  it("validates the URL", function()
    local status, headers, body = web:request("OPTIONS", "/events",
      { ["WebHook-Request-Origin"] = "contoso.webpubsub.azure.com" })
    assert.are.same({ 200, "" }, { status, body })
    nginx.contains(headers, "WebHook-Allowed-Origin: contoso.webpubsub.azure.com\r\n", "Content-Length: 0\r\n")
    assert.are.equal(400, (web:request("OPTIONS", "/events", { ["WebHook-Request-Origin"] = "a.example" })))
  end)

  it("answers what is signed, and nothing else", function()
    local status, headers, body = post("sys.connect", '{"query":{"user":["alice"]}}')
    assert.are.same({ 200, '{"userId":"alice"}' }, { status, body })
    nginx.contains(headers, "Content-Type: application/json\r\n", "Content-Length: 18\r\n")
    assert.are.equal(401, (post("sys.connect", "{}", { ["ce-signature"] = service.signature("other", service.KEY) })))
    assert.are.equal(401, (post("sys.connect", "{}", { ["ce-signature"] = false })))
  end)

  it("refuses a user", function()
    local status, _, body = post("sys.connect", "{}", { ["ce-userId"] = "eve" })
    assert.are.same({ 401, "banned" }, { status, body })
  end)

  it("answers 204 without a body", function()
    local status, headers, body = post("sys.connected")
    assert.are.same({ 204, "" }, { status, body })
    assert.is_nil(headers:find("Content-Length", 1, true))
  end)

  it("keeps a connection between events", function()
    local client = assert(socket.connect(web.host, web.port))
    client:settimeout(5)
    for _, type in ipairs({ "sys.connected", "user.size", "user.fail", "sys.connected" }) do
      local lines = { "POST /events HTTP/1.1", "Content-Length: 2" }
      for name, value in pairs(service.headers(type)) do lines[#lines + 1] = name .. ": " .. value end
      assert(client:send(table.concat(lines, "\r\n") .. "\r\n\r\n{}"))
      local status = assert(client:receive("*l")):match("^HTTP/1.1 (%d+)")
      local length = 0
      repeat
        local line = assert(client:receive("*l"))
        length = tonumber(line:match("^Content%-Length: (%d+)")) or length
      until line == ""
      if length > 0 then assert(client:receive(length)) end
      assert.are.equal(({ ["user.size"] = "200", ["user.fail"] = "500" })[type] or "204", status)
    end
    client:close()
  end)

  it("keeps a state over three events", function()
    local function state_of(headers) return headers:match("[Cc]e%-connection[Ss]tate: (%S+)") end
    local _, headers = post("sys.connect")
    for count = 1, 3 do
      local state = assert(state_of(headers))
      local body
      _, headers, body = post("user.count", "{}", { ["ce-connectionState"] = state })
      assert.are.equal(('{"count":%d}'):format(count), body)
    end
  end)

  it("reads bodies from memory and from files", function()
    for _, bytes in ipairs({ 0, 100, 5000, 1048576 }) do
      local status, _, body = post("user.size", ("x"):rep(bytes), { ["Content-Type"] = "text/plain" })
      assert.are.same({ 200, tostring(bytes) }, { status, body })
    end
  end)

  it("bounds bodies", function()
    local text = { ["Content-Type"] = "text/plain" }
    assert.are.equal(413, (post("user.size", ("x"):rep(1048577), text)))
    local status, _, body = post("user.size", ("x"):rep(1048577), text, "/larger")
    assert.are.same({ 200, "1048577" }, { status, body })
    assert.are.equal(413, (post("user.size", ("x"):rep(2097153), text, "/larger")))
  end)

  it("refuses a header that is there twice, in whatever case", function()
    assert.are.equal(400, (post("sys.connected", "{}", { ["ce-userId"] = { "alice", "eve" } })))
    assert.are.equal(400, (post("sys.connected", "{}", { ["ce-userId"] = "alice", ["CE-USERID"] = "eve" })))
    local many = {}
    for index = 1, 250 do many["x-" .. index] = "y" end
    assert.are.equal(431, (post("sys.connected", "{}", many)))
  end)

  it("has handlers that call the client, and hold up nobody", function()
    server:script({ default = { steps.delay(0.2), OK } })
    local started, running = socket.gettime(), {}
    for index = 1, 10 do
      local lines = { "POST /events HTTP/1.0", "Content-Length: 2" }
      for name, value in pairs(service.headers("user.close", { ["ce-userId"] = "alice" })) do
        lines[#lines + 1] = name .. ": " .. value
      end
      running[index] = assert(socket.connect(web.host, web.port))
      assert(running[index]:send(table.concat(lines, "\r\n") .. "\r\n\r\n{}"))
    end
    for _, client in ipairs(running) do
      local body, status = web.finish(client)
      assert.are.same({ 200, "204" }, { status, body })
    end
    assert.is_true(socket.gettime() - started < 1.5, socket.gettime() - started)
    nginx.contains(server:requests()[1].target, "/api/hubs/chat/users/alice/:closeConnections")
  end)

  it("writes one line for a handler that raises, and tells the service nothing", function()
    local status, _, body = post("user.fail")
    assert.are.same({ 500, "The event handler failed; its log says why.\n" }, { status, body })
    nginx.contains(web:log(), 'webpubsub.events: user_event["fail"]: init_worker_by_lua')
    nginx.contains(web:log(), "the secret reason of it")
  end)

  it("may ask a gateway, which may take its time", function()
    assert.are.equal(204, (post("sys.connected", "{}", { ["X-Gateway"] = "yes", ["ce-signature"] = false }, "/sleepy")))
    assert.are.equal(401, (post("sys.connected", "{}", { ["X-Gateway"] = "no" }, "/sleepy")))
  end)

  it("loads no libcurl", function()
    post("user.close", "{}", { ["ce-userId"] = "alice" })
    assert.are.equal("false", web:run('return io.open("/proc/self/maps"):read("*a"):find("curl") ~= nil'))
  end)
end)
