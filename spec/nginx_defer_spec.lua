-- client:defer inside a real nginx: calls for phases that cannot wait, and what becomes of them when the worker ends.

if _VERSION ~= "Lua 5.1" then return end -- NGINX loads the build for Lua 5.1

local nginx = require("spec.support.nginx")
local scripted_server = require("spec.support.scripted_server")
local steps = require("spec.support.steps")
local wait = require("spec.support.wait")

local contains = nginx.contains
local OK = steps.reply({ status = 204 })

-- A client of each worker, calls deferred from every phase, and the counts.
local HTTP = [[
  init_by_lua_block {
    client = require("webpubsub").new { endpoint = "$(origin)", key = "k", hub = "chat", max_deferred = $(max),
      timeout = 20, retry = { delay = 0.01 } }
    function defer(user) return client:defer("close_user_connections", { user = user, reason = "bye" }) end
    in_init = { pcall(defer, "init") }
  }
  init_worker_by_lua_block { defer("init_worker") }
]]
local SERVER = [[
  location = /phases {
    set_by_lua_block $ignored { defer("set") return "" }
    content_by_lua_block { defer("content") ngx.say("done") }
    header_filter_by_lua_block { defer("header_filter") }
    body_filter_by_lua_block { if ngx.arg[2] then defer("body_filter") end }
    log_by_lua_block { defer("log") }
  }
  location = /many {
    content_by_lua_block {
      local taken = 0
      for number = 1, tonumber(ngx.var.arg_count) do taken = taken + (defer("user-" .. number) and 1 or 0) end
      ngx.print(taken)
    }
  }
  location = /counts {
    content_by_lua_block {
      local counts = client:deferred()
      ngx.print(("queued %d, sent %d, failed %d, dropped %d, %s"):format(counts.queued, counts.sent, counts.failed,
        counts.dropped, counts.last_error or "no error"))
    }
  }
]]

describe("in NGINX, defer", function()
  local server, web

  local function start(max, http)
    web = nginx.start({ set = { origin = server.origin, max = max or 1000 },
      http = "lua_socket_log_errors off;" .. (http or "") .. HTTP, server = SERVER })
    wait.until_true(function() return #server:requests() >= 1 end, 5, "the call of init_worker")
  end

  local function counts_become(expected)
    local text
    local ok = pcall(wait.until_true, function()
      text = web:get("/counts")
      return text:find(expected, 1, true)
    end, 10, expected)
    assert.is_true(ok, ("%q, not %q"):format(text, expected))
  end

  local function users()
    local seen = {}
    for _, request in ipairs(server:requests()) do
      seen[#seen + 1] = request.target:match("/users/(.-)/:closeConnections%?.*reason=bye")
    end
    table.sort(seen)
    return seen
  end

  before_each(function()
    server = scripted_server.start()
    server:script({ default = OK })
  end)
  after_each(function()
    web:stop()
    server:stop()
  end)

  it("makes calls from every phase that has timers", function()
    start()
    assert.are.equal("done\n", (web:get("/phases")))
    counts_become("queued 0, sent 6, failed 0, dropped 0, no error")
    assert.are.same({ "body_filter", "content", "header_filter", "init_worker", "log", "set" }, users())
  end)

  it("is refused in init, which has none", function()
    start()
    contains(web:run("return in_init[2].kind, in_init[2].code, in_init[2].message"), "argument phase", "init")
  end)

  it("raises mistakes in the arguments at once, and queues nothing", function()
    start()
    counts_become("sent 1")
    local text = web:run([[
      local client = rawget(_G, "client")
      return outcome(client.defer, client, "close_user_connections", { user = ".." }), "|",
        outcome(client.defer, client, "close_user_conections", {}), "|",
        outcome(client.defer, client, "service_status", { context = { policies = { a = 1 } } }), "|",
        outcome(client.defer, client), "|", outcome(client.defer, nil)]])
    contains(text, "argument invalid: user", "policies has no \"a\"")
    contains(text, "did you mean \"close_user_connections\"", "no operation \"nil\"",
      "defer is a method")
    counts_become("queued 0, sent 1, failed 0, dropped 0")
  end)

  it("makes several calls at a time, over kept connections", function()
    server:script({ default = { steps.delay(0.05), OK } })
    start()
    assert.are.equal("200", (web:get("/many?count=200")))
    counts_become("queued 0, sent 201, failed 0, dropped 0")
    assert.is_true(server:connections() <= 32, server:connections())
    assert.are.equal(201, #users())
  end)

  it("queues no more than max_deferred, and counts what it drops", function()
    start(10)
    counts_become("sent 1")
    server:script({ default = { steps.delay(0.2), OK } })
    assert.are.equal("10", (web:get("/many?count=50")))
    counts_become("queued 0, sent 11, failed 0, dropped 40")
  end)

  it("counts what fails, and tells the last reason", function()
    start()
    counts_become("sent 1")
    server:script({ default = steps.reply({ status = 403, headers = { ["x-ms-error-code"] = "Error.No" } }) })
    web:get("/many?count=3")
    counts_become("queued 0, sent 1, failed 3, dropped 0, webpubsub: close_user_connections: ")
    contains(web:get("/counts"), "Error.No")
  end)

  it("goes on in a new timer when one has done its share", function()
    start(3000)
    for _ = 1, 3 do web:get("/many?count=800") end
    counts_become("queued 0, sent 2401, failed 0, dropped 0")
  end)

  it("asks for a timer again when NGINX has dropped one, of which it does not tell", function()
    start(10, "lua_max_running_timers 1;")
    counts_become("sent 1")
    web:run([[
      local over = false
      ngx.timer.at(0, function() ngx.sleep(0.5) over = true end)
      ngx.sleep(0.05)
      defer("first")
      wait_until(function() return over end)
      ngx.sleep(0.6)
      defer("second")]])
    contains(web:log(), "lua_max_running_timers are not enough")
    counts_become("queued 0, sent 3, failed 0, dropped 0")
  end)

  it("empties the queue before the worker ends", function()
    start()
    counts_become("sent 1")
    server:script({ default = { steps.delay(0.05), OK } })
    assert.are.equal("100", (web:get("/many?count=100")))
    local seconds = web:quit()
    assert.are.equal(101, #users())
    assert.is_true(seconds < 5, seconds)
  end)

  it("lets the worker end all the same when the service does not answer", function()
    start()
    counts_become("sent 1")
    server:script({ default = steps.silence() })
    assert.are.equal("100", (web:get("/many?count=100")))
    local seconds = web:quit()
    assert.is_true(seconds > 4 and seconds < 8, seconds)
  end)
end)
