-- Credentials inside a real nginx: a worker makes one token request, whichever requests wait for it.

if _VERSION ~= "Lua 5.1" then return end -- NGINX loads the build for Lua 5.1

local azure = require("spec.support.azure")
local certs = require("spec.support.certs")
local dns = require("spec.support.dns")
local nginx = require("spec.support.nginx")
local scripted_server = require("spec.support.scripted_server")
local steps = require("spec.support.steps")

local MANY = 50
local contains = nginx.contains

describe("in NGINX, a credential", function()
  local names, web, service, authority, endpoint

  setup(function()
    service = scripted_server.start({ tls = certs.valid })
    authority = scripted_server.start()
    names, endpoint = dns.start(), "https://localhost:" .. service.port
    web = nginx.start({ set = { dns = names.port, ca = certs.ca.cert },
      http = "resolver 127.0.0.1:$(dns); lua_ssl_trusted_certificate $(ca);" })
  end)
  teardown(function()
    web:stop()
    names.stop()
    service:stop()
    authority:stop()
  end)
  before_each(function()
    service:reset()
    authority:reset()
    service:script({ default = steps.reply({ status = 204 }) })
  end)

  -- Makes the worker's client anew, with the fields of a client secret.
  local function prepare(fields)
    web:run(([[
      credential = webpubsub.credential.client_secret { tenant = "contoso", client_id = "app", secret = "the-s3cret",
        authority = %q, %s }
      the_client = webpubsub.new { endpoint = %q, hub = "chat", credential = credential }
    ]]):format(authority.origin, fields or "", endpoint))
  end

  local function start_many(code)
    local requests = {}
    for index = 1, MANY do requests[index] = web:start_run(code or "return close(the_client)") end
    return requests
  end

  local function results(requests)
    local counts = {}
    for index = 1, #requests do
      local text = web.finish(requests[index])
      counts[text] = (counts[text] or 0) + 1
    end
    return counts
  end

  it("makes one token request for many requests at the start, and one at a refresh", function()
    authority:script({ { steps.delay(0.2), azure.token("first", 3600, ',"refresh_in":0') }, azure.token("second") })
    prepare()
    assert.are.same({ ["204"] = MANY }, results(start_many()))
    assert.are.equal(1, #authority:requests())
    assert.are.same({ ["204"] = MANY }, results(start_many()))
    assert.are.equal("204", web:run("return close(the_client)"))
    assert.are.equal(2, #authority:requests())
    assert.are.equal("second", azure.tokens(service)[2 * MANY + 1])
  end)

  it("outlives the request that began it", function()
    authority:script({ { steps.delay(0.4), azure.token("handed-over") } })
    prepare()
    local first = web:start_run("return close(the_client, { timeout = 0.1 })")
    local others = start_many()
    contains((web.finish(first)), "timeout deadline")
    assert.are.same({ ["204"] = MANY }, results(others))
    assert.are.equal(1, #authority:requests())
  end)

  it("outlives a client that goes away, though more tasks wait than a worker has timers", function()
    authority:script({ { steps.delay(0.4), azure.token("t") } })
    prepare()
    web:run("for _ = 1, 60 do the_client:close_user_connections_async { user = 'alice' } end")
    web:start_run("return close(the_client)"):close()
    web:run("wait_until(function() return the_client:pending() == 0 end)")
    assert.are.equal(1, #authority:requests())
    assert.are.equal("204", web:run("return close(the_client)"))
  end)

  it("asks for a timer again when NGINX has dropped the one in which its token was to be fetched", function()
    local busy = nginx.start({ set = { dns = names.port, ca = certs.ca.cert },
      http = "resolver 127.0.0.1:$(dns); lua_ssl_trusted_certificate $(ca); lua_max_running_timers 1;" })
    local outcome, problem = busy:run(([[
      local client = webpubsub.new { endpoint = %q, hub = "chat", credential = function()
        return "t", ngx.time() + 3600
      end }
      ngx.timer.at(0, function() ngx.sleep(0.5) end)
      ngx.sleep(0.05)
      return close(client, { timeout = 5 })]]):format(endpoint))
    local log = busy:log()
    busy:stop()
    assert.are.equal("204", outcome, problem)
    contains(log, "lua_max_running_timers are not enough")
  end)

  it("fails all who wait for it with the one failure", function()
    authority:script({ default = { steps.delay(0.2), azure.refusal(401, "invalid_client", "AADSTS1: wrong") } })
    prepare()
    local failure = "credential invalid_client: Entra ID answered 401 Unauthorized, invalid_client: AADSTS1: wrong"
    assert.are.same({ [failure] = MANY }, results(start_many()))
    assert.are.equal(1, #authority:requests())
  end)

  it("that is a function is asked once for all, and may wait", function()
    web:run(([[
      asked = 0
      the_client = webpubsub.new { endpoint = %q, hub = "chat", credential = function()
        asked = asked + 1
        ngx.sleep(0.2)
        return "from-a-function", ngx.time() + 3600
      end }
    ]]):format(endpoint))
    assert.are.same({ ["204"] = MANY }, results(start_many()))
    assert.are.equal("1", web:run("return asked"))
  end)

  it("makes URLs for WebSocket clients, by way of the service", function()
    authority:script({ azure.token("t") })
    service:script({ steps.reply({ status = 200, body = '{"token":"a.b.c"}' }) })
    prepare()
    assert.are.equal(endpoint:gsub("^http", "ws") .. "/client/hubs/chat?access_token=a.b.c",
      (web:run("return (the_client:client_access_url { user = 'alice' })")))
  end)

  it("cannot check Service Fabric's thumbprint, and says so", function()
    contains(web:run([[
      local function getenv(name) return name:find "^IDENTITY_" and "http://localhost" or nil end
      return outcome(require("webpubsub.credential.managed_identity").source, nil, getenv)
    ]]), "argument unsupported", "cannot be checked inside NGINX")
  end)

  it("never starts a program", function()
    contains(web:run("return outcome(webpubsub.credential.azure_cli)"), "argument unsupported",
      "a worker of NGINX must not")
    authority:script({ default = azure.refusal(400, "invalid_request", "none") })
    contains(web:run(([[
      local own = webpubsub.credential.default { exclude = { "managed_identity" } }
      return close(webpubsub.new { endpoint = %q, hub = "chat", credential = own })
    ]]):format(endpoint)), "credential no_token", "azure_cli: azure_cli starts a program, which a worker of NGINX",
      "environment: AZURE_TENANT_ID", "the directive env must name it")
  end)
end)
