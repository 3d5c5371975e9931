-- Where calls wait inside a real nginx: timers of each client, and functions of the application that wait or end them.

if _VERSION ~= "Lua 5.1" then return end -- NGINX loads the build for Lua 5.1

local nginx = require("spec.support.nginx")
local scripted_server = require("spec.support.scripted_server")
local socket = require("socket")
local steps = require("spec.support.steps")

local contains = nginx.contains
local OK = steps.reply({ status = 204 })

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

  local function run(options, code)
    return web:run(nginx.with_client(server.origin, options .. code, options, code))
  end

  it("a silent service of one client delays no other client's tasks", function()
    local silent = scripted_server.start()
    silent:script({ default = steps.silence() })
    local started = socket.gettime()
    assert.are.equal("204", run("", ([[
      local slow = webpubsub.new { endpoint = %q, key = "k", hub = "chat", attempt_timeout = 3, retries = 0 }
      local tasks = {}
      for index = 1, 40 do tasks[index] = slow:close_user_connections_async { user = "u" .. index } end
      ngx.sleep(0.1)
      local status = client:close_user_connections_async({ user = "u" }):await().status
      for _, task in ipairs(tasks) do task:cancel() end
      return status]]):format(silent.origin)))
    silent:stop()
    assert.is_true(socket.gettime() - started < 2)
  end)

  for where, context in pairs({
    ["a policy"] = "context = { policies = { before_send = function() ngx.exit(ngx.OK) end } }",
    ["a classifier"] = "context = { classify = function() ngx.exit(ngx.OK) end }",
  }) do
    it("ngx.exit in " .. where .. " ends its task, and takes no timer away", function()
      contains(run("", ([[
        local tasks = {}
        for index = 1, 80 do tasks[index] = client:close_user_connections_async { user = "u", %s } end
        local _, errors = webpubsub.gather(tasks)
        return errors[1].kind, errors[80].kind, client:pending(),
          client:close_user_connections_async({ user = "last" }):await().status]]):format(context)),
        "cancelled cancelled 0 204")
    end)
  end

  it("ngx.exit in a logger ends its task, and takes no timer away", function()
    contains(run("logger = function(event) if event.type == 'request' then ngx.exit(ngx.OK) end end", [[
      local tasks = {}
      for index = 1, 80 do tasks[index] = client:close_user_connections_async { user = "u" } end
      local _, errors = webpubsub.gather(tasks)
      return errors[1].code, errors[80].code, client:pending()]]), "exited exited 0")
  end)

  it("ngx.exit in on_done takes no timer away", function()
    contains(run("", [[
      for index = 1, 80 do
        client:close_user_connections_async({ user = "u" }):on_done(function() ngx.exit(ngx.OK) end)
      end
      local tasks = {}
      for index = 1, 40 do tasks[index] = client:close_user_connections_async { user = "later" } end
      local values, errors = webpubsub.gather(tasks)
      return values[40].status, tostring(errors), client:pending()]]), "204 nil 0")
  end)

  for name, context in pairs({
    per_call = "policies = { per_call = function() ngx.sleep(5) end }",
    before_send = "policies = { before_send = function() ngx.sleep(5) end }",
    classify = "classify = function() ngx.sleep(5) end",
  }) do
    it("a call ends with its timeout while a function waits: " .. name, function()
      local started = socket.gettime()
      contains(run("", "return close(client, { timeout = 0.3, " .. context .. " })"), "timeout deadline: ")
      contains(run("", [[
        local stop = ngx.now() + 0.2
        return close(client, { cancel = function() return ngx.now() > stop end, ]] .. context .. " })"),
        "cancelled cancelled: ")
      assert.is_true(socket.gettime() - started < 3)
    end)
  end

  it("what a function raises after it has waited is raised", function()
    assert.are.equal("mine", run("", [[
      return close(client, { policies = { before_send = function() ngx.sleep(0.01) error("mine", 0) end } })]]))
  end)

  it("failures come back as nil and the error, if they are asked for so", function()
    server:script({ default = steps.reply({ status = 403, headers = { ["x-ms-error-code"] = "Error.No" } }) })
    contains(run('errors = "return"', [[
      local response, err = client:close_user_connections { user = "u" }
      local task = client:close_user_connections_async { user = "u" }
      local awaited, failure = task:await()
      return tostring(response), err.code, tostring(awaited), failure.code, select(2, task:result()).code]]),
      "nil Error.No nil Error.No Error.No")
  end)
end)
