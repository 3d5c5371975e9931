-- Tasks and `each` inside a real nginx, where timers of the worker perform them.

if _VERSION ~= "Lua 5.1" then return end -- NGINX loads the build for Lua 5.1

local nginx = require("spec.support.nginx")
local scripted_server = require("spec.support.scripted_server")
local socket = require("socket")
local steps = require("spec.support.steps")
local wait = require("spec.support.wait")

local reply, contains = steps.reply, nginx.contains
local DELAY = 0.3 -- seconds until the server answers

describe("in NGINX", function()
  local server, web

  setup(function()
    server = scripted_server.start()
    web = nginx.start({ http = "lua_socket_log_errors off; lua_check_client_abort on;", server = [[
      location /await {
        content_by_lua_block {
          ngx.on_abort(function() ngx.exit(499) end)
          state_client:close_user_connections_async { user = "u" }:await()
        }
      }
      location /poll {
        content_by_lua_block {
          ngx.on_abort(function() ngx.exit(499) end)
          state_client:close_user_connections_async { user = "u" }
          state_client:poll(5)
        }
      }]] })
  end)
  teardown(function()
    web:stop()
    server:stop()
  end)
  before_each(function()
    server:reset()
    server:script({ default = { steps.delay(DELAY), reply({ status = 204 }) } })
  end)

  local function run(options, code)
    return web:run(nginx.with_client(server.origin, options .. code, options, code))
  end

  it("tasks wait together", function()
    local started = socket.gettime()
    assert.are.equal("5 204 204 0", run("", [[
      local tasks = {}
      for i = 1, 5 do tasks[i] = client:close_user_connections_async { user = "user-" .. i } end
      local pending = client:pending()
      local values, errors = webpubsub.gather(tasks)
      assert(not errors)
      return pending, values[1].status, values[5].status, client:pending()]]))
    assert.is_true(socket.gettime() - started < 2 * DELAY)
  end)

  it("a task returns and raises what the method does", function()
    server:script({ reply({ status = 404 }), reply({ status = 404, headers = { ["x-ms-error-code"] = "Error.No" } }) })
    assert.are.equal("false service Error.No", run("", [[
      local exists = client:user_exists_async({ user = "u" }):await()
      local refused = client:add_user_to_group_async { user = "u", group = "g" }
      local _, err = pcall(refused.await, refused)
      return exists, err.kind, err.code]]))
  end)

  it("on_done is called, and the prompt texts are the same", function()
    contains(run("", [[
      local told
      local task = client:close_user_connections_async { user = "u" }
      task:on_done(function(response) told = tostring(task) .. response.status end)
      local before, done = tostring(task), task:done()
      while client:pending() > 0 do client:poll(0.05) end
      return before, done, told, client:poll(1)]]),
      "webpubsub task: close_user_connections, in flight false webpubsub task: close_user_connections, done204 0")
  end)

  it("a task that is cancelled ends soon, wherever it is", function()
    local started = socket.gettime()
    server:script({ steps.silence(), reply({ status = 503 }) })
    assert.are.equal("cancelled cancelled", run("retry = { delay = 30 }", [[
      local tasks = { client:close_user_connections_async { user = "u" },
        client:close_user_connections_async { user = "u" } }
      ngx.sleep(0.2)
      for _, task in ipairs(tasks) do task:cancel() end
      local _, errors = webpubsub.gather(tasks)
      return errors[1].kind, errors[2].kind]]))
    assert.is_true(socket.gettime() - started < 2)
  end)

  it("a task goes on when the request that started it is over", function()
    run("", [[state.left = client:close_user_connections_async { user = "u" }]])
    assert.are.equal("204", web:run("return state.left:await().status"))
  end)

  it("a request that is aborted while it waits is nobody's loss", function()
    run("", [[rawset(_G, "state_client", client)]])
    for _ = 1, 5 do
      for _, path in ipairs({ "/await", "/poll" }) do
        local aborted = web:send(path)
        socket.sleep(0.02)
        aborted:close()
      end
    end
    socket.sleep(DELAY)
    run("", "while state_client:pending() > 0 do state_client:poll(0.05) end")
    assert.is_falsy(web:log():find("a callback of on_done failed", 1, true), web:log())
    assert.are.equal(10, #server:requests())
    contains(run("", [[
      collectgarbage() collectgarbage()
      local polls = 0
      for _ in pairs(require("webpubsub.core").extras(state_client).transport.host.polls) do polls = polls + 1 end
      return "left: " .. polls]]), "left: 0")
  end)

  it("a wait for the next attempt is no warning in the log", function()
    server:script({ reply({ status = 503 }), reply({ status = 503 }), default = reply({ status = 204 }) })
    assert.are.equal("3", run("retry = { delay = 0.0123, jitter = 0 }", [[
      return client:close_user_connections { user = "u" }.attempts]]))
    assert.is_falsy(web:log():find("ngx.sleep(0)", 1, true), web:log())
  end)

  it("more tasks than timers wait for their turn, and may be cancelled meanwhile", function()
    server:script({ default = { steps.delay(0.05), reply({ status = 204 }) } })
    contains(run("", [[
      local tasks, last = {}, nil
      for i = 1, 200 do tasks[i] = client:close_user_connections_async { user = "user-" .. i } end
      last = tasks[200]
      last:cancel()
      local kind = select(2, pcall(last.await, last)).kind
      local _, errors = webpubsub.gather(tasks)
      local failures = 0
      for _ in pairs(errors) do failures = failures + 1 end
      return kind, failures, client:pending()]]), "cancelled 1 0")
    assert.are.equal(199, #server:requests())
    assert.is_true(server:connections() <= 32, server:connections())
  end)

  it("what a callback raises is in the log, and ends nothing else", function()
    server:script({ default = reply({ status = 204 }) })
    assert.are.equal("204", run("", [[
      client:close_user_connections_async({ user = "a" }):on_done(function() error("oops") end)
      return client:close_user_connections_async({ user = "b" }):await().status]]))
    wait.until_true(function() return web:log():find("a callback of on_done failed: .*oops") end, 5, "the log")
  end)

  it("a task does not wait for itself", function()
    contains(run("", [[
      local task
      task = client:close_user_connections_async { user = "u",
        context = { policies = { per_call = function() task:await() end } } }
      return outcome(task.await, task)]]), "argument invalid: a task cannot wait for its own end")
  end)

  it("each has a bounded number of calls at a time", function()
    server:script({ default = reply({ status = 204 }) })
    contains(run("", [[
      local begun, most = 0, 0
      local summary = client:each("close_user_connections", function()
        begun = begun + 1
        most = math.max(most, client:pending())
        return begun <= 2000 and "user-" .. begun or nil
      end, { concurrency = 8 })
      return summary.succeeded, summary.failed, most, client:pending()]]), "2000 0 7 0")
  end)

  it("each can be cancelled, and raises what its callback raises", function()
    assert.are.equal("true 0 oops 0", run("", [[
      local stop = ngx.now() + 0.1
      local summary = client:each("close_user_connections", { "a", "b", "c" },
        { concurrency = 1, context = { cancel = function() return ngx.now() > stop end } })
      local _, problem = pcall(client.each, client, "close_user_connections", { "a", "b", "c" },
        { concurrency = 2, on_result = function() error("oops", 0) end })
      return summary.cancelled, summary.succeeded, problem, client:pending()]]))
  end)

  it("each holds all calls up while the service asks for it", function()
    server:script({ reply({ status = 429, headers = { ["Retry-After"] = "1" } }), default = reply({ status = 204 }) })
    local started = socket.gettime()
    assert.are.equal("3", run("retries = 0", [[
      return client:each("close_user_connections", { "a", "b", "c", "d" }, { concurrency = 1 }).succeeded]]))
    assert.is_true(socket.gettime() - started >= 1)
  end)

  it("a transport of the application's own has tasks, too", function()
    assert.are.equal("204 204", run("transport = function() ngx.sleep(0.05) return { status = 204 } end", [[
      local values = webpubsub.gather({ client:close_user_connections_async { user = "a" },
        client:close_user_connections_async { user = "b" } })
      return values[1].status, values[2].status]]))
  end)

  it("there is no descriptor to poll", function()
    contains(run("", [[return outcome(client.pollfd, client), outcome(client.attach_luv, client)]]),
      "argument unsupported: inside NGINX tasks go on by themselves, in its own loop",
      "in its own loop argument unsupported: ")
  end)
end)
