-- The links between the pages of a listing: followed as they are, signed for what they are, and to nobody else.

require("webpubsub.client") -- gives every client its methods
local calls = require("spec.support.calls")
local cjson = require("cjson")
local driven = require("spec.support.driven")
local hs256 = require("spec.support.hs256")
local scripted_server = require("spec.support.scripted_server")
local steps = require("spec.support.steps")
local webpubsub = require("webpubsub")

local KEY = "the key of the service"
local FIRST = "/api/hubs/chat/groups/g/connections?api-version=2024-12-01"

local function page(link)
  return { status = 200, body = ('{"value":[]%s}'):format(link and ',"nextLink":' .. cjson.encode(link) or "") }
end

local function reply_page(link)
  return steps.reply(page(link))
end

-- Lists over a transport that sends nothing; returns the targets that were asked for.
local function targets_after(link, options)
  local client, transport = driven.client({ page(link), page() }, options)
  assert.is_nil(client:list_connections_in_group({ group = "g" })())
  local targets = {}
  for index, request in ipairs(transport.requests) do targets[index] = request.target end
  return targets
end

-- The error of following a link; nothing may have been sent after the first page.
local function refusal_of(link, options)
  local client, transport = driven.client({ page(link) }, options)
  local members = client:list_connections_in_group({ group = "g" })
  local err = calls.refusal(members)
  assert.are.equal(1, #transport.requests)
  assert.are.same({ "protocol", "list_connections_in_group", false }, { err.kind, err.operation, err.retryable })
  assert.are.equal(err.code, calls.refusal(members).code) -- and not another time either
  assert.are.equal(1, #transport.requests)
  return err
end

describe("the link to the next page", function()
  local same_service = {
    [calls.ENDPOINT .. "/any/path?x=1"] = "/any/path?x=1",
    [calls.ENDPOINT .. ":443/any/path"] = "/any/path",
    ["HTTPS://Contoso.WebPubSub.Azure.COM/Any/Path"] = "/Any/Path",
    [calls.ENDPOINT .. "/a%2fb/%7E/..c/[d]?d=%20+&e=%C3%BC&&f=/../"] = "/a%2fb/%7E/..c/[d]?d=%20+&e=%C3%BC&&f=/../",
  }
  for link, target in pairs(same_service) do
    it("is followed byte for byte within the service: " .. link, function()
      assert.are.same({ FIRST, target }, targets_after(link))
    end)
  end

  local foreign = {
    "https://evil.example" .. FIRST,
    "http://contoso.webpubsub.azure.com" .. FIRST,
    "https://contoso.webpubsub.azure.com:8443" .. FIRST,
    "https://contoso.webpubsub.azure.com:80" .. FIRST,
    "https://contoso.webpubsub.azure.com@evil.example" .. FIRST,
    "https://contoso.webpubsub.azure.com:443@evil.example" .. FIRST,
    "https://user@contoso.webpubsub.azure.com" .. FIRST,
    "https://contoso.webpubsub.azure.com.evil.example" .. FIRST,
    "https://evil.example/https://contoso.webpubsub.azure.com" .. FIRST,
    "https://evil.example\\@contoso.webpubsub.azure.com" .. FIRST,
    "https://contoso.webpubsub.azure.com." .. FIRST,
    "https://contoso.webpubsub.azure.com?.evil.example" .. FIRST,
    "https://contoso.webpubsub.azure.com#.evil.example" .. FIRST,
    "https://[::1]" .. FIRST,
    "ftp://contoso.webpubsub.azure.com" .. FIRST,
    "https:///contoso.webpubsub.azure.com" .. FIRST,
    "//contoso.webpubsub.azure.com" .. FIRST,
    FIRST,
    "?continuationToken=2",
    "connections?continuationToken=2",
    "javascript:alert(1)",
    "https://contoso.webpubsub.azure.com",
    "https://contoso.webpubsub.azure.com?x",
    calls.ENDPOINT .. "/a b",
    calls.ENDPOINT .. "/a\r\nX-Injected: 1",
    calls.ENDPOINT .. "/a\0b",
    calls.ENDPOINT .. "/a#b",
    calls.ENDPOINT .. "/ü",
    "x",
    "\0",
  }
  for _, link in ipairs(foreign) do
    it(("is not followed: %q"):format(link), function()
      local err = refusal_of(link)
      assert.is_true(err.code == "foreign_link" or err.code == "malformed", err.code)
      assert.is_nil(tostring(err):find("%c"))
    end)
  end

  for _, path in ipairs({ "/..", "/a/../b", "/./a", "/a/%2e%2E/b?c", "/%2E", "/a/.%2e?c", "/a/..\\b",
    "/..%2f", "/..%5c", "/..;/", "/a%2F..%2fb?c", "/a;..", "/%252e%252e/b", "/a%252f..", "/..%00", "/..%3f", "/..%23x",
  }) do
    it(("is not followed with dot segments, which can lead out of the service: %q"):format(path), function()
      for _, options in ipairs({ {}, { reverse_proxy = "https://proxy.example/behind/" } }) do
        local err = refusal_of(calls.ENDPOINT .. path, options)
        assert.are.equal("malformed", err.code)
        assert.is_truthy(err.message:find("dot segments", 1, true), err.message)
      end
    end)
  end

  it("is not followed where it is longer than any", function()
    assert.are.equal("too_large", refusal_of(calls.ENDPOINT .. "/" .. ("x"):rep(32 * 1024)).code)
    assert.are.equal("malformed", refusal_of(calls.ENDPOINT .. " /x").code)
  end)

  it("may lead to the service's own port and path only through its origin", function()
    local options = { endpoint = "http://localhost:8080/base" }
    assert.are.same({ "/base" .. FIRST, "/elsewhere" }, targets_after("http://localhost:8080/elsewhere", options))
    assert.are.equal("foreign_link", refusal_of("http://localhost/base" .. FIRST, options).code)
    assert.are.equal("foreign_link", refusal_of("http://127.0.0.1:8080/base" .. FIRST, options).code)
  end)
end)

describe("over the network,", function()
  local server, other

  setup(function()
    server = scripted_server.start()
    other = scripted_server.start()
  end)
  teardown(function()
    server:stop()
    other:stop()
  end)
  before_each(function()
    server:reset()
    other:reset()
  end)

  local function list(options)
    local all = { endpoint = server.origin, key = KEY, hub = "chat", proxy = false }
    for name, value in pairs(options or {}) do all[name] = value end
    return webpubsub.new(all):list_connections_in_group({ group = "g" })
  end

  local function claims_of(request)
    return hs256.verify(request.headers:get("Authorization"):match("^Bearer (.*)$"), KEY)
  end

  it("each page's request is signed for its own URL", function()
    local targets = { FIRST, "/api/hubs/chat/groups/g/connections?top=3&continuationToken=AB%2fcd%7E&x=%20+",
      "/some/..x/where/else" }
    server:script({ reply_page(server.origin .. targets[2]), reply_page(server.origin .. targets[3]), reply_page() })
    assert.is_nil(list()())
    local requests = server:requests()
    assert.are.equal(#targets, #requests)
    for index, request in ipairs(requests) do
      assert.are.same({ "GET", targets[index], "" }, { request.method, request.target, request.body })
      assert.are.equal(server.origin .. targets[index], claims_of(request).aud)
      assert.are.equal("application/json", request.headers:get("Accept"))
    end
  end)

  it("no token goes to another server, not even a connection", function()
    for _, origin in ipairs({
      other.origin,
      (other.origin:gsub("127.0.0.1", "localhost")),
      (server.origin:gsub("127.0.0.1", "user@127.0.0.1")),
      server.origin .. "@" .. other.host .. ":" .. other.port,
    }) do
      server:reset()
      local link = origin .. FIRST
      server:script({ reply_page(link) })
      assert.are.equal("foreign_link", calls.refusal(list()).code, link)
      assert.are.same({ 0, 1 }, { other:connections(), #server:requests() })
    end
  end)

  it("a redirect of a page is not followed either", function()
    server:script({ steps.reply({ status = 307, headers = { Location = other.origin .. FIRST } }) })
    local err = calls.refusal(list())
    assert.are.same({ "service", 307 }, { err.kind, err.status })
    assert.are.equal(0, other:connections())
  end)

  it("pages behind a reverse proxy are asked for there, and signed for the service", function()
    local service = "https://service.example"
    server:script({ reply_page(service .. "/page/2?x=1"), reply_page(service .. "/page/3"), reply_page() })
    assert.is_nil(list({ endpoint = service, reverse_proxy = server.origin .. "/base" })())
    local targets, audiences = {}, {}
    for index, request in ipairs(server:requests()) do
      targets[index], audiences[index] = request.target, claims_of(request).aud
    end
    assert.are.same({ "/base" .. FIRST, "/base/page/2?x=1", "/base/page/3" }, targets)
    assert.are.same({ service .. FIRST, service .. "/page/2?x=1", service .. "/page/3" }, audiences)
  end)

  it("a link to the reverse proxy itself is foreign: it does not say what to sign for", function()
    server:script({ reply_page(server.origin .. "/base" .. FIRST) })
    local members = list({ endpoint = "https://service.example", reverse_proxy = server.origin .. "/base" })
    assert.are.equal("foreign_link", calls.refusal(members).code)
    assert.are.equal(1, #server:requests())
  end)
end)
