-- The nginx.conf of the page about NGINX, as it stands but for where things are on this machine.

if _VERSION ~= "Lua 5.1" then return end -- NGINX loads the build for Lua 5.1

local dns = require("spec.support.dns")
local launch = require("webpubsub.emulator.launch")
local nginx = require("spec.support.nginx")
local project = require("spec.support.project")
local readme = require("spec.support.readme")
local wait = require("spec.support.wait")

local page = project.read("lua/webpubsub/transport/README.md")

describe("the nginx.conf of the page about NGINX", function()
  local emulator, names, web

  -- Without what `without` matches.
  local function start(without)
    local endpoint = emulator.connection_string:gsub("127%.0%.0%.1", "localhost") -- NGINX compares no addresses
    local here = {
      ["modules/"] = "/usr/lib/nginx/modules/",
      ["/etc/ssl/certs/ca-certificates.crt"] = emulator.ca_file,
      ["resolver 127.0.0.53"] = "resolver 127.0.0.1:" .. names.port,
      ['os.getenv "WebPubSubConnectionString"'] = ("%q"):format(endpoint),
    }
    local text = readme.blocks("nginx", page)[1]
    for there, replacement in pairs(here) do
      local count
      text, count = text:gsub(there:gsub("%p", "%%%0"), (replacement:gsub("%%", "%%%%")))
      assert.is_true(count > 0, there)
    end
    if without then
      local count
      text, count = text:gsub(without, "")
      assert.are.equal(1, count, without)
    end
    web = nginx.start_whole(text)
  end

  setup(function()
    emulator, names = launch({ quiet = true, tls = true }), dns.start()
  end)
  teardown(function()
    names.stop()
    emulator.stop()
  end)
  after_each(function() web:stop() end)

  it("closes a user's connections before it answers", function()
    start()
    assert.are.equal("204\n", (web:get("/ban?user=alice")))
  end)

  it("answers for what is wrong, and says it in the log", function()
    start()
    assert.are.equal(400, (select(2, web:get("/ban?user="))))
    assert.is_truthy(web:log():find("webpubsub: close_user_connections: user must not be empty", 1, true))
  end)

  it("closes them after it has answered", function()
    start()
    assert.are.equal("bye\n", (web:get("/logout?user=alice")))
    local counts
    wait.until_true(function()
      counts = web:get("/deferred")
      return counts == "0 queued, 1 sent, 0 failed, 0 dropped\n"
    end, 5, "the call that was deferred")
  end)

  -- What the table says of something that is missing: a part of the message, and the kind and code.
  local function expect_told(what)
    local row = assert(page:match("\n| `" .. what .. "`[^|]*|[^|]*| ([^|\n]*) |\n"), what)
    local kind, code, message = row:match("^`(%w+)` `(%w+)`: (.*)$")
    wait.until_true(function() return web:log():find(message, 1, true) end, 5, message)
    nginx.contains(web:log(), ("(%s %s"):format(kind, code))
  end

  for directive in pairs({ resolver = true, lua_ssl_trusted_certificate = true }) do
    it("fails without " .. directive .. " as the table says", function()
      start("\n  " .. directive .. " [^\n]*")
      web:get("/ban?user=alice")
      expect_told(directive)
    end)
  end

  it("fails without env as the table says", function()
    start('connection_string = "[^\n]*')
    expect_told("env")
  end)
end)

describe("the transport of the page about NGINX", function()
  it("sends what it is given, over TLS that is verified", function()
    local sent = {}
    package.loaded["resty.http"] = { new = function()
      return {
        set_timeout = function(_, milliseconds) sent.milliseconds = milliseconds end,
        request_uri = function(_, url, options)
          sent.url, sent.options = url, options
          return { status = 204, headers = { Date = "today" }, body = "" }
        end,
      }
    end }
    local environment = setmetatable({
      webpubsub = require("webpubsub"),
      os = { getenv = function() return "Endpoint=https://contoso.example;AccessKey=k;Version=1.0;" end },
    }, { __index = _G })
    readme.run(readme.blocks("lua", page)[2], environment)
    assert.are.equal(204, environment.own:close_user_connections({ user = "alice" }).status)
    package.loaded["resty.http"] = nil
    assert.is_truthy(sent.url:find("^https://contoso.example/api/hubs/chat/users/alice/:closeConnections%?"))
    assert.are.same({ "POST", true, 15000 }, { sent.options.method, sent.options.ssl_verify, sent.milliseconds })
  end)
end)

describe("the call of the page about NGINX that belongs to a trace", function()
  it("sends the headers of the request on", function()
    local sent
    local client = require("webpubsub").new({ endpoint = "https://contoso.example", key = "k", hub = "chat",
      transport = function(request)
        sent = request.headers
        return { status = 204 }
      end })
    local parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    local variables = { http_traceparent = parent, http_tracestate = "congo=t61rc" }
    local environment = { client = client, ngx = { var = variables } }
    readme.run(readme.blocks("lua", page)[1], environment)
    assert.are.same({ parent, "congo=t61rc" }, { sent.traceparent, sent.tracestate })
    environment.ngx.var = {} -- a request without
    readme.run(readme.blocks("lua", page)[1], environment)
    assert.is_nil(sent.traceparent)
  end)
end)
