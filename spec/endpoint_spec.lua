-- Where the service is: connection strings, endpoints, reverse proxies, hubs, and what is escaped in a URL.

local calls = require("spec.support.calls")
local core = require("webpubsub.core")

-- The service's base URL as a client has it.
local function base_of(options)
  local url = calls.prepare("service_status", nil, options):url()
  return (url:gsub("/api/health%?api%-version=2024%-12%-01$", ""))
end

local function refused(options)
  return calls.refusal(calls.client, options)
end

describe("a connection string", function()
  local function key_signs_like(connection_string, endpoint, key)
    local given = calls.outgoing("user_exists", { user = "alice" }, { connection_string = connection_string })
    local expected = calls.outgoing("user_exists", { user = "alice" }, { endpoint = endpoint, key = key })
    assert.are.equal(expected.headers.authorization, given.headers.authorization)
  end

  local accepted = {
    ["as the portal shows it"] = { "Endpoint=https://a.example;AccessKey=k;Version=1.0;", "https://a.example" },
    ["without its last semicolon"] = { "Endpoint=https://a.example;AccessKey=k", "https://a.example" },
    ["in any order"] = { "Version=1.0;AccessKey=k;Endpoint=https://a.example", "https://a.example" },
    ["with keys in any case"] = { "ENDPOINT=https://a.example;accesskey=k;vErSiOn=2;pOrT=81", "https://a.example:81" },
    ["with blanks around keys and values"] = { " Endpoint =\thttps://a.example ; AccessKey = k ; \r\n",
      "https://a.example" },
    ["with empty parts"] = { ";;Endpoint=https://a.example;; ;AccessKey=k;;", "https://a.example" },
    ["with a port"] = { "Endpoint=http://localhost;Port=8080;AccessKey=k;Version=1.0;", "http://localhost:8080" },
    ["with a port that replaces the endpoint's"] = { "Endpoint=https://a.example:1;Port=2;AccessKey=k",
      "https://a.example:2" },
    ["with the lowest port"] = { "Endpoint=https://a.example;Port=1;AccessKey=k", "https://a.example:1" },
    ["with the highest port"] = { "Endpoint=https://a.example;Port=65535;AccessKey=k", "https://a.example:65535" },
    ["without a scheme"] = { "Endpoint=a.example;AccessKey=k", "https://a.example" },
    ["with a slash at the end"] = { "Endpoint=https://a.example/;AccessKey=k", "https://a.example" },
    ["with a key that we do not know"] = { "Endpoint=https://a.example;Region=eu;AccessKey=k",
      "https://a.example" },
  }

  for name, case in pairs(accepted) do
    it("is taken " .. name, function()
      assert.are.equal(case[2], base_of({ connection_string = case[1] }))
      key_signs_like(case[1], case[2], "k")
    end)
  end

  it("may have = in its values", function()
    key_signs_like("Endpoint=https://a.example;AccessKey=a=b==;Version=1=0", "https://a.example", "a=b==")
  end)

  local malformed = {
    ["is empty"] = { "", "no Endpoint" },
    ["has no endpoint"] = { "AccessKey=k;Version=1.0;", "no Endpoint" },
    ["has an empty endpoint"] = { "Endpoint=;AccessKey=k", "no Endpoint" },
    ["has no key"] = { "Endpoint=https://a.example;Version=1.0", "no AccessKey" },
    ["has an empty key"] = { "Endpoint=https://a.example;AccessKey= ;", "no AccessKey" },
    ["has a part without ="] = { "Endpoint=https://a.example;AccessKey=k;Version", "without '='" },
    ["has a key twice"] = { "Endpoint=https://a.example;AccessKey=k;AccessKey=k", "twice" },
    ["has a key twice in two cases"] = { "Endpoint=https://a.example;AccessKey=k; endpoint =b", "twice" },
    ["has a key twice that is not used"] = { "Version=1;Endpoint=https://a.example;AccessKey=k;Version=1", "twice" },
    ["has port 0"] = { "Endpoint=https://a.example;AccessKey=k;Port=0", "1 to 65535" },
    ["has port 65536"] = { "Endpoint=https://a.example;AccessKey=k;Port=65536", "1 to 65535" },
    ["has a port beyond any integer"] = { "Endpoint=https://a.example;AccessKey=k;Port=99999999999999999999",
      "1 to 65535" },
    ["has a negative port"] = { "Endpoint=https://a.example;AccessKey=k;Port=-1", "1 to 65535" },
    ["has a port in hexadecimal"] = { "Endpoint=https://a.example;AccessKey=k;Port=0x50", "1 to 65535" },
    ["has an empty port"] = { "Endpoint=https://a.example;AccessKey=k;Port=", "1 to 65535" },
  }

  for name, case in pairs(malformed) do
    it("is refused when it " .. name, function()
      local err = refused({ connection_string = case[1] })
      assert.are.same({ "argument", "invalid", "connection_string" }, { err.kind, err.code, err.argument })
      assert.is_truthy(err.message:find(case[2], 1, true), err.message)
    end)
  end

  it("is never quoted in an error, nor is its key", function()
    local secret = "5ecr3t"
    local host = "h1dden.example"
    for _, text in ipairs({
      secret, host .. ";AccessKey=" .. secret, "AccessKey=" .. secret, "Endpoint=https://" .. host,
      "Endpoint=https://" .. host .. ";AccessKey=" .. secret .. ";AccessKey=" .. secret,
      "Endpoint=https://" .. host .. ";AccessKey=" .. secret .. ";" .. secret,
      "Endpoint=https://" .. host .. ";AccessKey=" .. secret .. ";Port=" .. secret,
      "Endpoint=https://" .. host .. ":" .. secret .. ";AccessKey=" .. secret,
      "Endpoint=https://" .. host .. "/" .. secret .. "?;AccessKey=" .. secret,
      "Endpoint=ftp://" .. host .. ";AccessKey=" .. secret,
      "Endpoint=https://" .. secret .. "@" .. host .. ";AccessKey=" .. secret,
      "Endpoint=http://" .. host .. ";AccessKey=" .. secret,
    }) do
      local said = calls.everything_said(refused({ connection_string = text }))
      assert.is_nil(said:find(secret, 1, true), said)
      assert.is_nil(said:find(host, 1, true), said)
    end
  end)
end)

describe("an endpoint", function()
  local accepted = {
    { "https://a.example", "https://a.example" },
    { "a.example", "https://a.example" },
    { "HTTPS://A.Example", "https://a.example" },
    { "  https://a.example\n", "https://a.example" },
    { "https://a.example:443", "https://a.example" },
    { "https://a.example:80", "https://a.example:80" },
    { "https://a.example:8443///", "https://a.example:8443" },
    { "http://localhost:80", "http://localhost" },
    { "http://localhost:443", "http://localhost:443" },
    { "https://[2001:DB8::1]", "https://[2001:db8::1]" },
    { "https://[2001:db8::1]:8443", "https://[2001:db8::1]:8443" },
    { "https://[::ffff:127.0.0.1]", "https://[::ffff:127.0.0.1]" },
    { "https://a_b-c.example", "https://a_b-c.example" },
    { "https://a.example/base/Path", "https://a.example/base/Path" },
    { "https://a.example/base%20path/", "https://a.example/base%20path" },
    { "https://a.example/.well-known/...x", "https://a.example/.well-known/...x" },
  }

  for _, case in ipairs(accepted) do
    it(("%q becomes %q"):format(case[1], case[2]), function()
      assert.are.equal(case[2], base_of({ endpoint = case[1] }))
    end)
  end

  local FORM = "must have the form https://host[:port][/path]"
  local malformed = {
    { "", FORM }, { "https://", FORM }, { "https:///path", FORM }, { "https://a b", FORM },
    { "https://user@a.example", FORM }, { "https://zo\195\171.example", FORM }, { "https://a\0b.example", FORM },
    { "https://a.example?x", FORM }, { "https://a.example#x", FORM }, { "https://[::1", "number from 1 to 65535" },
    { "https://[::1]x", FORM }, { "https://[g::1]", FORM }, { "https://[]", FORM }, { "https://a[b].example", FORM },
    { "ftp://a.example", "must begin with https:// or http://" },
    { "wss://a.example", "must begin with https:// or http://" },
    { "https://a.example:", "number from 1 to 65535" }, { "https://a.example:0", "number from 1 to 65535" },
    { "https://a.example:65536", "number from 1 to 65535" }, { "https://a.example:80a", "number from 1 to 65535" },
    { "https://::1", "number from 1 to 65535" }, { "https://user:pass@a.example", "number from 1 to 65535" },
    { "https://a.example/x?y", "no query" }, { "https://a.example/x#y", "no query" },
    { "https://a.example/x y", "no query" }, { "https://a.example/x\\y", "no query" },
    { "https://a.example/x\0y", "no query" }, { "https://a.example/zo\195\171", "no query" },
    { "https://a.example/%", "no query" }, { "https://a.example/%4", "no query" },
    { "https://a.example/%zz", "no query" },
    { "https://a.example/..", "dot segments" }, { "https://a.example/a/../b", "dot segments" },
    { "https://a.example/./b", "dot segments" }, { "https://a.example/a/.", "dot segments" },
    { "https://a.example/%2e%2E/b", "dot segments" }, { "https://a.example/.%2e/b", "dot segments" },
    { "https://a.example/a%2f..%2fb", "dot segments" }, { "https://a.example/a%5C%2e%2e", "dot segments" },
    { "https://a.example/..;/b", "dot segments" }, { "https://a.example/a/..;x=1/b", "dot segments" },
    { "https://a.example/..%3b/b", "dot segments" }, { "https://a.example/..%00/b", "dot segments" },
    { "https://a.example/%252e%252e/b", "dot segments" }, { "https://a.example/..%252fb", "dot segments" },
    { "https://a.example/.%0d%0a./b", "dot segments" },
  }

  for _, case in ipairs(malformed) do
    it(("%q is refused"):format(case[1]), function()
      local err = refused({ endpoint = case[1] })
      assert.are.same({ "argument", "invalid", "endpoint" }, { err.kind, err.code, err.argument })
      assert.is_truthy(err.message:find(case[2], 1, true), err.message)
    end)
  end

  it("longer than a URL can be is refused", function()
    assert.are.equal("invalid", refused({ endpoint = "https://" .. ("a"):rep(70000) .. ".example" }).code)
  end)
end)

describe("plain http", function()
  local loopback = { "http://localhost", "http://LOCALHOST:8080", "http://127.0.0.1:8080", "http://127.255.1.2",
    "http://[::1]:8080" }
  for _, endpoint in ipairs(loopback) do
    it("is allowed to this machine: " .. endpoint, function()
      assert.has_no.errors(function() calls.client({ endpoint = endpoint }) end)
    end)
  end

  local remote = { "http://a.example", "http://127.evil.example", "http://localhost.evil.example",
    "http://evil.example/localhost", "http://128.0.0.1", "http://127", "http://0.0.0.0", "http://[::2]",
    "http://1270.0.0.1", "http://localhost_",
    "http://127.0.0.256", "http://127.0.0.1.1", "http://127....", "http://127.0.0.", "http://127.0.0.01",
    "http://127.1", "http://127.0.0.1.", "http://127.0.0.1000", "http://127..0.1", "http://[::2]:80" }
  for _, endpoint in ipairs(remote) do
    it("needs allow_http to another machine: " .. endpoint, function()
      local err = refused({ endpoint = endpoint })
      assert.are.same({ "argument", "invalid", "endpoint" }, { err.kind, err.code, err.argument })
      assert.is_truthy(err.message:find("allow_http = true", 1, true), err.message)
      assert.are.equal("invalid", refused({ endpoint = endpoint, allow_http = false }).code)
      assert.has_no.errors(function() calls.client({ endpoint = endpoint, allow_http = true }) end)
    end)
  end

  it("is refused with a credential wherever it leads", function()
    for _, endpoint in ipairs({ "http://localhost", "http://a.example" }) do
      local err = refused({ endpoint = endpoint, credential = function() end, allow_http = true })
      assert.are.equal("endpoint", err.argument)
      assert.is_truthy(err.message:find("must be https://", 1, true), err.message)
    end
  end)

  it("is judged by the machine that is contacted, which is the reverse proxy", function()
    assert.has_no.errors(function()
      calls.client({ endpoint = "http://a.example", reverse_proxy = "https://proxy.example" })
    end)
    local err = refused({ reverse_proxy = "http://proxy.example" })
    assert.are.same({ "invalid", "reverse_proxy" }, { err.code, err.argument })
    assert.are.equal("reverse_proxy",
      refused({ reverse_proxy = "http://localhost", credential = function() end }).argument)
  end)
end)

describe("plain http through a proxy", function()
  local remote = { "http://proxy.example:3128", "https://proxy.example", "socks5h://10.0.0.1", "http://127.0.0.256",
    "http://127.0.0.1@proxy.example", "http://u:p@proxy.example#@127.0.0.1", "http://proxy.example/@localhost",
    "http://proxy.example?@localhost", "http://localhost:80:80", "http://localhost.proxy.example" }
  for _, proxy in ipairs(remote) do
    it("needs allow_http where that is another machine: " .. proxy, function()
      for _, options in ipairs({ { endpoint = "http://localhost:8080" }, { reverse_proxy = "http://127.0.0.1" } }) do
        options.proxy = proxy
        local err = refused(options)
        assert.are.same({ "argument", "invalid", "proxy" }, { err.kind, err.code, err.argument })
        assert.is_truthy(err.message:find("allow_http = true", 1, true), err.message)
        assert.is_nil(err.message:find("proxy.example", 1, true))
        options.allow_http = true
        assert.has_no.errors(function() calls.client(options) end)
      end
      assert.has_no.errors(function() calls.client({ proxy = proxy }) end)
    end)
  end

  for _, proxy in ipairs({ "http://localhost:3128", "http://u:p@127.0.0.1:3128/", "socks5://[::1]:1080",
    "https://LOCALHOST", false }) do
    it("is allowed where that is this machine, or none: " .. tostring(proxy), function()
      assert.has_no.errors(function() calls.client({ endpoint = "http://127.0.0.1:8080", proxy = proxy }) end)
    end)
  end
end)

describe("a reverse proxy", function()
  local function outgoing(proxy)
    return calls.outgoing("user_exists", { user = "alice" }, { reverse_proxy = proxy })
  end
  local path = "/api/hubs/chat/users/alice?api-version=2024-12-01"

  it("is contacted instead of the service", function()
    assert.are.equal("https://proxy.example:8443",
      core.origin(calls.client({ reverse_proxy = "https://proxy.example:8443/base/" })))
    assert.are.equal(calls.ENDPOINT, core.origin(calls.client()))
  end)

  it("has its own path in front of the service's", function()
    assert.are.equal(path, outgoing("https://proxy.example").target)
    assert.are.equal("/base/path" .. path, outgoing("https://proxy.example/base/path/").target)
  end)

  it("keeps the service's own base path", function()
    local sent = calls.outgoing("user_exists", { user = "alice" },
      { endpoint = "https://a.example/tenant", reverse_proxy = "https://proxy.example/base" })
    assert.are.equal("/base/tenant" .. path, sent.target)
  end)

  it("leaves the URL that is signed as it was", function()
    local claims = calls.token_of(outgoing("https://proxy.example/base").block).claims
    assert.is_truthy(claims:find('"aud":"' .. calls.ENDPOINT .. path .. '"', 1, true), claims)
    local call = calls.prepare("user_exists", { user = "alice" }, { reverse_proxy = "https://proxy.example/base" })
    assert.are.equal(calls.ENDPOINT .. path, call:url())
  end)

  it("is held to the rules of an endpoint", function()
    for _, proxy in ipairs({ "", "ftp://proxy.example", "https://proxy.example/../x", "https://proxy.example?x",
      "https://proxy.example/a%2f..%2fb", "https://proxy.example/..;/b" }) do
      local err = refused({ reverse_proxy = proxy })
      assert.are.same({ "argument", "invalid", "reverse_proxy" }, { err.kind, err.code, err.argument })
    end
  end)
end)

describe("escaping", function()
  local function escaped(text)
    return calls.prepare("close_all_connections", { reason = text }):url():match("&reason=(.*)$")
  end

  it("leaves only the unreserved characters as they are", function()
    for code = 0x20, 0x7e do
      local byte = string.char(code)
      assert.are.equal(byte:find("^[A-Za-z0-9._~-]$") and byte or ("%%%02X"):format(code), escaped(byte))
    end
  end)

  it("is the same in a path", function()
    for code = 0x20, 0x7e do
      local byte = string.char(code)
      local path = calls.prepare("user_exists", { user = "x" .. byte }):url():match("/users/x(.*)%?api%-version")
      assert.are.equal(escaped(byte), path)
    end
  end)

  it("escapes every byte of UTF-8", function()
    assert.are.equal("%C3%A9%E2%82%AC%F0%9F%98%80", escaped("é€😀"))
  end)

  it("escapes what is escaped already once more", function()
    assert.are.equal("%252F", escaped("%2F"))
  end)

  it("escapes control bytes where text may have them", function()
    assert.are.equal("%00%0D%0A%7F", escaped("\0\r\n\127"))
  end)
end)

describe("a hub", function()
  local accepted = { "a", "Z", "chat", "Chat_1", "a`,.[]", "a" .. ("b"):rep(127) }
  for _, hub in ipairs(accepted) do
    it("may be called " .. hub, function()
      local expected = hub:gsub("[`,%[%]]", function(byte) return ("%%%02X"):format(byte:byte()) end)
      assert.are.equal(calls.ENDPOINT .. "/api/hubs/" .. expected .. "/:closeConnections?api-version=2024-12-01",
        calls.prepare("close_all_connections", nil, { hub = hub }):url())
    end)
  end

  local malformed = { "1a", "_a", ".", "..", "a b", "a/b", "a-b", "a%2e", "a\0", "a\n", "zo\195\171",
    "a" .. ("b"):rep(128) }
  for _, hub in ipairs(malformed) do
    it(("may not be called %q"):format(hub), function()
      local err = refused({ hub = hub })
      assert.are.same({ "argument", "invalid", "hub" }, { err.kind, err.code, err.argument })
      assert.is_truthy(err.message:find("1 to 128 characters", 1, true), err.message)
    end)
  end

  it("may not be empty or missing", function()
    assert.are.equal("empty", refused({ hub = "" }).code)
    local err = calls.refusal(core.client, { endpoint = calls.ENDPOINT, key = calls.KEY })
    assert.are.same({ "missing", "hub" }, { err.code, err.argument })
  end)
end)
