-- The page about events tells the truth: its code runs and does what it says.

local cjson = require("cjson").new()
local project = require("spec.support.project")
local readme = require("spec.support.readme")
local service = require("spec.support.service_events")

local page = project.read("lua/webpubsub/events/README.md")

-- Debian installs lua-http for 5.1 and 5.2 only.
local PATH = package.path

describe("the code of the page about events", function()
  local environment, printed, blocks, claims

  setup(function()
    package.path = PATH .. ";/usr/share/lua/5.3/?.lua;/usr/share/lua/5.2/?.lua"
    package.loaded["resty.openidc"] = { bearer_jwt_verify = function(options)
      assert.is_truthy(options.discovery:find("^https://login.microsoftonline.com/0000"))
      return claims, not claims and "no token" or nil
    end }
    environment = setmetatable({
      print = function(...) printed = { ... } end,
      os = setmetatable({ getenv = function(name) return name == "WebPubSubKey" and service.KEY or nil end },
        { __index = os }),
    }, { __index = _G })
    blocks = readme.blocks("lua", page)
  end)
  teardown(function()
    package.path = PATH
    package.loaded["resty.openidc"] = nil
  end)

  local function post(name, body, more)
    local status, headers, text = environment.events:handle("POST", service.headers(name, more), body)
    return status, text ~= "" and headers["Content-Type"] == "application/json" and cjson.decode(text) or text,
      headers["ce-connectionState"]
  end

  it("answers the events of its first example", function()
    readme.run(blocks[1], environment)
    assert.are.same({ 401, "who are you?" }, { post("sys.connect", "{}") })
    assert.are.equal(401, (post("sys.connect", '{"query":{"user":["eve"]}}')))
    local status, answer, state = post("sys.connect", '{"query":{"user":["alice"]}}')
    assert.are.same({ 200, { userId = "alice", groups = { "lobby" }, roles = { "webpubsub.sendToGroup.lobby" } } },
      { status, answer })
    for count = 1, 3 do
      status, answer, state = post("user.count", "{}", { ["ce-connectionState"] = state })
      assert.are.same({ 200, { count = count } }, { status, answer })
    end
    assert.are.same({ 200, "there is no event other" }, { post("user.other", "{}") })
    assert.are.equal(204, (post("sys.disconnected", '{"reason":"gone"}', { ["ce-userId"] = "alice" })))
    assert.are.same({ "alice", "gone" }, printed)
  end)

  it("authorizes by a token that lua-resty-openidc has verified", function()
    readme.run(blocks[2], environment)
    local good = { aud = "api://chat-events", azp = "11111111-1111-1111-1111-111111111111" }
    for expected, given in pairs({ [204] = good, [401] = { aud = good.aud, azp = "another" } }) do
      claims = given
      assert.are.equal(expected, (post("sys.connected", "{}", { ["ce-signature"] = false })))
    end
    claims = { aud = "another", azp = good.azp }
    assert.are.equal(401, (post("sys.connected", "{}")))
    claims = nil
    assert.are.equal(401, (post("sys.connected", "{}")))
  end)

  it("authorizes by a gateway's word", function()
    readme.run(blocks[3], environment)
    assert.are.equal(204, (post("sys.connected", "{}", { ["X-Token-Verified"] = "yes" })))
    assert.are.equal(401, (post("sys.connected", "{}", { ["X-Token-Verified"] = "no" })))
    assert.are.equal(401, (post("sys.connected", "{}")))
  end)

  it("serves with lua-http and any other server", function()
    readme.run(blocks[4], environment)
    environment.server:close()
    readme.run(blocks[5], environment)
    assert.are.same({ status = 204, headers = {}, body = "" }, environment.answer { method = "POST",
      headers = service.headers("sys.connected", { ["X-Token-Verified"] = "yes" }), body = "{}" })
    assert.are.equal(5, #blocks)
  end)
end)

if _VERSION ~= "Lua 5.1" then return end -- NGINX loads the build for Lua 5.1

local nginx = require("spec.support.nginx")
local scripted_server = require("spec.support.scripted_server")
local steps = require("spec.support.steps")

describe("the nginx.conf of the page about events", function()
  local server, web

  setup(function()
    server = scripted_server.start()
    server:script({ default = steps.reply({ status = 204 }) })
    local text = readme.blocks("nginx", page)[1]
    for there, here in pairs({
      ["modules/"] = "/usr/lib/nginx/modules/",
      ['os.getenv "WebPubSubConnectionString"'] = ("%q"):format(
        ("Endpoint=%s;AccessKey=%s;Version=1.0;"):format(server.origin, service.KEY)),
    }) do
      local count
      text, count = text:gsub(there:gsub("%p", "%%%0"), (here:gsub("%%", "%%%%")))
      assert.is_true(count > 0, there)
    end
    web = nginx.start_whole(text)
  end)
  teardown(function()
    web:stop()
    server:stop()
  end)

  local function post(name, body, more)
    local status, _, text = web:request("POST", "/events/8d1f6a0c5b", service.headers(name, more), body)
    return { status, text }
  end

  it("validates the URL and answers events", function()
    local status, headers = web:request("OPTIONS", "/events/8d1f6a0c5b",
      { ["WebHook-Request-Origin"] = "name.webpubsub.azure.com" })
    assert.are.equal(200, status)
    nginx.contains(headers, "WebHook-Allowed-Origin: name.webpubsub.azure.com")
    assert.are.same({ 401, "who are you?" }, post("sys.connect", "{}"))
    assert.are.same({ 200, { userId = "alice", groups = { "lobby" } } },
      { 200, cjson.decode(post("sys.connect", '{"query":{"user":["alice"]}}')[2]) })
    assert.are.same({ 200, "hello" }, post("user.echo", "hello", { ["Content-Type"] = "text/plain" }))
    assert.are.equal(401, post("sys.connect", "{}", { ["ce-signature"] = false })[1])
  end)

  it("calls the service from a handler", function()
    assert.are.same({ 204, "" }, post("user.logout", "{}", { ["ce-userId"] = "alice" }))
    nginx.contains(server:requests()[1].target, "/api/hubs/chat/users/alice/:closeConnections")
  end)
end)
