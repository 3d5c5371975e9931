-- What goes over the wire, as a server sees it.

local cjson = require("cjson").new()
local webpubsub = require("webpubsub")
local calls = require("spec.support.calls")
local certs = require("spec.support.certs")
local process = require("spec.support.process")
local scripted_server = require("spec.support.scripted_server")
local steps = require("spec.support.steps")

local KEY = "clé+/= with 'quotes' & blanks"
local NO_CONTENT = steps.reply({ status = 204 })
local TOKEN_SECONDS = 300
local CLOCK_SECONDS = 5 -- between a request and a look at the clock

local server

setup(function() server = scripted_server.start() end)
teardown(function() server:stop() end)
before_each(function()
  server:reset()
  server:script({ default = NO_CONTENT })
end)

local function new_client(options)
  local all = { endpoint = server.origin, key = KEY, hub = "chat", proxy = false }
  for name, value in pairs(options or {}) do all[name] = value end
  return webpubsub.new(all)
end

local function last_request()
  local requests = server:requests()
  return requests[#requests]
end

-- The signature that OpenSSL's own command puts under a text, in base64url.
local function signature_of(text)
  local result = process.run({ "sh", "-c", 'openssl dgst -sha256 -hmac "$1" -binary | openssl base64 -A', "sh", KEY },
    { stdin = text })
  return (result.stdout:gsub("[+/=]", { ["+"] = "-", ["/"] = "_", ["="] = "" }))
end

local function assert_signed_for(url, request)
  local token = calls.token_of("Authorization: " .. request.headers:get("Authorization") .. "\r\n")
  assert.are.equal(signature_of(token.signing_input), token.signature)
  local claims = cjson.decode(token.claims)
  assert.are.equal(url, claims.aud)
  assert.is_true(math.abs(os.time() - claims.iat) <= CLOCK_SECONDS)
  assert.are.equal(TOKEN_SECONDS, claims.exp - claims.iat)
end

describe("a request", function()
  local IDENTITY = "Accept: application/json\r\nUser-Agent: lua-webpubsub/" .. webpubsub._VERSION .. " (" .. _VERSION
    .. ")\r\n"

  -- The request as it arrived, its token replaced by a placeholder, is exactly this.
  local function assert_sent(line, fields, body)
    local raw = last_request().raw:gsub("(Authorization: Bearer )[%w_.-]+\r\n", "%1<token>\r\n")
    local host = server.origin:match("^http://(.*)$")
    assert.are.equal(line .. " HTTP/1.1\r\nHost: " .. host .. "\r\n" .. fields .. "\r\n" .. (body or ""), raw)
  end

  it("to close a user's connections has exactly these bytes", function()
    new_client():close_user_connections({
      user = "a/b +ü", excluded = { "id-1", "id 2" }, reason = "50 % off & more", context = { request_id = "r-1" },
    })
    assert_sent("POST /api/hubs/chat/users/a%2Fb%20%2B%C3%BC/:closeConnections?api-version=2024-12-01"
      .. "&excluded=id-1&excluded=id%202&reason=50%20%25%20off%20%26%20more",
      IDENTITY .. "x-ms-client-request-id: r-1\r\nAuthorization: Bearer <token>\r\nContent-Length: 0\r\n")
  end)

  it("with a message has its type and its length, and does not wait for leave to send it", function()
    for _, content in ipairs({ "a\0\r\nb", ("x"):rep(1024 * 1024) }) do
      new_client():send_to_all({ content = content, content_type = "binary", context = { request_id = "r-2" } })
      assert_sent("POST /api/hubs/chat/:send?api-version=2024-12-01", IDENTITY
        .. "Content-Type: application/octet-stream\r\nx-ms-client-request-id: r-2\r\nAuthorization: Bearer <token>\r\n"
        .. "Content-Length: " .. #content .. "\r\n", content)
    end
  end)

  it("without a body has no length where HTTP wants none", function()
    server:script({ default = steps.reply({ status = 200 }) })
    local client, context = new_client(), { request_id = "r-3" }
    client:connection_exists({ connection = "c", context = context })
    assert_sent("HEAD /api/hubs/chat/connections/c?api-version=2024-12-01",
      IDENTITY .. "x-ms-client-request-id: r-3\r\nAuthorization: Bearer <token>\r\n")
    client:close_connection({ connection = "c", context = context })
    assert_sent("DELETE /api/hubs/chat/connections/c?api-version=2024-12-01",
      IDENTITY .. "x-ms-client-request-id: r-3\r\nAuthorization: Bearer <token>\r\n")
    client:add_user_to_group({ user = "u", group = "g", context = context })
    assert_sent("PUT /api/hubs/chat/users/u/groups/g?api-version=2024-12-01",
      IDENTITY .. "x-ms-client-request-id: r-3\r\nAuthorization: Bearer <token>\r\nContent-Length: 0\r\n")
  end)

  it("about the service's health carries no token", function()
    server:script({ default = steps.reply({ status = 200 }) })
    new_client():service_status({ context = { request_id = "r-4" } })
    assert_sent("HEAD /api/health?api-version=2024-12-01", IDENTITY .. "x-ms-client-request-id: r-4\r\n")
  end)

  it("has the headers of its client and its call, the call's winning", function()
    local client = new_client({ user_agent = "game/1.2", headers = { ["X-Of-Client"] = "1", ["X-Both"] = "client" } })
    client:close_all_connections({ context = { headers = { ["x-both"] = "call", Accept = "*/*" } } })
    local headers = last_request().headers
    assert.are.same({ "1" }, headers:all("X-Of-Client"))
    assert.are.same({ "call" }, headers:all("X-Both"))
    assert.are.same({ "*/*" }, headers:all("Accept"))
    assert.are.same({ "game/1.2 lua-webpubsub/" .. webpubsub._VERSION .. " (" .. _VERSION .. ")" },
      headers:all("User-Agent"))
  end)

  it("has another id in every call, and the same in every attempt of one", function()
    server:script({ steps.reply({ status = 503 }), steps.reply({ status = 503 }), default = NO_CONTENT })
    local client, seen = new_client({ retry = { delay = 0.001 } }), {}
    for _ = 1, 2 do client:close_all_connections() end
    for index, request in ipairs(server:requests()) do
      seen[index] = request.headers:get("x-ms-client-request-id")
      assert.is_truthy(seen[index]:find("^%x+%-%x+%-4%x+%-[89ab]%x+%-%x+$"), seen[index])
      assert.are.equal(#("00000000-0000-4000-8000-000000000000"), #seen[index])
    end
    assert.are.same({ seen[1], seen[1], seen[1] }, { seen[1], seen[2], seen[3] })
    assert.are_not.equal(seen[1], seen[4])
  end)
end)

describe("the token", function()
  it("is signed with the text of the key, for exactly the URL that is requested", function()
    new_client():close_user_connections({ user = "a/b +ü'", excluded = { "x", "y" }, reason = "ünd & so" })
    local request = last_request()
    assert_signed_for(server.origin .. request.target, request)
  end)

  it("is for the whole URL of each attempt when a policy adds to its query", function()
    server:script({ steps.reply({ status = 503 }), default = NO_CONTENT })
    new_client({ retry = { delay = 0.001 } }):close_user_connections({ user = "u", context = { policies = {
      per_attempt = function(request) request:add_query("try & error", tostring(request.attempt)) end,
    } } })
    local requests, path = server:requests(), "/api/hubs/chat/users/u/:closeConnections?api-version=2024-12-01"
    assert.are.equal(2, #requests)
    for attempt, request in ipairs(requests) do
      assert.are.equal(path .. "&try%20%26%20error=" .. attempt, request.target)
      assert_signed_for(server.origin .. request.target, request)
    end
  end)

  it("is for the service when requests go to a reverse proxy", function()
    local service = "https://contoso.webpubsub.azure.com"
    for _, base in ipairs({ "", "/gateway/v1", "/gateway/v1/" }) do
      new_client({ endpoint = service, reverse_proxy = server.origin .. base }):close_user_connections({ user = "a b" })
      local request = last_request()
      local prefix, path = base:gsub("/$", ""), "/api/hubs/chat/users/a%20b/:closeConnections?api-version=2024-12-01"
      assert.are.equal(prefix .. path, request.target)
      assert.are.same({ "127.0.0.1:" .. server.port }, request.headers:all("Host"))
      assert_signed_for(service .. path, request)
    end
  end)
end)

describe("a connection", function()
  it("is kept for the next call, of whatever kind and of whichever client", function()
    local first, second = new_client(), new_client({ hub = "other", user_agent = "second" })
    first:close_all_connections()
    second:send_to_all({ content = "text" })
    first:close_connection({ connection = "c" })
    first:user_exists({ user = "u" })
    second:close_all_connections()
    assert.are.same({ 1, 5 }, { server:connections(), #server:requests() })
  end)

  it("is kept after an error with a body", function()
    local client = new_client()
    server:script({ steps.reply({ status = 400, body = ("x"):rep(5000) }), default = NO_CONTENT })
    assert.is_false((pcall(client.close_all_connections, client)))
    client:close_all_connections()
    assert.are.equal(1, server:connections())
  end)

  it("is not kept when the server ends it", function()
    server:script({ default = steps.reply({ status = 204, headers = { Connection = "close" } }) })
    local client = new_client()
    for _ = 1, 2 do client:close_all_connections() end
    assert.are.equal(2, server:connections())
  end)
end)

describe("an HTTP proxy", function()
  local proxy, secure

  setup(function()
    proxy = scripted_server.start({ proxy = true })
    secure = scripted_server.start({ tls = certs.valid })
  end)
  teardown(function()
    proxy:stop()
    secure:stop()
  end)
  before_each(function()
    proxy:reset()
    secure:reset()
    secure:script({ default = NO_CONTENT })
  end)

  it("is asked for a tunnel, and sees neither token nor user", function()
    new_client({ endpoint = secure.origin, ca_file = certs.ca.cert, proxy = proxy.origin })
      :close_user_connections({ user = "alice" })
    local tunnels, request = proxy:requests(), secure:requests()[1]
    assert.are.equal(1, #tunnels)
    assert.are.same({ "CONNECT", "127.0.0.1:" .. secure.port }, { tunnels[1].method, tunnels[1].target })
    for _, secret in ipairs({ "Bearer", "alice" }) do assert.is_nil(tunnels[1].raw:find(secret, 1, true)) end
    assert_signed_for(secure.origin .. request.target, request)
  end)

  it("is asked for a tunnel over plain http, too", function()
    new_client({ proxy = proxy.origin }):close_user_connections({ user = "a b" })
    local tunnels, request = proxy:requests(), last_request()
    assert.are.same({ "CONNECT", "127.0.0.1:" .. server.port }, { tunnels[1].method, tunnels[1].target })
    assert_signed_for(server.origin .. request.target, request)
  end)

  describe("of the environment", function()
    local CHILD = [[
      local endpoint, ca_file, proxy = ...
      local webpubsub = require("webpubsub")
      local options = { endpoint = endpoint, key = "key", hub = "chat", ca_file = ca_file }
      if proxy == "none" then options.proxy = false end
      print(webpubsub.new(options):close_user_connections({ user = "alice" }).status)
    ]]
    local NO_VARIABLES = { http_proxy = false, https_proxy = false, HTTPS_PROXY = false, all_proxy = false,
      ALL_PROXY = false, no_proxy = false, NO_PROXY = false }

    -- How many requests the proxy sees when a child with these variables makes one call.
    local function proxied(origin, variables, proxy_option)
      local env = {}
      for name in pairs(NO_VARIABLES) do env[name] = variables[name] or false end
      proxy:reset()
      local child = process.run_lua(CHILD, { env = env, arguments = { origin, certs.ca.cert, proxy_option } })
      assert.are.same({ "204\n", "" }, { child.stdout, child.stderr })
      return #proxy:requests()
    end

    it("is used where it is meant for the scheme", function()
      assert.are.equal(1, proxied(secure.origin, { https_proxy = proxy.origin }))
      assert.are.equal(1, proxied(server.origin, { http_proxy = proxy.origin }))
      assert.are.equal(1, proxied(server.origin, { all_proxy = proxy.origin }))
      assert.are.equal(0, proxied(server.origin, { https_proxy = proxy.origin }))
      assert.are.equal(0, proxied(secure.origin, {}))
    end)

    it("spares the hosts in no_proxy, and clients with proxy = false", function()
      assert.are.equal(0, proxied(secure.origin, { https_proxy = proxy.origin, no_proxy = "127.0.0.1" }))
      assert.are.equal(0, proxied(secure.origin, { https_proxy = proxy.origin }, "none"))
      assert.are.equal(0, proxied(server.origin, { http_proxy = proxy.origin }, "none"))
    end)
  end)
end)
