-- Listing the connections of a group: members in order, pages as they are asked for, and errors that lose nothing.

require("webpubsub.client") -- gives every client its methods
local calls = require("spec.support.calls")
local cjson = require("cjson")
local driven = require("spec.support.driven")
local launch = require("webpubsub.emulator.launch")
local webpubsub = require("webpubsub")
local websocket_clients = require("spec.support.websocket_clients")

local PATH = "/api/hubs/chat/groups/g/connections?api-version=2024-12-01"
local NEXT = calls.ENDPOINT .. PATH .. "&continuationToken="

-- A page of these connections that is followed by another, or is the last.
local function page(connections, token)
  local value = {}
  for index, connection in ipairs(connections) do value[index] = { connectionId = connection } end
  return { status = 200, body = ('{"value":%s%s}'):format(#value > 0 and cjson.encode(value) or "[]",
    token and ',"nextLink":' .. cjson.encode(NEXT .. token) or "") }
end

local function list(answers, arguments, options)
  local client, transport = driven.client(answers, options)
  local all = { group = "g" }
  for name, value in pairs(arguments or {}) do all[name] = value end
  return client:list_connections_in_group(all), transport
end

local function connections_of(members)
  local names = {}
  for member in members do names[#names + 1] = member.connection end
  return names
end

local function targets_of(transport)
  local targets = {}
  for index, request in ipairs(transport.requests) do targets[index] = request.method .. " " .. request.target end
  return targets
end

describe("a listing", function()
  it("gives the members of all pages in order", function()
    local members, transport = list({ page({ "a", "b" }, "1"), page({ "c" }, "2"), page({ "d", "e" }) })
    assert.are.same({ "a", "b", "c", "d", "e" }, connections_of(members))
    assert.are.same({ "GET " .. PATH, "GET " .. PATH .. "&continuationToken=1", "GET " .. PATH
      .. "&continuationToken=2" }, targets_of(transport))
  end)

  it("gives users where connections have some", function()
    local members = list({ { status = 200, body = '{"value":[{"connectionId":"a","userId":"alice"},'
      .. '{"connectionId":"b","userId":null},{"connectionId":"c"}]}' } })
    assert.are.same({ { connection = "a", user = "alice" }, { connection = "b" }, { connection = "c" } },
      { members(), members(), members() })
  end)

  it("passes over empty pages", function()
    local members = list({ page({}, "1"), page({ "a" }, "2"), page({}, "3"), page({}, "4"), page({ "b" }, "5"),
      page({}) })
    assert.are.same({ "a", "b" }, connections_of(members))
  end)

  it("of an empty group has nothing in it", function()
    local members, transport = list({ page({}) })
    assert.are.same({}, connections_of(members))
    assert.are.equal(1, #transport.requests)
  end)

  it("fetches a page when it is needed, and not before", function()
    local members, transport = list({ page({ "a", "b" }, "1"), page({ "c" }) })
    assert.are.equal(0, #transport.requests)
    assert.are.equal("webpubsub listing of a group (more to fetch)", tostring(members))
    members()
    members()
    assert.are.equal(1, #transport.requests)
    assert.are.equal("c", members().connection)
    assert.are.equal("webpubsub listing of a group (complete)", tostring(members))
  end)

  it("stays at its end", function()
    local members, transport = list({ page({ "a" }) })
    connections_of(members)
    for _ = 1, 3 do assert.is_nil(members()) end
    for _ in members:pages() do error("there is no page left") end
    assert.are.equal(1, #transport.requests)
  end)

  it("can be left and gone on with", function()
    local members = list({ page({ "a", "b" }, "1"), page({ "c" }) })
    for member in members do
      if member.connection == "a" then break end
    end
    assert.are.same({ "b", "c" }, connections_of(members))
  end)

  it("asks for page size, limit and where to begin", function()
    local members, transport = list({ page({}) },
      { page_size = 200, limit = 2147483647, continuation_token = "a/b+= c" })
    members()
    assert.are.same({ "GET " .. PATH .. "&maxpagesize=200&top=2147483647&continuationToken=a%2Fb%2B%3D%20c" },
      targets_of(transport))
  end)

  it("does not look at the caller's table again", function()
    local arguments = { group = "g", page_size = 1, context = { headers = { ["X-A"] = "1" } } }
    local client, transport = driven.client({ page({ "a" }, "1"), page({ "b" }, "2"), page({ "c" }) })
    local members = client:list_connections_in_group(arguments)
    members()
    arguments.group, arguments.context, arguments.nonsense = nil, nil, true
    assert.are.same({ "b", "c" }, connections_of(members))
    assert.are.same({ "1", "1", "1" }, { transport.requests[1].headers["x-a"], transport.requests[2].headers["x-a"],
      transport.requests[3].headers["x-a"] })
  end)

  it("retries a page like any call", function()
    local members, transport = list({ page({ "a" }, "1"), { status = 503 }, page({ "b" }) })
    assert.are.same({ "a", "b" }, connections_of(members))
    assert.are.same({ 3, transport.requests[2].target }, { #transport.requests, transport.requests[3].target })
  end)
end)

describe("the pages of a listing", function()
  it("have items, response and where to go on", function()
    local members = list({ page({ "a", "b" }, "x%2Fy%2b%20z&top=3"), page({ "c" }) })
    local seen = {}
    assert.is_nil(members.continuation_token)
    for each in members:pages() do
      assert.are.equal(200, each.response.status)
      seen[#seen + 1] = { #each.items, each.continuation_token or "none" }
      assert.are.equal(each.continuation_token, members.continuation_token)
    end
    assert.are.same({ { 2, "x/y+ z" }, { 1, "none" } }, seen)
  end)

  it("let another listing go on, in another process if need be", function()
    local first = list({ page({ "a" }, "x%2Fy") })
    first()
    local second, transport = list({ page({ "b" }) }, { continuation_token = first.continuation_token })
    assert.are.equal("x/y", second.continuation_token)
    assert.are.same({ "b" }, connections_of(second))
    assert.are.same({ "GET " .. PATH .. "&continuationToken=x%2Fy" }, targets_of(transport))
  end)

  it("can be gone on with member by member", function()
    local members = list({ page({ "a" }, "1"), page({ "b" }) })
    assert.are.equal("a", members:pages()().items[1].connection)
    assert.are.same({ "b" }, connections_of(members))
  end)
end)

describe("an error in a listing", function()
  local FAILURES = {
    service = { status = 404, body = '{"code":"Error.Gone","message":"m"}' },
    transport = { failure = "transport" },
    protocol = { status = 200, body = "<html>" },
  }
  for kind, failure in pairs(FAILURES) do
    it(("of kind %s is raised, and the page can be asked for again"):format(kind), function()
      local members, transport = list({ page({ "a" }, "1"), failure, failure, page({ "b" }, "2"), page({ "c" }) }, nil,
        { retries = 0 })
      assert.are.equal("a", members().connection)
      for _ = 1, 2 do
        local err = calls.refusal(members)
        assert.are.same({ kind, "list_connections_in_group" }, { err.kind, err.operation })
        assert.are.equal("1", members.continuation_token)
      end
      assert.are.same({ "b", "c" }, connections_of(members))
      assert.are.equal(transport.requests[2].target, transport.requests[4].target)
    end)
  end

  it("on the first page can be asked for again, too", function()
    local members = list({ FAILURES.transport, page({ "a" }) }, nil, { retries = 0 })
    assert.are.equal("transport", calls.refusal(members).kind)
    assert.are.same({ "a" }, connections_of(members))
  end)

  it("of the service is a page with no_throw, the loop's last", function()
    local members = list({ page({ "a" }, "1"), FAILURES.service, FAILURES.service, page({ "b" }) },
      { context = { no_throw = true } })
    for _, expected in ipairs({ { 200, 404 }, { 404 }, { 200 }, {} }) do
      local statuses = {}
      for each in members:pages() do
        statuses[#statuses + 1] = each.response.status
        if each.response.is_error then
          assert.are.same({ "Error.Gone", {}, "1" }, { each.response.error.code, each.items, each.continuation_token })
        end
      end
      assert.are.same(expected, statuses)
    end
  end)

  it("of the service is raised with no_throw where members are asked for, for they have no room for it", function()
    local members = list({ FAILURES.service, page({ "a" }) }, { context = { no_throw = true } })
    assert.are.equal("service", calls.refusal(members).kind)
    assert.are.same({ "a" }, connections_of(members))
  end)

  for _, link in ipairs({ "42", "true", "{}", '["x"]' }) do
    it(("is a link of the wrong type: %s"):format(link), function()
      local members = list({ { status = 200, body = '{"value":[],"nextLink":' .. link .. "}" } })
      local err = calls.refusal(members)
      assert.are.same({ "protocol", "malformed" }, { err.kind, err.code })
    end)
  end
end)

describe("links that go in a circle", function()
  local circles = {
    ["from a page to itself"] = { { page({ "a" }, "1"), page({ "b" }, "1") }, { "a", "b" } },
    ["over three pages"] = { { page({ "a" }, "1"), page({ "b" }, "2"), page({ "c" }, "3"), page({ "d" }, "1") },
      { "a", "b", "c", "d" } },
  }
  for what, case in pairs(circles) do
    it(what .. " are a protocol error, and nothing is listed twice", function()
      local members, transport = list(case[1])
      local names = {}
      local err = calls.refusal(function()
        for member in members do names[#names + 1] = member.connection end
      end)
      assert.are.same({ "protocol", "repeated_link", "list_connections_in_group", false },
        { err.kind, err.code, err.operation, err.retryable })
      assert.are.same(case[2], names)
      assert.are.equal(#case[1], #transport.requests)
      assert.are.equal("repeated_link", calls.refusal(members).code)
    end)
  end

  it("to the very first page are noticed", function()
    local members = list({ { status = 200, body = cjson.encode({ value = { { connectionId = "a" } },
      nextLink = calls.ENDPOINT .. PATH }) } })
    assert.are.equal("a", members().connection)
    assert.are.equal("repeated_link", calls.refusal(members).code)
  end)
end)

describe("the arguments of a listing", function()
  local refusals = {
    { {}, "group", "missing" }, { { group = "" }, "group", "empty" }, { { group = ".." }, "group", "invalid" },
    { { group = 1 }, "group", "type" },
    { { group = "g", page_size = 0 }, "page_size", "invalid" },
    { { group = "g", page_size = 201 }, "page_size", "invalid" },
    { { group = "g", page_size = 1.5 }, "page_size", "invalid" },
    { { group = "g", page_size = "2" }, "page_size", "type" },
    { { group = "g", limit = 0 }, "limit", "invalid" },
    { { group = "g", continuation_token = 1 }, "continuation_token", "type" },
    { { group = "g", top = 1 }, "top", "unknown" },
    { { group = "g", context = { retries = -1 } }, "retries", "invalid" },
    { { group = "g", context = { policies = { per_call = 1 } } }, "per_call", "type" },
  }
  for _, case in ipairs(refusals) do
    it(("are checked at once: %s %s"):format(case[2], case[3]), function()
      local client, transport = driven.client({})
      local err = calls.refusal(client.list_connections_in_group, client, case[1])
      assert.are.same({ "argument", case[2], case[3], "list_connections_in_group" },
        { err.kind, err.argument, err.code, err.operation })
      assert.are.equal(0, #transport.requests)
    end)
  end
end)

describe("a group at the service", function()
  local emulator, client, sockets, users

  setup(function()
    emulator = launch({ quiet = true })
    client = webpubsub.new({ connection_string = emulator.connection_string, hub = "lists", proxy = false })
    local identities = { { groups = { "other" } } }
    users = { "u1", "zoë", "u3", "u4", "u5", "u6", "u7" }
    for _, user in ipairs(users) do identities[#identities + 1] = { user = user, groups = { "room 1/ü" } } end
    sockets = websocket_clients.connect(emulator, "lists", identities)
  end)
  teardown(function()
    sockets:stop()
    emulator.stop()
  end)

  local function listed(arguments)
    arguments.group = "room 1/ü"
    local found, sizes = {}, {}
    for each in client:list_connections_in_group(arguments):pages() do
      sizes[#sizes + 1] = #each.items
      for _, member in ipairs(each.items) do found[#found + 1] = member end
    end
    return found, sizes
  end

  it("is listed whole, in pages of any size, up to a limit", function()
    for _, case in ipairs({ { {}, { 7 } }, { { page_size = 3 }, { 3, 3, 1 } }, { { page_size = 7 }, { 7 } },
      { { page_size = 1, limit = 3 }, { 1, 1, 1 } }, { { page_size = 3, limit = 5 }, { 3, 2 } },
      { { limit = 2 }, { 2 } } }) do
      local found, sizes = listed(case[1])
      assert.are.same(case[2], sizes)
      for index, member in ipairs(found) do
        assert.are.same({ connection = sockets.ids[index + 1], user = users[index] }, member)
      end
    end
  end)

  it("is gone on with by a later listing", function()
    local first = client:list_connections_in_group({ group = "room 1/ü", page_size = 2 })
    first:pages()()
    local found = listed({ continuation_token = first.continuation_token })
    assert.are.same({ 5, "u3" }, { #found, found[1].user })
  end)

  it("that nobody is in is empty", function()
    assert.is_nil(client:list_connections_in_group({ group = "nobody" })())
  end)

  it("refuses a token it has not made", function()
    local members = client:list_connections_in_group({ group = "room 1/ü", continuation_token = "made up" })
    assert.are.same({ 400, "continuationToken" }, { calls.refusal(members).status, calls.refusal(members).target })
  end)
end)
