-- What the program `webpubsub` sends for what was typed, and how it prints what comes back.

local cjson = require("cjson")
local program = require("spec.support.program")
local scripted_server = require("spec.support.scripted_server")
local steps = require("spec.support.steps")

local reply = steps.reply
local JSON = { ["Content-Type"] = "application/json" }

local server

setup(function() server = scripted_server.start() end)
teardown(function() server:stop() end)
before_each(function() server:reset() end)

local function run(words, stdin)
  local all = { "--endpoint", server.origin, "--key", "k", "--hub", "chat" }
  for _, word in ipairs(words) do all[#all + 1] = word end
  return program.run(all, { stdin = stdin })
end

-- The request that a command line makes.
local function request_of(words, stdin)
  server:script({ default = reply({ status = 204 }) })
  local result = run(words, stdin)
  assert.are.same({ 0, "" }, { result.code, result.stderr })
  local requests = server:requests()
  assert.are.equal(1, #requests)
  return requests[1]
end

describe("the request", function()
  it("has every option in it", function()
    local request = request_of({ "send-to-group", "the news", "--excluded", "a,b", "--excluded", "c", "--filter",
      "userId eq 'x'", "--ttl", "5", "--content", "hi", "--content-type", "binary", "--header", "X-Tenant:  blue",
      "--header", "X-Other:", "--request-id", "r-1" })
    assert.are.equal("POST", request.method)
    assert.are.equal("/api/hubs/chat/groups/the%20news/:send?api-version=2024-12-01&excluded=a%2Cb&excluded=c"
      .. "&filter=userId%20eq%20%27x%27&messageTtlSeconds=5", request.target)
    assert.are.same({ "application/octet-stream", "blue", "", "r-1", "hi" }, { request.headers:get("content-type"),
      request.headers:get("x-tenant"), request.headers:get("x-other"), request.headers:get("x-ms-client-request-id"),
      request.body })
  end)

  it("has the path's parameters where they belong when one of them comes from a list", function()
    server:script({ default = reply({ status = 200 }) })
    run({ "add-user-to-group", "news", "--users-from", "-" }, "alice\n")
    run({ "add-user-to-group", "alice", "--groups-from", "-" }, "news\n")
    run({ "add-user-to-group", "alice", "news" })
    for _, request in ipairs(server:requests()) do
      assert.are.equal("/api/hubs/chat/users/alice/groups/news?api-version=2024-12-01", request.target)
    end
    assert.are.equal(3, #server:requests())
  end)

  it("has lists of the body in it", function()
    local request = request_of({ "add-connections-to-groups", "--group", "a", "--group", "b", "--filter", "f" })
    assert.are.same({ groups = { "a", "b" }, filter = "f" }, cjson.decode(request.body))
  end)

  it("is retried as often as wished", function()
    server:script({ default = reply({ status = 503, headers = { ["Retry-After"] = 0 } }) })
    assert.are.equal(4, run({ "close-all-connections", "--retries", "0" }).code)
    assert.are.equal(1, #server:requests())
    assert.are.equal(4, run({ "close-all-connections", "--timeout", "0.1" }).code) -- the wait would end too late
    assert.are.equal(2, #server:requests())
  end)

  it("waits as long as wished", function()
    server:script({ default = steps.silence() })
    local result = run({ "close-all-connections", "--retries", "0", "--attempt-timeout", "0.05" })
    assert.are.equal(3, result.code)
    assert.is_truthy(result.stderr:find("(timeout attempt_timeout, 1 attempt", 1, true), result.stderr)
  end)

  it("goes to the reverse proxy, signed for the endpoint", function()
    server:script({ default = reply({ status = 204 }) })
    local result = program.run({ "--endpoint", "https://contoso.webpubsub.azure.com", "--key", "k", "--hub", "chat",
      "--reverse-proxy", server.origin .. "/base", "close-all-connections" })
    assert.are.equal(0, result.code)
    assert.are.equal("/base/api/hubs/chat/:closeConnections?api-version=2024-12-01", server:requests()[1].target)
  end)
end)

describe("the message", function()
  local BYTES = "\0\1\255\r\nend"

  it("comes from standard input, byte for byte", function()
    assert.are.equal(BYTES, request_of({ "send-to-all", "--content", "-" }, BYTES).body)
  end)

  it("comes from a file, byte for byte", function()
    local path = os.tmpname()
    finally(function() os.remove(path) end)
    local file = assert(io.open(path, "wb"))
    file:write(BYTES)
    file:close()
    assert.are.equal(BYTES, request_of({ "send-to-all", "--content-file", path }).body)
  end)

  it("may be empty", function()
    assert.are.equal("", request_of({ "send-to-all", "--content", "" }).body)
  end)

  it("is JSON as it was written", function()
    for _, text in ipairs({ "[]", "{}", '{ "a" : [ 1.0 ] }', '"text"', "null" }) do
      server:reset()
      local request = request_of({ "send-to-all", "--json-content", text })
      assert.are.same({ text, "application/json" }, { request.body, request.headers:get("content-type") })
    end
    server:reset()
    assert.are.equal("[1]\n", request_of({ "send-to-all", "--json-content", "-" }, "[1]\n").body)
  end)
end)

describe("a listing", function()
  local LONG = ("c"):rep(120)

  local function page(members, next_page)
    return reply({ status = 200, headers = JSON, body = cjson.encode({ value = members,
      nextLink = next_page and server.origin .. "/api/hubs/chat/groups/g/connections?page=" .. next_page or nil }) })
  end

  it("is a table of all pages", function()
    server:script({ page({ { connectionId = "c1", userId = "alice" }, { connectionId = "the-second" } }, 2),
      page({ { connectionId = LONG, userId = "bob\27[2J" } }) })
    local result = run({ "list-connections-in-group", "g" })
    assert.are.equal("CONNECTION  USER\nc1          alice\nthe-second\n" .. LONG .. "  bob\\x1b[2J\n", result.stdout)
    assert.are.same({ 0, "" }, { result.code, result.stderr })
  end)

  it("is a document for each member with --json", function()
    server:script({ page({ { connectionId = "c1", userId = "alice" } }, 2), page({ { connectionId = "c2" } }) })
    local documents = {}
    for line in run({ "--json", "list-connections-in-group", "g" }).stdout:gmatch("[^\n]+") do
      documents[#documents + 1] = cjson.decode(line)
    end
    assert.are.same({ { connection = "c1", user = "alice" }, { connection = "c2" } }, documents)
  end)

  it("that fails on its way keeps what it had", function()
    server:script({ page({ { connectionId = "c1", userId = "alice" } }, 2), reply({ status = 403 }) })
    local result = run({ "list-connections-in-group", "g" })
    assert.are.same({ 4, "CONNECTION  USER\nc1          alice\n" }, { result.code, result.stdout })
    assert.is_truthy(result.stderr:find("^webpubsub: list_connections_in_group: "), result.stderr)
  end)
end)

describe("an answer", function()
  it("is yes with exit code 0, no with 1, and an error like any other", function()
    server:script({ reply({ status = 200 }), reply({ status = 404 }), reply({ status = 403 }) })
    local yes, no, refused = run({ "user-exists", "a" }), run({ "user-exists", "a" }), run({ "user-exists", "a" })
    assert.are.same({ 0, "yes\n", "" }, { yes.code, yes.stdout, yes.stderr })
    assert.are.same({ 1, "no\n", "" }, { no.code, no.stdout, no.stderr })
    assert.are.same({ 4, "" }, { refused.code, refused.stdout })
    assert.is_truthy(refused.stderr:find("403", 1, true))
  end)

  it("cannot command the terminal", function()
    server:script({ reply({ status = 403, headers = JSON, body = '{"code":"E","message":"\\u001b[2J"}' }),
      reply({ status = 204, reason = "No\27[2JContent" }) })
    for _ = 1, 2 do
      local result = run({ "close-all-connections" })
      assert.is_nil((result.stdout .. result.stderr):find("\27", 1, true))
    end
  end)
end)
