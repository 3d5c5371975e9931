-- Every operation there and back: called through the client, answered by the emulator, seen by WebSocket clients.

local cjson = require("cjson")
local core = require("webpubsub.core")
local launch = require("webpubsub.emulator.launch")
local webpubsub = require("webpubsub")
local calls = require("spec.support.calls")
local websocket_clients = require("spec.support.websocket_clients")

local CLOSED = 1000 -- the close code of a connection that the service ended on request
local TOKEN_MINUTES = 5

local emulator, client, hub, sockets
local hubs = 0

setup(function() emulator = launch({ quiet = true }) end)
teardown(function() emulator.stop() end)

before_each(function()
  hubs = hubs + 1
  hub = "hub" .. hubs
  client = webpubsub.new({ connection_string = emulator.connection_string, hub = hub, proxy = false })
end)
after_each(function()
  if sockets then sockets:stop() end
  sockets = nil
end)

-- ---------------------------------------------------------------- what is done and what is seen

local function connect(...)
  sockets = websocket_clients.connect(emulator, hub, { ... })
  return sockets.ids
end

local rows = {}
for _, operation in ipairs(core.operations()) do rows[operation.name] = operation end

-- Calls an operation that answers nothing but that it was done, with the status of its row.
local function done(name, arguments)
  local response = client[name](client, arguments)
  assert.are.same({ name, rows[name].success, "", 1 },
    { response.operation, response.status, response.body, response.attempts })
end

local function assert_answers(name, arguments, expected)
  local exists, response = client[name](client, arguments)
  assert.are.same({ expected, expected and rows[name].success or 404, false },
    { exists, response.status, response.is_error })
end

local function assert_raises(name, arguments, status, code)
  local err = calls.refusal(client[name], client, arguments)
  assert.are.same({ "service", status, code, name, 1 }, { err.kind, err.status, err.code, err.operation, err.attempts })
end

-- The sockets with these numbers were closed for this reason, all others are there and were told nothing.
local function assert_closed(reason, ...)
  local closed = {}
  for _, index in ipairs({ ... }) do
    closed[index] = true
    assert.are.same({ code = CLOSED, reason = "",
      message = "Application server closed the connection. Reason: " .. reason }, sockets:ended(index))
  end
  for index in ipairs(sockets.ids) do
    if not closed[index] then assert.is_true(sockets:stayed(index)) end
  end
end

-- What was sent to each socket since it was last asked.
local function heard()
  local frames = {}
  for index in ipairs(sockets.ids) do frames[index] = sockets:take(index) end
  return frames
end

-- The numbers of the sockets that a message to the group reaches.
local function members(group)
  client:send_to_group({ group = group, content = "who is there?" })
  local numbers = {}
  for index, frames in ipairs(heard()) do
    if #frames > 0 then numbers[#numbers + 1] = index end
  end
  return numbers
end

local SENT = {
  { { content = "grüße\n" }, "text", "grüße\n" },
  { { content = "\0\255", content_type = "binary" }, "binary", "AP8=" },
  { { content = '{"a":[1]}', content_type = "json" }, "json", { a = { 1 } } },
  { { json = { b = { true } }, ttl = 300 }, "json", { b = { true } } },
}

-- A message of each type reaches exactly the sockets with a `true`, within a frame with these members.
local function assert_sends(name, arguments, reached, members_of_frame)
  for _, message in ipairs(SENT) do
    local all, frame = {}, { type = "message", from = "server", dataType = message[2], data = message[3] }
    for key, value in pairs(arguments) do all[key] = value end
    for key, value in pairs(message[1]) do all[key] = value end
    for key, value in pairs(members_of_frame or {}) do frame[key] = value end
    done(name, all)
    for index, frames in ipairs(heard()) do assert.are.same(reached[index] and { frame } or {}, frames) end
  end
end

local function joined(index)
  return sockets:ask(index, '{"type":"joinGroup","group":"g","ackId":' .. #sockets:frames(index) .. "}").success
end

-- ---------------------------------------------------------------- one proof for each operation

local proofs = {}

function proofs.service_status()
  client = webpubsub.new({ endpoint = emulator.endpoint, key = "not the key", hub = hub, proxy = false })
  done("service_status")
end

function proofs.close_all_connections()
  local ids = connect({ user = "alice" }, {}, { user = "bob" })
  done("close_all_connections", { excluded = { ids[2] }, reason = "maintenance" })
  assert_closed("maintenance", 1, 3)
end

function proofs.close_user_connections()
  local ids = connect({ user = "alice" }, { user = "alice" }, { user = "bob" })
  done("close_user_connections", { user = "alice", excluded = { ids[2] }, reason = "signed in elsewhere" })
  assert_closed("signed in elsewhere", 1)
end

function proofs.close_group_connections()
  local ids = connect({ groups = { "a / b" } }, { groups = { "a / b" } }, { groups = { "a " } })
  done("close_group_connections", { group = "a / b", excluded = { ids[2] }, reason = "over" })
  assert_closed("over", 1)
end

function proofs.close_connection()
  local ids = connect({ user = "alice" }, { user = "alice" })
  done("close_connection", { connection = ids[1], reason = "enough" })
  assert_closed("enough", 1)
  done("close_connection", { connection = ids[1] })
end

function proofs.connection_exists()
  local ids = connect({})
  assert_answers("connection_exists", { connection = ids[1] }, true)
  assert_answers("connection_exists", { connection = ids[1] .. "x" }, false)
end

function proofs.user_exists()
  connect({ user = "alice" })
  assert_answers("user_exists", { user = "alice" }, true)
  assert_answers("user_exists", { user = "Alice" }, false)
end

function proofs.group_exists()
  connect({ groups = { "g" } })
  assert_answers("group_exists", { group = "g" }, true)
  assert_answers("group_exists", { group = "h" }, false)
end

function proofs.send_to_all()
  local ids = connect({ user = "alice" }, { user = "bob" }, {})
  assert_sends("send_to_all", {}, { true, true, true })
  assert_sends("send_to_all", { excluded = { ids[1] }, filter = webpubsub.filter("userId ne %s", "bob") },
    { false, false, true })
end

function proofs.send_to_user()
  connect({ user = "vic's", groups = { "g" } }, { user = "vic's" }, { user = "bob", groups = { "g" } })
  assert_sends("send_to_user", { user = "vic's" }, { true, true, false })
  assert_sends("send_to_user", { user = "vic's", filter = webpubsub.filter("%s in groups", "g") }, { true })
  done("send_to_user", { user = "nobody", content = "" })
end

function proofs.send_to_group()
  local ids = connect({ groups = { "g" } }, { groups = { "g" } }, { user = "carol", groups = { "g" } }, {})
  local frame = { from = "group", group = "g", fromUserId = cjson.null }
  assert_sends("send_to_group", { group = "g" }, { true, true, true, false }, frame)
  assert_sends("send_to_group", { group = "g", excluded = { ids[1] }, filter = "userId eq null" }, { false, true },
    frame)
  done("send_to_group", { group = "nobody's", content = "" })
end

function proofs.send_to_connection()
  local ids = connect({ user = "alice" }, { user = "alice" })
  assert_sends("send_to_connection", { connection = ids[2] }, { false, true })
  done("send_to_connection", { connection = "unknown", content = "" })
end

function proofs.add_connection_to_group()
  local ids = connect({}, {})
  done("add_connection_to_group", { group = "g", connection = ids[2] })
  assert.are.same({ 2 }, members("g"))
  assert_raises("add_connection_to_group", { group = "g", connection = "unknown" }, 404, "Error.Connection.NotExisted")
end

function proofs.remove_connection_from_group()
  local ids = connect({ groups = { "g", "h" } }, { groups = { "g" } })
  done("remove_connection_from_group", { group = "g", connection = ids[1] })
  assert.are.same({ { 2 }, { 1 } }, { members("g"), members("h") })
end

function proofs.remove_connection_from_all_groups()
  local ids = connect({ groups = { "g", "h" } }, { groups = { "g" } })
  done("remove_connection_from_all_groups", { connection = ids[1] })
  assert.are.same({ { 2 }, {} }, { members("g"), members("h") })
end

function proofs.add_user_to_group()
  connect({ user = "alice" }, { user = "alice" }, { user = "bob" })
  done("add_user_to_group", { user = "alice", group = "g" })
  assert.are.same({ 1, 2 }, members("g"))
  assert_raises("add_user_to_group", { user = "nobody", group = "g" }, 404, "Warning.User.NotExisted")
end

function proofs.remove_user_from_group()
  connect({ user = "alice", groups = { "g", "h" } }, { user = "bob", groups = { "g" } })
  done("remove_user_from_group", { user = "alice", group = "g" })
  assert.are.same({ { 2 }, { 1 } }, { members("g"), members("h") })
end

function proofs.remove_user_from_all_groups()
  connect({ user = "alice", groups = { "g", "h" } }, { user = "bob", groups = { "g" } })
  done("remove_user_from_all_groups", { user = "alice" })
  assert.are.same({ { 2 }, {} }, { members("g"), members("h") })
end

function proofs.add_connections_to_groups()
  connect({ user = "alice" }, { user = "bob" }, {})
  done("add_connections_to_groups", { groups = { "g", "h" }, filter = webpubsub.filter("userId eq %s", "alice") })
  done("add_connections_to_groups", { groups = { "everyone" } })
  assert.are.same({ { 1 }, { 1 }, { 1, 2, 3 } }, { members("g"), members("h"), members("everyone") })
end

function proofs.remove_connections_from_groups()
  local both = { "g", "h" }
  connect({ user = "alice", groups = both }, { user = "bob", groups = both })
  done("remove_connections_from_groups", { groups = { "g" }, filter = "userId eq 'alice'" })
  assert.are.same({ { 2 }, { 1, 2 } }, { members("g"), members("h") })
  done("remove_connections_from_groups", { groups = both })
  assert.are.same({ {}, {} }, { members("g"), members("h") })
end

function proofs.list_connections_in_group()
  local group = { "the group" }
  local ids = connect({ user = "a", groups = group }, { groups = group }, { user = "b" },
    { user = "c", groups = group }, { user = "d", groups = group })
  local listed, pages = {}, {}
  for member in client:list_connections_in_group({ group = group[1] }) do listed[#listed + 1] = member end
  assert.are.same({ { connection = ids[1], user = "a" }, { connection = ids[2] }, { connection = ids[4], user = "c" },
    { connection = ids[5], user = "d" } }, listed)
  local token
  for page in client:list_connections_in_group({ group = group[1], page_size = 2, limit = 3 }):pages() do
    assert.are.equal(rows.list_connections_in_group.success, page.response.status)
    pages[#pages + 1] = #page.items
    token = token or page.continuation_token
  end
  assert.are.same({ 2, 1 }, pages)
  local rest = client:list_connections_in_group({ group = group[1], continuation_token = token })
  assert.are.same({ ids[4], ids[5] }, { rest().connection, rest().connection })
  assert.is_nil(rest())
end

function proofs.grant_permission()
  local ids = connect({ user = "alice" }, { groups = { "g" } })
  assert.is_false(joined(1))
  done("grant_permission", { permission = "joinLeaveGroup", connection = ids[1], target_name = "g" })
  assert.is_true(joined(1))
  local hello = '{"type":"sendToGroup","group":"g","dataType":"text","data":"hello","noEcho":true,"ackId":%d}'
  assert.are.equal("Forbidden", sockets:ask(1, hello:format(101)).error.name)
  done("grant_permission", { permission = "sendToGroup", connection = ids[1] }) -- for every group
  assert.is_true(sockets:ask(1, hello:format(102)).success)
  assert.are.same({ {}, { { type = "message", from = "group", group = "g", fromUserId = "alice", dataType = "text",
    data = "hello" } } }, heard())
  assert_raises("grant_permission", { permission = "sendToGroup", connection = "unknown" }, 404,
    "Info.Connection.NotExisted")
end

function proofs.revoke_permission()
  local ids = connect({ roles = { "webpubsub.joinLeaveGroup" } })
  assert.is_true(joined(1))
  done("revoke_permission", { permission = "joinLeaveGroup", connection = ids[1], target_name = "g" })
  assert.is_false(joined(1))
end

function proofs.check_permission()
  local ids = connect({ roles = { "webpubsub.sendToGroup.g" } })
  local function check(permission, group, allowed)
    assert_answers("check_permission", { permission = permission, connection = ids[1], target_name = group }, allowed)
  end
  check("sendToGroup", "g", true)
  check("sendToGroup", "h", false)
  check("sendToGroup", nil, false)
  check("joinLeaveGroup", "g", false)
end

function proofs.generate_client_token()
  local response = client:generate_client_token({ user = "alice", roles = { "webpubsub.joinLeaveGroup.g" },
    groups = { "h", "i" }, minutes_to_expire = TOKEN_MINUTES })
  assert.are.equal(rows.generate_client_token.success, response.status)
  local url = ("%s/client/hubs/%s?access_token=%s"):format(emulator.endpoint:gsub("^http", "ws"), hub, response.token)
  local claims = cjson.decode(calls.decode_base64url(response.token:match("%.(.-)%.")))
  assert.are.equal(TOKEN_MINUTES * 60, claims.exp - claims.iat)
  connect({ url = url })
  assert.are.equal("alice", sockets:frames(1)[1].userId)
  assert.is_true(joined(1))
  assert.are.same({ { 1 }, { 1 }, { 1 } }, { members("g"), members("h"), members("i") })
end

describe("against the emulator,", function()
  for _, operation in ipairs(core.operations()) do
    it(operation.name .. " does what it says", function()
      assert.is_truthy(proofs[operation.name], "there is no proof of " .. operation.name)
      proofs[operation.name]()
    end)
  end

  it("nothing else is proven", function()
    for name in pairs(proofs) do assert.is_truthy(rows[name], name) end
  end)
end)
