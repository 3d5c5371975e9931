-- The options of a client and of one call's context, as the C side reads them; and how a client is called.

local calls = require("spec.support.calls")
local cjson = require("cjson")
local core = require("webpubsub.core")
local driven = require("spec.support.driven")
local process = require("spec.support.process")
require("webpubsub.client") -- its methods

local function refused(options)
  local err = calls.refusal(calls.client, options)
  assert.are.same({ "argument", "new" }, { err.kind, err.operation })
  return err
end

local function refused_context(context)
  local err = calls.refusal(calls.prepare, "close_all_connections", { context = context })
  assert.are.same({ "argument", "close_all_connections" }, { err.kind, err.operation })
  return err
end

local function headers_sent(options, context)
  return calls.outgoing("close_all_connections", { context = context }, options).headers
end

describe("an option", function()
  local types = {
    connection_string = "a string", endpoint = "a string", key = "a string", credential = "a function",
    hub = "a string", reverse_proxy = "a string", allow_http = "a boolean", timeout = "a number",
    attempt_timeout = "a number", connect_timeout = "a number", retries = "a number", retry = "a table",
    headers = "a table", user_agent = "a string", policies = "a table", logger = "a function", log_ids = "a boolean",
    ca_file = "a string", client_cert = "a string", client_key = "a string", client_key_password = "a string",
    proxy = "a string or false", max_response_bytes = "a number", max_header_bytes = "a number",
    max_url_bytes = "a number", max_connections = "a number", idle_timeout = "a number",
    max_connection_age = "a number",
  }
  for name, expected in pairs(types) do
    it(name .. " must be " .. expected, function()
      for actual, value in pairs({ string = "x", number = 7, boolean = true, ["function"] = print, table = {},
        userdata = io.stdout, thread = coroutine.create(function() end) }) do
        if not expected:find(actual, 1, true) then
          local err = calls.refusal(core.client, { [name] = value })
          assert.are.same({ "type", name }, { err.code, err.argument })
          assert.are.equal(("%s must be %s; it is a %s"):format(name, expected, actual), err.message)
        end
      end
    end)
  end

  it("key that OpenSSL refuses is named, and not called a want of memory", function()
    local configuration = os.tmpname()
    local file = assert(io.open(configuration, "w"))
    assert(file:write("openssl_conf = all\n[all]\nproviders = list\n[list]\nbase = without_hmac\n[without_hmac]\n"
      .. "activate = 1\n"))
    file:close()
    local child = process.run_lua([[
      local ok, err = pcall(require("webpubsub").new, { endpoint = "https://a.example", key = "5ecr3t", hub = "h" })
      print(ok, type(err), err.kind, err.code, err.argument, err.operation)
      print((err.message:gsub("%(.*", "")))
    ]], { env = { OPENSSL_CONF = configuration } })
    os.remove(configuration)
    assert.are.same({ 0, "" }, { child.code, child.stderr })
    assert.are.equal("false\ttable\targument\tinvalid\tkey\tnew\nOpenSSL, as it is configured, cannot sign with the "
      .. "key \n", child.stdout)
  end)

  it("that is unknown is refused, with the nearest known one", function()
    for given, meant in pairs({ end_point = "endpoint", connectionString = "connection_string", Hub = "hub",
      retires = "retries", use_agent = "user_agent", credentials = "credential" }) do
      local err = refused({ [given] = "x" })
      assert.are.same({ "unknown", given }, { err.code, err.argument })
      assert.is_truthy(err.message:find(('has no "%s"; did you mean "%s"?'):format(given, meant), 1, true), err.message)
    end
    assert.is_nil(refused({ xyzzy = 1 }).message:find("did you mean", 1, true))
  end)

  it("needs a name", function()
    assert.are.equal("unknown", refused({ "Endpoint=https://a.example;AccessKey=k" }).code)
    assert.are.equal("unknown", refused({ [true] = 1 }).code)
  end)

  it("that is a null of lua-cjson is absent", function()
    local options = {}
    for name in pairs(types) do options[name] = cjson.null end
    options.endpoint, options.key, options.hub = "https://a.example", "k", "h"
    assert.has_no.errors(function() core.client(options) end)
    assert.are.equal("missing", refused({ hub = cjson.null }).code)
  end)

  it("is one of a table", function()
    for _, options in ipairs({ "Endpoint=https://a.example;AccessKey=k", 42, true }) do
      assert.are.same({ "argument", "type" }, { calls.refusal(core.client, options).kind,
        calls.refusal(core.client, options).code })
    end
    assert.are.equal("type", calls.refusal(core.client).code)
  end)

  it("table is never changed, nor read later", function()
    local options = { endpoint = "https://a.example", key = "k", hub = "h", headers = { ["X-A"] = "1" },
      retry = { statuses = { 503 } } }
    local client = core.client(options)
    assert.are.same({ endpoint = "https://a.example", key = "k", hub = "h", headers = { ["X-A"] = "1" },
      retry = { statuses = { 503 } } }, options)
    options.headers["X-A"], options.endpoint = "2", "https://b.example"
    assert.are.equal("1", core.prepare(client, "service_status"):header("x-a"))
    assert.are.equal("https://a.example", core.origin(client))
  end)
end)

describe("who the client is", function()
  local STRING = "Endpoint=https://a.example;AccessKey=k"
  local conflicts = {
    ["connection_string and endpoint"] = { { connection_string = STRING, endpoint = "https://a.example" },
      "connection_string", "invalid" },
    ["connection_string and key"] = { { connection_string = STRING, key = "k" }, "connection_string", "invalid" },
    ["connection_string and credential"] = { { connection_string = STRING, credential = print }, "connection_string",
      "invalid" },
    ["nothing"] = { {}, "connection_string", "missing" },
    ["a key alone"] = { { key = "k" }, "connection_string", "missing" },
    ["an endpoint alone"] = { { endpoint = "https://a.example" }, "key", "missing" },
    ["endpoint, key and credential"] = { { endpoint = "https://a.example", key = "k", credential = print }, "key",
      "invalid" },
    ["an empty key"] = { { endpoint = "https://a.example", key = "" }, "key", "empty" },
  }
  for what, case in pairs(conflicts) do
    it("is not said by " .. what, function()
      case[1].hub = "h"
      local err = calls.refusal(core.client, case[1])
      assert.are.same({ "argument", case[2], case[3] }, { err.kind, err.argument, err.code })
    end)
  end

  it("is said by a connection string, or an endpoint with a key or a credential", function()
    for _, options in ipairs({ { connection_string = STRING }, { endpoint = "https://a.example", key = "k" },
      { endpoint = "https://a.example", credential = print } }) do
      options.hub = "h"
      local client = core.client(options)
      assert.are.equal("https://a.example", core.origin(client))
      assert.are.equal(options.credential == nil, core.has_key(client))
    end
  end)

  it("never has its key in an error", function()
    for _, wrong in ipairs({ { hub = "" }, { endpoint = "ftp://x" }, { credential = print }, { timeout = -1 },
      { connection_string = "x" }, { nonsense = 1 } }) do
      local options = { endpoint = "https://a.example", key = "5ecr3t", hub = "h" }
      for name, value in pairs(wrong) do options[name] = value end
      local said = calls.everything_said(calls.refusal(core.client, options))
      assert.is_nil(said:find("5ecr3t", 1, true), said)
    end
  end)
end)

describe("a limit", function()
  local limits = {
    timeout = { 0.001, 86400, unit = " s" }, attempt_timeout = { 0.001, 86400, unit = " s" }, retries = { 0, 100 },
    ["retry.retries"] = { 0, 100 }, ["retry.delay"] = { 0, 86400, unit = " s" }, ["retry.factor"] = { 1, 100 },
    ["retry.jitter"] = { 0, 1 }, ["retry.max_delay"] = { 0, 86400, unit = " s" },
  }
  for path, range in pairs(limits) do
    local name = path:match("[^.]+$")
    local function with(value)
      return path == name and { [name] = value } or { retry = { [name] = value } }
    end

    it(path .. " takes both its ends, in the options and in the context", function()
      for _, value in ipairs(range) do
        assert.has_no.errors(function()
          calls.client(with(value))
          calls.prepare("close_all_connections", { context = with(value) })
        end)
      end
    end)

    it(path .. " refuses what is beyond them", function()
      for _, value in ipairs({ range[1] - 1, range[2] * 1.01 + 1, 0 / 0, 1 / 0, -1 / 0 }) do
        for _, err in ipairs({ refused(with(value)), refused_context(with(value)) }) do
          assert.are.same({ "invalid", name }, { err.code, err.argument })
          local expected = ("%s must be from %g to %g%s; it is "):format(name, range[1], range[2], range.unit or "")
          assert.are.equal(expected, err.message:sub(1, #expected))
        end
      end
    end)

    it(path .. " is a number, not a text", function()
      for _, err in ipairs({ refused(with("5")), refused_context(with("5")) }) do
        assert.are.same({ "type", name }, { err.code, err.argument })
      end
    end)
  end

  it("that counts is whole", function()
    assert.are.same({ "invalid", "retries" }, { refused({ retries = 1.5 }).code, refused({ retries = 1.5 }).argument })
    assert.are.equal("invalid", refused_context({ retry = { retries = 0.1 } }).code)
  end)

  it("of the context replaces that of the client, and leaves the client's", function()
    local client = calls.client({ attempt_timeout = 7 })
    local function seconds(context)
      local call = core.prepare(client, "service_status", { context = context })
      call:begin(0)
      call:token(0)
      return (select(5, call:outgoing()))
    end
    assert.are.equal(3, seconds({ attempt_timeout = 3 }))
    assert.are.equal(7, seconds())
  end)

  it("retries stands before that in retry", function()
    local call = calls.prepare("service_status", nil, { retries = 0, retry = { retries = 5 } })
    call:begin(0)
    call:token(0)
    assert.are.equal("done", calls.respond(call, 0, 0, 0, 503, "", ""))
  end)

  it("in retry that is unknown is refused", function()
    local err = refused({ retry = { max_dealy = 1 } })
    assert.are.same({ "unknown", "max_dealy" }, { err.code, err.argument })
    assert.is_truthy(err.message:find('did you mean "max_delay"?', 1, true), err.message)
  end)

  it("statuses is a list of at most 16", function()
    local sixteen = {}
    for index = 1, 16 do sixteen[index] = 500 + index end
    assert.has_no.errors(function() calls.client({ retry = { statuses = sixteen } }) end)
    assert.has_no.errors(function() calls.client({ retry = { statuses = { 100, 599 } } }) end)
    sixteen[17] = 517
    for _, statuses in ipairs({ sixteen, { 99 }, { 600 }, { 503.5 }, { "503" }, { true }, { 503, nil, 504 },
      { code = 503 }, { 503, code = 504 }, { 0 / 0 } }) do
      local err = refused({ retry = { statuses = statuses } })
      assert.are.same({ "invalid", "statuses" }, { err.code, err.argument })
      assert.is_truthy(err.message:find("at most 16 HTTP statuses, 100 to 599", 1, true), err.message)
    end
  end)
end)

describe("the context of a call", function()
  it("has its own options only", function()
    for _, name in ipairs({ "endpoint", "key", "hub", "logger", "user_agent" }) do
      assert.are.same({ "unknown", name }, { refused_context({ [name] = "x" }).code,
        refused_context({ [name] = "x" }).argument })
    end
    local err = refused_context({ timout = 5 })
    assert.is_truthy(err.message:find('context has no "timout"; did you mean "timeout"?', 1, true), err.message)
  end)

  it("is checked for types", function()
    for name, value in pairs({ timeout = "5", retries = "1", headers = "x", request_id = 42, cancel = true,
      no_throw = 1, classify = "retry", policies = print, retry = 3 }) do
      local err = refused_context({ [name] = value })
      assert.are.same({ "type", name }, { err.code, err.argument })
    end
  end)

  it("may name the request, without control bytes", function()
    assert.are.equal("id 1", headers_sent(nil, { request_id = "id 1" })["x-ms-client-request-id"])
    assert.are.equal("empty", refused_context({ request_id = "" }).code)
    for _, id in ipairs({ "a\r\nX: b", "a\0", "\127" }) do
      local err = refused_context({ request_id = id })
      assert.are.same({ "invalid", "request_id" }, { err.code, err.argument })
    end
  end)
end)

describe("headers", function()
  it("of the client go with every call", function()
    assert.are.equal("1", headers_sent({ headers = { ["X-A"] = "1" } })["x-a"])
  end)

  it("of one call go with that call", function()
    local client = calls.client()
    assert.are.equal("1",
      core.prepare(client, "service_status", { context = { headers = { ["X-A"] = "1" } } }):header("X-A"))
    assert.is_nil(core.prepare(client, "service_status"):header("X-A"))
  end)

  it("may have any value without control bytes, tabs excepted", function()
    for _, value in ipairs({ "", "a: b", "\t", "zoë", "\255", '"' }) do
      local block = calls.outgoing("service_status", { context = { headers = { ["X-A"] = value } } }).block
      assert.is_truthy(block:find("\r\nX-A: " .. value .. "\r\n", 1, true), block)
    end
  end)

  local bad = {
    { { ["X-A"] = "a\r\nX-B: b" }, "invalid" }, { { ["X-A"] = "a\nb" }, "invalid" }, { { ["X-A"] = "a\0" }, "invalid" },
    { { ["X-A"] = "\127" }, "invalid" }, { { [""] = "a" }, "invalid" }, { { ["a b"] = "a" }, "invalid" },
    { { ["a:"] = "a" }, "invalid" }, { { ["a\r\nb"] = "a" }, "invalid" }, { { ["\195\171"] = "a" }, "invalid" },
    { { ["a\0"] = "a" }, "invalid" }, { { Host = "a" }, "invalid" }, { { host = "a" }, "invalid" },
    { { ["Content-Length"] = "0" }, "invalid" }, { { ["transfer-encoding"] = "chunked" }, "invalid" },
    { { Connection = "close" }, "invalid" }, { { Expect = "100-continue" }, "invalid" },
    { { ["X-MS-Client-Request-Id"] = "a" }, "invalid" }, { { authorization = "Bearer a" }, "invalid" },
    { { ["X-A"] = 42 }, "type" }, { { ["X-A"] = true }, "type" }, { { "X-A: 1" }, "type" },
  }
  for _, case in ipairs(bad) do
    local name, value = next(case[1])
    it(("may not be [%q] = %q"):format(tostring(name), tostring(value)), function()
      for _, err in ipairs({ refused({ headers = case[1] }), refused_context({ headers = case[1] }) }) do
        assert.are.equal(case[2], err.code)
      end
    end)
  end

  it("that cannot be set are said to follow from something else", function()
    assert.is_truthy(refused({ headers = { HOST = "a" } }).message:find("it follows from the endpoint", 1, true))
    assert.is_truthy(refused({ headers = { ["x-ms-client-request-id"] = "a" } }).message
      :find("set request_id in the context", 1, true))
    assert.is_truthy(refused({ headers = { Authorization = "a" } }).message:find("use key or credential", 1, true))
  end)

  it("have a limit, which nothing makes them forget", function()
    local headers = { ["User-Agent"] = "mine", ["user-agent"] = "mine", ["USER-AGENT"] = "mine" }
    for index = 1, 40 do headers["X-" .. index] = ("x"):rep(2000) end
    for _, err in ipairs({ refused({ headers = headers }), refused_context({ headers = headers }) }) do
      assert.is_truthy(err.message:find("headers is longer than 65536 bytes", 1, true), err.message)
    end
  end)

  it("that are too long name no value of theirs", function()
    local said = calls.everything_said(refused({ headers = { ["X-A"] = "5ecr3t\1" } }))
    assert.is_nil(said:find("5ecr3t", 1, true), said)
  end)
end)

describe("user_agent", function()
  local ours = ("lua-webpubsub/%s (%s)"):format(core.version, _VERSION)

  it("stands before ours", function()
    assert.are.equal("shop/1.2 " .. ours, headers_sent({ user_agent = "shop/1.2" })["user-agent"])
    assert.are.equal(ours, headers_sent({ user_agent = "" })["user-agent"])
    assert.are.equal(ours, headers_sent()["user-agent"])
  end)

  it("has no control bytes", function()
    assert.are.equal("invalid", refused({ user_agent = "shop\r\nX: y" }).code)
  end)

  it("may be replaced as a header", function()
    assert.are.equal("mine", headers_sent({ headers = { ["user-agent"] = "mine" } })["user-agent"])
  end)
end)

describe("a client", function()
  it("prints hub and endpoint, and never its key", function()
    assert.are.equal("webpubsub client of hub chat at https://contoso.webpubsub.azure.com", tostring(calls.client()))
    assert.are.equal("webpubsub client of hub chat at https://contoso.webpubsub.azure.com through "
      .. "https://proxy.example/base", tostring(calls.client({ reverse_proxy = "https://proxy.example/base" })))
    assert.is_nil(tostring(calls.client({ key = "5ecr3t" })):find("5ecr3t", 1, true))
  end)

  it("has a method for every operation", function()
    local client = calls.client()
    for _, operation in ipairs(core.operations()) do
      assert.are.equal("function", type(client[operation.name]), operation.name)
    end
    assert.is_false(pcall(function() return client.no_such_operation end))
  end)

  it("called with a dot instead of a colon says so", function()
    local client = driven.client()
    for _, mistake in ipairs({ function() client.close_user_connections({ user = "alice" }) end,
      function() client.close_user_connections() end, function() client.close_user_connections(io.stdout) end,
      function() client.close_user_connections("alice") end }) do
      local err = calls.refusal(mistake)
      assert.are.same({ "argument", "type", "client" }, { err.kind, err.code, err.argument })
      assert.are.equal("close_user_connections is a method: write client:close_user_connections{ ... } with a colon",
        err.message)
    end
    assert.is_truthy(calls.refusal(client.set_key, "key").message:find("client:set_key", 1, true))
  end)

  it("returns the response of a method, and raises its error", function()
    local client = driven.client({ { status = 204 }, { status = 403, body = '{"code":"E"}' } })
    assert.are.equal(204, client:close_user_connections({ user = "alice" }).status)
    local err = calls.refusal(client.close_user_connections, client, { user = "alice" })
    assert.are.same({ "service", "E", "close_user_connections" }, { err.kind, err.code, err.operation })
  end)

  it("says whether something exists, and returns the response as well", function()
    local client = driven.client({ { status = 200 }, { status = 404 }, { status = 403 }, { status = 403 } })
    local exists, response = client:user_exists({ user = "alice" })
    assert.are.same({ true, 200, true }, { exists, response.status, response.exists })
    exists, response = client:user_exists({ user = "alice" })
    assert.are.same({ false, 404, false }, { exists, response.status, response.exists })
    exists, response = client:user_exists({ user = "alice", context = { no_throw = true } })
    assert.is_nil(exists)
    assert.are.same({ 403, true }, { response.status, response.is_error })
    assert.are.equal(403, calls.refusal(client.user_exists, client, { user = "alice" }).status)
  end)

  it("takes a new key between two calls", function()
    local client, transport = driven.client({ {}, {} }, { key = "old" })
    client:close_all_connections({ context = { request_id = "a" } })
    client:set_key("new")
    client:close_all_connections({ context = { request_id = "a" } })
    assert.are_not.equal(transport.requests[1].headers.authorization, transport.requests[2].headers.authorization)
  end)

  it("may be collected while a call of it is under way", function()
    local call = calls.sending("user_exists", { user = "alice" })
    collectgarbage()
    collectgarbage()
    calls.respond(call, 0, calls.WALL, 0.5, 503, "", "")
    call:resume(5)
    assert.are.equal("send", call:sign(5, calls.WALL))
  end)
end)

describe("an option", function()
  local options = { endpoint = "https://h", key = "k", hub = "h" }
  local function refusal(name, value)
    local all = { [name] = value }
    for key, known in pairs(options) do all[key] = known end
    return calls.refusal(core.client, all)
  end

  it("that is a number has a range, and the error says it", function()
    for _, option in ipairs(core.options("new")) do
      if option.minimum then
        for _, value in ipairs { option.minimum - 1, option.maximum * 2, 0 / 0, 1 / 0 } do
          local err = refusal(option.name, value)
          assert.are.same({ "argument", "invalid", option.name }, { err.kind, err.code, err.argument })
          assert.is_truthy(err.message:find(("%.14g"):format(option.maximum), 1, true), err.message)
        end
      end
    end
  end)

  it("that is a whole number takes no other", function()
    assert.are.equal("max_response_bytes must be a whole number from 1 to 2147483647 bytes; it is 1.5",
      refusal("max_response_bytes", 1.5).message)
  end)

  it("that names a file or a proxy is not empty and has no NUL", function()
    for _, name in ipairs { "ca_file", "client_cert", "client_key", "client_key_password", "proxy" } do
      assert.are.same({ "empty", name }, { refusal(name, "").code, refusal(name, "").argument })
      assert.are.equal(name .. " must not have a NUL byte", refusal(name, "a\0b").message)
    end
    assert.are.equal("proxy must be a string or false; it is a boolean", refusal("proxy", true).message)
  end)

  it("says of itself what it is, its default, its unit and where it works", function()
    for _, place in ipairs { "new", "context", "retry", "client_access_url", "each" } do
      for _, option in ipairs(core.options(place)) do
        assert.is_true(#option.doc > 0 and #option.annotation > 0, option.name)
      end
    end
  end)
end)
