-- Reloading and ending a real nginx while it makes calls.

if _VERSION ~= "Lua 5.1" then return end -- NGINX loads the build for Lua 5.1

local nginx = require("spec.support.nginx")
local scripted_server = require("spec.support.scripted_server")
local steps = require("spec.support.steps")
local wait = require("spec.support.wait")

local contains = nginx.contains

local AT_ONCE, RELOADS = 20, 5

local CALL = [[
  init_worker_by_lua_block {
    client = require("webpubsub").new { endpoint = "$(origin)", key = "k", hub = "chat", $(options) }
  }]]
local LOCATION = [[
  location = /call { content_by_lua_block {
    local ok, result = pcall(client.close_user_connections, client, { user = "alice" })
    ngx.print(tostring(ok and result.status or result))
  } }]]

local function start(origin, options)
  return nginx.start({ set = { origin = origin, options = options or "" }, http = "lua_socket_log_errors off;" .. CALL,
    server = LOCATION })
end

describe("in NGINX, no call fails", function()
  local service, web

  before_each(function()
    service = nginx.start({ server = [[
      location /api/ { content_by_lua_block { ngx.sleep(0.02) ngx.exit(204) } }]] })
    web = start(("http://127.0.0.1:%d"):format(service.port))
  end)
  after_each(function()
    web:stop()
    service:stop()
  end)

  local function reload(which)
    local old = which:workers()[1]
    local running = {}
    for index = 1, AT_ONCE do running[index] = web:send("/call") end
    which:signal("HUP")
    local function serve() -- old workers and new ones, until the old one is gone
      for index = 1, AT_ONCE do
        assert.are.equal("204", (web.finish(running[index])))
        running[index] = web:send("/call")
      end
      local workers = which:workers()
      return #workers == 1 and workers[1] ~= old
    end
    wait.until_true(serve, 10, "the new worker")
    for index = 1, AT_ONCE do assert.are.equal("204", (web.finish(running[index]))) end
  end

  it("while it is reloaded under load", function()
    for _ = 1, RELOADS do reload(web) end
  end)

  it("while the service is reloaded under load, which closes the kept connections", function()
    for _ = 1, RELOADS do reload(service) end
  end)
end)

describe("in NGINX, a worker that ends", function()
  local server, web

  before_each(function() server = scripted_server.start() end)
  after_each(function()
    web:stop()
    server:stop()
  end)

  it("lets the call in flight finish", function()
    server:script({ { steps.delay(0.3), steps.reply({ status = 204 }) } })
    web = start(server.origin)
    local running = web:send("/call")
    wait.until_true(function() return #server:requests() == 1 end, 5, "the call")
    web:signal("QUIT")
    assert.are.equal("204", (web.finish(running)))
    assert.is_true(web:quit() < 2)
  end)

  it("does not wait for the next attempt", function()
    server:script({ default = steps.reply({ status = 503 }) })
    web = start(server.origin, "retry = { delay = 50 }")
    local running = web:send("/call")
    wait.until_true(function() return #server:requests() == 1 end, 5, "the call")
    assert.is_true(web:quit() < 3)
    contains(web.finish(running), "the NGINX worker shuts down", "cancelled exiting")
    assert.are.equal(1, #server:requests())
  end)

  it("does not wait longer than an attempt may last", function()
    server:script({ default = steps.silence() })
    web = start(server.origin, "attempt_timeout = 0.5")
    local running = web:send("/call")
    wait.until_true(function() return #server:requests() == 1 end, 5, "the call")
    assert.is_true(web:quit() < 3)
    contains(web.finish(running), "the NGINX worker shuts down")
  end)
end)
