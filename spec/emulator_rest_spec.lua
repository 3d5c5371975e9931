-- luacheck: std lua54+busted
if _VERSION ~= "Lua 5.4" then
  return -- the emulator runs on Lua 5.4 only
end

local support = require "spec.support.emulator_client"

local auth = require "webpubsub.emulator.auth"
local json = require "webpubsub.emulator.json"

describe("emulator, REST:", function()
  local server

  setup(function() server = support.launch() end)
  teardown(function() server.stop() end)

  local function assert_problem(response, target)
    assert.equal(400, response.status)
    assert.equal("application/problem+json; charset=utf-8", response.headers:get("content-type"))
    assert.equal("Error.BadRequest", response.headers:get("x-ms-error-code"))
    assert.equal("Error.BadRequest", response.json.code)
    assert.equal(target, response.json.target)
    assert.equal(400, response.json.status)
    assert.same({ [target] = { response.json.message } }, response.json.errors)
  end

  describe("what every request goes through", function()
    it("answers a health check without a token", function()
      local response = server:http("HEAD", "/api/health?api-version=2024-12-01")
      assert.equal(200, response.status)
      assert.equal("", response.body)
    end)

    it("names the api-versions it speaks", function()
      local response = server:http("HEAD", "/api/health")
      assert.truthy(response.headers:get("api-supported-versions"):find("2024-12-01", 1, true))
    end)

    local target = "/api/hubs/spec/users/alice/:closeConnections?api-version=2024-12-01"

    local function close_with(authorization)
      return server:http("POST", target, { headers = { authorization = authorization } })
    end

    local function assert_unauthorized(description, response)
      assert.equal(401, response.status)
      assert.equal(('Bearer error="invalid_token", error_description="%s"'):format(description),
        response.headers:get("www-authenticate"))
      assert.equal("", response.body)
    end

    local function token(options)
      options = options or {}
      local url = server.emulator.endpoint .. (options.target or target)
      return "Bearer " .. auth.service_token(options.key or server.emulator.key, url, options.now)
    end

    it("accepts a token made for exactly this URL", function()
      assert.equal(204, close_with(token()).status)
    end)

    it("refuses a request without a token", function()
      assert_unauthorized("The Authorization header has no Bearer token", server:http("POST", target))
      assert_unauthorized("The Authorization header has no Bearer token", close_with("Basic YTpi"))
    end)

    it("refuses a token that is none", function()
      assert_unauthorized("The token is malformed", close_with("Bearer abc"))
      assert_unauthorized("The token is malformed", close_with("Bearer a.b.c"))
    end)

    it("refuses a token signed with another key", function()
      assert_unauthorized("The signature is invalid", close_with(token { key = "another key" }))
    end)

    it("refuses a token whose claims were changed", function()
      local head, _, signature = token():match("^Bearer (.-)%.(.-)%.(.*)$")
      local claims = token { target = "/elsewhere" }:match("%.(.-)%.")
      assert_unauthorized("The signature is invalid", close_with(("Bearer %s.%s.%s"):format(head, claims, signature)))
    end)

    it("refuses a token without a signature algorithm", function()
      local base64 = require "webpubsub.emulator.base64"
      local claims = token():match("%.(.-)%.")
      local unsigned = ("Bearer %s.%s.x"):format(base64.encode_url('{"alg":"none","typ":"JWT"}'), claims)
      assert_unauthorized("The algorithm is invalid, HS256 is expected", close_with(unsigned))
    end)

    it("refuses a token made for another path, another query or another order of the query", function()
      for _, other in ipairs {
        "/api/hubs/spec/users/bob/:closeConnections?api-version=2024-12-01",
        "/api/hubs/spec/users/%61lice/:closeConnections?api-version=2024-12-01",
        "/api/hubs/spec/users/alice/:closeConnections",
        target .. "&reason=x",
      } do
        assert_unauthorized("The audience is invalid", close_with(token { target = other }))
      end
    end)

    it("tolerates a clock that is five minutes off, and no more", function()
      local now = os.time()
      assert.equal(204, close_with(token { now = now - 590 }).status)
      assert_unauthorized("The token is expired", close_with(token { now = now - 610 }))
      assert.equal(204, close_with(token { now = now + 290 }).status)
      assert_unauthorized("The token was issued in the future", close_with(token { now = now + 310 }))
    end)

    it("asks for an api-version that it knows", function()
      assert_problem(server:signed("POST", "/api/hubs/spec/:closeConnections"), "api-version")
      assert_problem(server:signed("POST", "/api/hubs/spec/:closeConnections?api-version=1999-01-01"), "api-version")
      assert.equal(204, server:signed("POST", "/api/hubs/spec/:closeConnections?api-version=2021-10-01").status)
    end)

    it("refuses a hub whose name is not valid", function()
      assert_problem(server:hub("1st"):call("POST", "/:closeConnections"), "hub")
      assert_problem(server:hub("a-b"):call("POST", "/:closeConnections"), "hub")
      assert_problem(server:hub(("h"):rep(129)):call("POST", "/:closeConnections"), "hub")
      assert.equal(204, server:hub(("h"):rep(128)):call("POST", "/:closeConnections").status)
    end)

    it("refuses a group whose name is not valid", function()
      assert_problem(server:call("POST", "/groups/%20/:closeConnections"), "group")
      assert_problem(server:call("POST", "/groups/" .. ("g"):rep(1025) .. "/:closeConnections"), "group")
      assert_problem(server:call("PUT", "/permissions/sendToGroup/connections/x?targetName=%20"), "targetName")
      assert_problem(server:call("POST", "/:generateToken?group=ok&group=%09"), "group")
      assert.equal(204, server:call("POST", "/groups/" .. ("g"):rep(1024) .. "/:closeConnections").status)
      assert.equal(204, server:call("POST", "/groups/" .. ("%C3%A4"):rep(1024) .. "/:closeConnections").status)
    end)

    it("refuses relative path segments, encoded or not, and never resolves them", function()
      local alice = server:connect { user = "alice" }
      for _, path in ipairs {
        "/users/../:closeConnections", "/users/%2E%2E/:closeConnections", "/users/%2e./:closeConnections",
        "/users/./:closeConnections", "/users/%2E/:closeConnections", "/users//:closeConnections",
        "/users/%zz/:closeConnections", "/users/%FF/:closeConnections",
      } do
        local response = server:call("POST", path)
        assert.equal(400, response.status, path)
        assert.equal("Error.BadRequest", response.json.code)
      end
      assert.truthy(alice:is_quiet())
      alice:close()
    end)

    it("knows no other paths and methods", function()
      assert.equal(404, server:call("POST", "/:explode").status)
      assert.equal(404, server:http("GET", "/nothing").status)
      local response = server:call("GET", "/users/alice")
      assert.equal(405, response.status)
      assert.equal("HEAD", response.headers:get("allow"))
    end)

    -- The head of a request that is authorized, but for its end.
    local function signed_post()
      return ("POST %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nAuthorization: %s\r\n"):format(
        target, server.emulator.port, token())
    end

    it("survives requests that are broken or broken off", function()
      local socket = require "cqueues.socket"
      for _, case in ipairs {
        { "GARBAGE\r\n\r\n", "400" },
        { "GET / HTTP/1.1\r\nHost : a\r\n\r\n", "400" },
        { "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: abc\r\n\r\n", "400" },
        { "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -5\r\n\r\n", "400" },
        { "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: ;;\r\n\r\n", "400" },
        { "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", "400" },
        { "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "400" },
        { "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999999\r\n\r\n", "400" },
        { "POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nshort", "404" },
        { "POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab", "404" },
        { signed_post() .. "Content-Length: 100\r\n\r\nshort", nil },
        { signed_post() .. "Transfer-Encoding: chunked\r\n\r\n5\r\nab", nil },
      } do
        local connection = assert(socket.connect("127.0.0.1", server.emulator.port))
        connection:settimeout(5)
        connection:setmode("b", "bn")
        connection:write(case[1])
        connection:shutdown("w")
        local answer = connection:read("*a")
        assert.equal(case[2], answer and answer:match("^HTTP/1.1 (%d+)"), case[1])
        connection:close()
      end
      assert.equal(204, server:call("POST", "/:closeConnections").status)
    end)

    it("sends a 204 without a Content-Length, and every other response with one", function()
      assert.is_nil(server:call("POST", "/:closeConnections").headers:get("content-length"))
      assert.equal("0", server:http("HEAD", "/api/health").headers:get("content-length"))
      assert.equal("0", server:http("HEAD", "/api/hubs/spec/users/x").headers:get("content-length"))
    end)

    it("says in the answer to a HEAD how long the body of a GET would be", function()
      local response = server:call("HEAD", "/users/x")
      local body = '{"code":"Warning.User.NotExisted","message":"User `x` is not found.","target":"User",'
        .. '"details":null,"inner":null}'
      assert.same({ "", tostring(#body) }, { response.body, response.headers:get("content-length") })
    end)

    it("names its api-versions in every answer but problem+json", function()
      local response = server:call("HEAD", "/users/x")
      assert.truthy(response.headers:get("api-supported-versions"))
      response = server:call("POST", "/groups/%20/:closeConnections")
      assert.equal("application/problem+json; charset=utf-8", response.headers:get("content-type"))
      assert.is_nil(response.headers:get("api-supported-versions"))
    end)
  end)

  describe("closing", function()
    it("closes a user's connections but the excluded ones, and tells JSON clients why", function()
      local hub = server:hub("close_user")
      local laptop, phone = hub:connect { user = "alice" }, hub:connect { user = "alice" }
      local raw, bob = hub:connect { user = "alice", raw = true }, hub:connect { user = "bob" }
      local response = hub:call("POST",
        "/users/alice/:closeConnections?excluded=none&excluded=" .. phone.id .. "&reason=signed%20in%20elsewhere")
      assert.equal(204, response.status)
      assert.equal("", response.body)
      assert.same({
        type = "system", event = "disconnected",
        message = "Application server closed the connection. Reason: signed in elsewhere",
      }, laptop:receive())
      assert.same({ 1000 }, { laptop:closed() })
      assert.same({ 1000 }, { raw:closed() })
      assert.truthy(phone:is_quiet())
      assert.truthy(bob:is_quiet())
    end)

    it("forgets a closed connection at once", function()
      local hub = server:hub("close_at_once")
      local alice = hub:connect { user = "alice", groups = { "g" } }
      hub:call("POST", "/users/alice/:closeConnections")
      assert.equal(404, hub:call("HEAD", "/connections/" .. alice.id).status)
      assert.equal(404, hub:call("HEAD", "/users/alice").status)
      assert.equal(404, hub:call("HEAD", "/groups/g").status)
    end)

    it("ends the sentence early when there is no reason", function()
      local hub = server:hub("close_without_reason")
      local alice = hub:connect { user = "alice" }
      hub:call("POST", "/users/alice/:closeConnections")
      assert.equal("Application server closed the connection.", alice:receive().message)
    end)

    it("takes ids literally: a comma, a space or another case is part of the id", function()
      local hub = server:hub("close_exact")
      local alice = hub:connect { user = "alice" }
      local response = hub:call("POST", "/users/alice/:closeConnections?excluded=" .. alice.id:upper()
        .. "&excluded=x," .. alice.id .. "&excluded=%20" .. alice.id)
      assert.equal(204, response.status)
      assert.equal("disconnected", alice:receive().event)
    end)

    it("decodes an id once: %2F is a slash inside it, %252F is not", function()
      local hub = server:hub("close_slash")
      local slash, percent = hub:connect { user = "a/b" }, hub:connect { user = "a%2Fb" }
      assert.equal(204, hub:call("POST", "/users/a%2Fb/:closeConnections").status)
      assert.equal("disconnected", slash:receive().event)
      assert.truthy(percent:is_quiet())
    end)

    it("answers 204 for a user nobody is", function()
      assert.equal(204, server:call("POST", "/users/nobody/:closeConnections").status)
    end)

    it("closes everyone, or a group", function()
      local hub = server:hub("close_all")
      local member, stranger = hub:connect { groups = { "g" } }, hub:connect()
      assert.equal(204, hub:call("POST", "/groups/g/:closeConnections?reason=x").status)
      assert.equal("disconnected", member:receive().event)
      assert.truthy(stranger:is_quiet())
      assert.equal(204, hub:call("POST", "/:closeConnections?excluded=" .. stranger.id).status)
      assert.truthy(stranger:is_quiet())
      assert.equal(204, hub:call("POST", "/:closeConnections").status)
      assert.equal("disconnected", stranger:receive().event)
    end)

    it("closes one connection, also one that is gone", function()
      local hub = server:hub("close_one")
      local alice, bob = hub:connect(), hub:connect()
      assert.equal(204, hub:call("DELETE", "/connections/" .. alice.id .. "?reason=enough").status)
      assert.equal("Application server closed the connection. Reason: enough", alice:receive().message)
      assert.equal(204, hub:call("DELETE", "/connections/" .. alice.id).status)
      assert.truthy(bob:is_quiet())
    end)

    it("keeps hubs apart", function()
      local one, other = server:hub("close_here"), server:hub("close_there")
      local alice = other:connect { user = "alice" }
      assert.equal(204, one:call("POST", "/users/alice/:closeConnections").status)
      assert.equal(204, one:call("POST", "/:closeConnections").status)
      assert.equal(404, one:call("HEAD", "/connections/" .. alice.id).status)
      assert.truthy(alice:is_quiet())
    end)
  end)

  describe("existence", function()
    local function assert_missing(response, code)
      assert.equal(404, response.status)
      assert.equal(code, response.headers:get("x-ms-error-code"))
      assert.equal("", response.body)
      assert.truthy(tonumber(response.headers:get("content-length")) > 0)
    end

    it("tells connections, users and groups there are from those there are not", function()
      local hub = server:hub("exists")
      local alice = hub:connect { user = "alice", groups = { "g" } }
      assert.equal(200, hub:call("HEAD", "/connections/" .. alice.id).status)
      assert.equal(200, hub:call("HEAD", "/users/alice").status)
      assert.equal(200, hub:call("HEAD", "/groups/g").status)
      assert_missing(hub:call("HEAD", "/connections/x"), "Warning.Connection.NotExisted")
      assert_missing(hub:call("HEAD", "/users/x"), "Warning.User.NotExisted")
      assert_missing(hub:call("HEAD", "/groups/x"), "Warning.Group.NotExisted")
    end)
  end)

  describe("listing", function()
    local function ids_of(response)
      local ids = {}
      for index, member in ipairs(response.json.value) do
        ids[index] = member.connectionId
      end
      return ids
    end

    it("gives an empty list for a group nobody is in", function()
      local response = server:call("GET", "/groups/empty/connections")
      assert.equal(200, response.status)
      assert.equal('{"value":[]}', response.body)
    end)

    it("walks page by page, in order, with an absolute link to the next one", function()
      local hub = server:hub("list")
      local expected = {}
      for index = 1, 5 do
        expected[index] = hub:connect({ user = index == 1 and "first" or nil, groups = { "a b" } }).id
      end
      local response = hub:call("GET", "/groups/a%20b/connections?maxpagesize=2")
      assert.same({ { connectionId = expected[1], userId = "first" }, { connectionId = expected[2] } },
        response.json.value)
      local seen, pages = ids_of(response), 1
      while response.json.nextLink do
        local link = response.json.nextLink
        assert.equal(server.emulator.endpoint, link:sub(1, #server.emulator.endpoint))
        response = hub:signed("GET", link:sub(#server.emulator.endpoint + 1))
        assert.equal(200, response.status)
        for _, id in ipairs(ids_of(response)) do
          seen[#seen + 1] = id
        end
        pages = pages + 1
      end
      assert.same(expected, seen)
      assert.equal(3, pages)
    end)

    it("counts top down over the pages", function()
      local hub = server:hub("list_top")
      for _ = 1, 4 do
        hub:connect { groups = { "g" } }
      end
      local response = hub:call("GET", "/groups/g/connections?maxpagesize=2&top=3")
      assert.equal(2, #response.json.value)
      assert.truthy(response.json.nextLink:find("&top=1$"))
      response = hub:signed("GET", response.json.nextLink:sub(#server.emulator.endpoint + 1))
      assert.equal(1, #response.json.value)
      assert.is_nil(response.json.nextLink)
    end)

    it("refuses page sizes, totals and tokens that are not valid", function()
      assert_problem(server:call("GET", "/groups/g/connections?maxpagesize=0"), "maxpagesize")
      assert_problem(server:call("GET", "/groups/g/connections?maxpagesize=201"), "maxpagesize")
      assert_problem(server:call("GET", "/groups/g/connections?maxpagesize=ten"), "maxpagesize")
      assert_problem(server:call("GET", "/groups/g/connections?top=0"), "top")
      assert_problem(server:call("GET", "/groups/g/connections?continuationToken=made%20up"), "continuationToken")
    end)
  end)

  describe("tokens", function()
    local function generate(query)
      return server:hub("tokens"):call("POST", "/:generateToken" .. query)
    end

    it("makes a token with which a client connects", function()
      local hub = server:hub("tokens")
      local response = generate("?userId=alice&role=webpubsub.sendToGroup&role=webpubsub.joinLeaveGroup.g"
        .. "&group=g1&group=g2&minutesToExpire=5")
      assert.equal(200, response.status)
      local claims = auth.verify(server.emulator.key, response.json.token, hub:audience())
      assert.equal("alice", claims.sub)
      assert.same({ "webpubsub.sendToGroup", "webpubsub.joinLeaveGroup.g" }, claims.role)
      assert.same({ "g1", "g2" }, claims["webpubsub.group"])
      assert.equal(300, claims.exp - claims.iat)
      assert.equal("alice", hub:connect({ token = response.json.token }).greeting.userId)
    end)

    it("leaves out what was not asked for, and lasts an hour", function()
      local claims = auth.verify(server.emulator.key, generate("").json.token, server:hub("tokens"):audience())
      assert.equal(3600, claims.exp - claims.iat)
      assert.is_nil(claims.sub)
      assert.is_nil(claims.role)
      assert.is_nil(claims["webpubsub.group"])
    end)

    it("makes tokens for other types of clients", function()
      for client_type, path in pairs { MQTT = "clients/mqtt", socketio = "clients/socketio", Default = "client" } do
        local token = generate("?clientType=" .. client_type).json.token
        assert.truthy(auth.verify(server.emulator.key, token,
          ("%s/%s/hubs/tokens"):format(server.emulator.endpoint, path)))
      end
    end)

    it("refuses values that are not valid", function()
      assert_problem(generate("?minutesToExpire=0"), "minutesToExpire")
      assert_problem(generate("?minutesToExpire=soon"), "minutesToExpire")
      assert_problem(generate("?minutesToExpire=" .. math.maxinteger), "minutesToExpire")
      assert_problem(generate("?clientType=telnet"), "clientType")
    end)
  end)

  describe("its JSON", function()
    it("keeps the order of members and every digit of a number", function()
      assert.equal('{"b":1,"a":[true,null],"url":"a/b"}', tostring(json.object(
        "b", 1, "a", json.array { true, json.null }, "none", nil, "url", "a/b")))
      assert.equal('[1, {"x":"}\\""}]', json.member('{"a":{"data":2}, "d\\u0061ta" : [1, {"x":"}\\""}] }', "data"))
      assert.equal("12345678901234567890", json.member('{"n":12345678901234567890}', "n"))
      assert.is_nil(json.member("{ }", "n"))
    end)
  end)
end)
