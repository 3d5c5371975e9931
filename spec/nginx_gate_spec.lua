-- Calls inside a real nginx that wait for a connection: in turn, not longer than they must, and not more than allowed.

if _VERSION ~= "Lua 5.1" then return end -- NGINX loads the build for Lua 5.1

local certs = require("spec.support.certs")
local nginx = require("spec.support.nginx")
local scripted_server = require("spec.support.scripted_server")
local socket = require("socket")
local steps = require("spec.support.steps")
local wait = require("spec.support.wait")

local contains = nginx.contains
local OK = steps.reply({ status = 204 })

describe("in NGINX, calls that wait for a connection", function()
  local server, web

  setup(function()
    server = scripted_server.start()
    web = nginx.start({ http = "lua_socket_log_errors off; lua_check_client_abort on;" })
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

  it("get one as soon as one is free, also when many are free at once", function()
    local service = nginx.start({ server = [[
      location /api/ { content_by_lua_block { ngx.sleep(0.1) ngx.exit(204) } }]] })
    local text = web:run(([[
      local client = client("lockstep", { endpoint = "http://127.0.0.1:%d", pool_size = 8, retries = 0 })
      local started, threads, failed = ngx.now(), {}, 0
      for index = 1, 80 do
        threads[index] = ngx.thread.spawn(function()
          if close(client) ~= 204 then failed = failed + 1 end
        end)
      end
      for _, thread in ipairs(threads) do ngx.thread.wait(thread) end
      ngx.update_time()
      return failed, ngx.now() - started]]):format(service.port))
    service:stop()
    local failed, seconds = text:match("(%d+) (%S+)")
    assert.are.equal("0", failed)
    assert.is_true(tonumber(seconds) < 1.8, seconds) -- 10 times 0.1 s
  end)

  it("are served in turn", function()
    server:script({ default = { steps.delay(0.02), OK } })
    local text = web:run(with_client("in_turn", "pool_size = 1", [[
      local order = {}
      local function call(number)
        if close(client) == 204 then order[#order + 1] = number end
        if number <= 3 then ngx.thread.spawn(call, number + 10) end -- comes back at once
      end
      for number = 1, 5 do ngx.thread.spawn(call, number) end
      wait_until(function() return #order == 8 end)
      return table.concat(order, " ")]]))
    assert.are.equal("1 2 3 4 5 11 12 13", text)
    assert.are.equal(1, server:connections())
  end)

  -- Every place of a client is held by threads that NGINX ends; returns how the next call fares.
  local function next_call(name, ending)
    server:script({ steps.silence(), steps.silence(), default = OK })
    local started = socket.gettime()
    local text = web:run(with_client(name, "pool_size = 2, connect_timeout = 3, retries = 0", ending .. [[
      return close(client)]]))
    assert.is_true(socket.gettime() - started < 2.5)
    return text
  end

  it("get the places of threads that were killed", function()
    assert.are.equal("204", next_call("killed", [[
      local first, second = ngx.thread.spawn(close, client), ngx.thread.spawn(close, client)
      ngx.sleep(0.2)
      assert(ngx.thread.kill(first))
      assert(ngx.thread.kill(second))]]))
  end)

  it("get the places of calls that were cancelled", function()
    assert.are.equal("204", next_call("withdrawn", [[
      local stop = ngx.now() + 0.2
      local context = { cancel = function() return ngx.now() > stop end }
      local first, second = ngx.thread.spawn(close, client, context), ngx.thread.spawn(close, client, context)
      ngx.thread.wait(first)
      ngx.thread.wait(second)]]))
  end)

  it("get the places of calls whose cancel failed", function()
    assert.are.equal("204", next_call("failing", [[
      local stop = ngx.now() + 0.2
      local context = { cancel = function() return ngx.now() > stop and error("from cancel", 0) end }
      local first, second = ngx.thread.spawn(close, client, context), ngx.thread.spawn(close, client, context)
      ngx.thread.wait(first)
      ngx.thread.wait(second)]]))
  end)

  it("get the places of visitors who went away", function()
    server:script({ steps.silence(), steps.silence(), default = OK })
    local code = with_client("visitors", "pool_size = 2, connect_timeout = 3, retries = 0", "return close(client)")
    local visitors = { web:start_run(code), web:start_run(code) }
    wait.until_true(function() return #server:requests() == 2 end, 2, "the calls")
    local waiting = web:start_run(code)
    for _, visitor in ipairs(visitors) do visitor:close() end
    assert.are.equal("204", (web.finish(waiting)))
  end)

  it("leave no trace when they go away themselves", function()
    server:script({ { steps.delay(0.5), OK }, default = OK })
    local code = with_client("left", "pool_size = 1, backlog = 2, retries = 0", "return close(client)")
    local first = web:start_run(code)
    wait.until_true(function() return #server:requests() == 1 end, 2, "the call")
    local waiting = { web:start_run(code), web:start_run(code) }
    wait.until_true(function() return (web:run(code)):find("busy") end, 2, "the backlog to be full")
    for _, visitor in ipairs(waiting) do visitor:close() end
    wait.until_true(function() return not (web:run(code)):find("busy") end, 2, "the backlog to be free")
    assert.are.equal("204", (web.finish(first)))
    assert.are.equal("204", web:run(code))
  end)
end)

describe("in NGINX, connections", function()
  it("are opened a few at a time, for a handshake is work", function()
    local deaf = scripted_server.start()
    deaf:script({ steps.on_accept(steps.silence()) })
    local web = nginx.start({ set = { ca = certs.ca.cert },
      http = "lua_socket_log_errors off; lua_ssl_trusted_certificate $(ca);" })
    local text = web:run(([[
      local client = client("opening", { endpoint = "https://127.0.0.1:%d", pool_size = 40, retries = 0,
        connect_timeout = 1 })
      local threads = {}
      for index = 1, 40 do threads[index] = ngx.thread.spawn(close, client) end
      local _, result = ngx.thread.wait(threads[40])
      return result]]):format(deaf.port))
    contains(text, "timeout connect_timeout: ", "within 1 s")
    assert.are.equal(16, deaf:connections())
    deaf:stop()
    web:stop()
  end)
end)
