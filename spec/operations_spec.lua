-- Every operation of the service, against a table of our own that restates its notes (api-version 2024-12-01).

local calls = require("spec.support.calls")
local core = require("webpubsub.core")

-- name, method, path, success, result, and in the order of the table its parameters: "!" marks a required one.
-- `minimal` and `full` are arguments, with the rest of the URL that they make below /api/hubs/chat.
local HUB = "/api/hubs/chat"
local HUB_TEMPLATE = "/api/hubs/{hub}"

local EXCLUDED = { "c 1", "c,2" }
local EXCLUDED_QUERY = "&excluded=c%201&excluded=c%2C2"

local expected = {
  { "service_status", "HEAD", "/api/health", 200, "none", {},
    minimal = { {}, "/api/health?V" } },
  { "close_all_connections", "POST", "/:closeConnections", 204, "none", { "excluded", "reason" },
    minimal = { {}, "/:closeConnections?V" },
    full = { { excluded = EXCLUDED, reason = "good bye" },
      "/:closeConnections?V" .. EXCLUDED_QUERY .. "&reason=good%20bye" } },
  { "close_user_connections", "POST", "/users/{user}/:closeConnections", 204, "none",
    { "user!", "excluded", "reason" },
    minimal = { { user = "al/ice" }, "/users/al%2Fice/:closeConnections?V" },
    full = { { user = "alice", excluded = EXCLUDED, reason = "good bye" },
      "/users/alice/:closeConnections?V" .. EXCLUDED_QUERY .. "&reason=good%20bye" } },
  { "close_group_connections", "POST", "/groups/{group}/:closeConnections", 204, "none",
    { "group!", "excluded", "reason" },
    minimal = { { group = "g" }, "/groups/g/:closeConnections?V" },
    full = { { group = "g", excluded = EXCLUDED, reason = "" },
      "/groups/g/:closeConnections?V" .. EXCLUDED_QUERY .. "&reason=" } },
  { "close_connection", "DELETE", "/connections/{connection}", 204, "none", { "connection!", "reason" },
    minimal = { { connection = "c" }, "/connections/c?V" },
    full = { { connection = "c", reason = "r" }, "/connections/c?V&reason=r" } },
  { "connection_exists", "HEAD", "/connections/{connection}", 200, "exists", { "connection!" },
    minimal = { { connection = "c" }, "/connections/c?V" } },
  { "user_exists", "HEAD", "/users/{user}", 200, "exists", { "user!" },
    minimal = { { user = "u" }, "/users/u?V" } },
  { "group_exists", "HEAD", "/groups/{group}", 200, "exists", { "group!" },
    minimal = { { group = "g" }, "/groups/g?V" } },
  { "send_to_all", "POST", "/:send", 202, "none", { "excluded", "filter", "ttl", "content!", "json", "content_type" },
    minimal = { { content = "hi" }, "/:send?V", "hi", "text/plain" },
    full = { { excluded = EXCLUDED, filter = "a eq 'b'", ttl = 300, content = "{}", content_type = "json" },
      "/:send?V" .. EXCLUDED_QUERY .. "&filter=a%20eq%20%27b%27&messageTtlSeconds=300", "{}", "application/json" } },
  { "send_to_user", "POST", "/users/{user}/:send", 202, "none",
    { "user!", "filter", "ttl", "content!", "json", "content_type" },
    minimal = { { user = "u", content = "" }, "/users/u/:send?V", "", "text/plain" },
    full = { { user = "u", filter = "f", ttl = 0, content = "\0\255", content_type = "binary" },
      "/users/u/:send?V&filter=f&messageTtlSeconds=0", "\0\255", "application/octet-stream" } },
  { "send_to_group", "POST", "/groups/{group}/:send", 202, "none",
    { "group!", "excluded", "filter", "ttl", "content!", "json", "content_type" },
    minimal = { { group = "g", content = "hi" }, "/groups/g/:send?V", "hi", "text/plain" },
    full = { { group = "g", excluded = EXCLUDED, filter = "f", ttl = 1, content = "hi", content_type = "text" },
      "/groups/g/:send?V" .. EXCLUDED_QUERY .. "&filter=f&messageTtlSeconds=1", "hi", "text/plain" } },
  { "send_to_connection", "POST", "/connections/{connection}/:send", 202, "none",
    { "connection!", "ttl", "content!", "json", "content_type" },
    minimal = { { connection = "c", content = "hi" }, "/connections/c/:send?V", "hi", "text/plain" },
    full = { { connection = "c", ttl = 5, content = "hi", content_type = "text/plain" },
      "/connections/c/:send?V&messageTtlSeconds=5", "hi", "text/plain" } },
  { "add_connection_to_group", "PUT", "/groups/{group}/connections/{connection}", 200, "none",
    { "group!", "connection!" },
    minimal = { { group = "g", connection = "c" }, "/groups/g/connections/c?V" } },
  { "remove_connection_from_group", "DELETE", "/groups/{group}/connections/{connection}", 204, "none",
    { "group!", "connection!" },
    minimal = { { group = "g", connection = "c" }, "/groups/g/connections/c?V" } },
  { "remove_connection_from_all_groups", "DELETE", "/connections/{connection}/groups", 204, "none",
    { "connection!" },
    minimal = { { connection = "c" }, "/connections/c/groups?V" } },
  { "add_user_to_group", "PUT", "/users/{user}/groups/{group}", 200, "none", { "user!", "group!" },
    minimal = { { user = "u", group = "g" }, "/users/u/groups/g?V" } },
  { "remove_user_from_group", "DELETE", "/users/{user}/groups/{group}", 204, "none", { "user!", "group!" },
    minimal = { { user = "u", group = "g" }, "/users/u/groups/g?V" } },
  { "remove_user_from_all_groups", "DELETE", "/users/{user}/groups", 204, "none", { "user!" },
    minimal = { { user = "u" }, "/users/u/groups?V" } },
  { "add_connections_to_groups", "POST", "/:addToGroups", 200, "none", { "groups!", "filter" },
    minimal = { { groups = { "g" } }, "/:addToGroups?V", '{"groups":["g"]}', "application/json" },
    full = { { groups = { "g", "h" }, filter = "f" }, "/:addToGroups?V", '{"groups":["g","h"],"filter":"f"}',
      "application/json" } },
  { "remove_connections_from_groups", "POST", "/:removeFromGroups", 200, "none", { "groups!", "filter" },
    minimal = { { groups = { "g" } }, "/:removeFromGroups?V", '{"groups":["g"]}', "application/json" },
    full = { { groups = { "g", "h" }, filter = "f" }, "/:removeFromGroups?V", '{"groups":["g","h"],"filter":"f"}',
      "application/json" } },
  { "list_connections_in_group", "GET", "/groups/{group}/connections", 200, "list",
    { "group!", "page_size", "limit", "continuation_token" },
    minimal = { { group = "g" }, "/groups/g/connections?V" },
    full = { { group = "g", page_size = 200, limit = 7, continuation_token = "a+b/=" },
      "/groups/g/connections?V&maxpagesize=200&top=7&continuationToken=a%2Bb%2F%3D" } },
  { "grant_permission", "PUT", "/permissions/{permission}/connections/{connection}", 200, "none",
    { "permission!", "connection!", "target_name" },
    minimal = { { permission = "sendToGroup", connection = "c" }, "/permissions/sendToGroup/connections/c?V" },
    full = { { permission = "joinLeaveGroup", connection = "c", target_name = "g h" },
      "/permissions/joinLeaveGroup/connections/c?V&targetName=g%20h" } },
  { "revoke_permission", "DELETE", "/permissions/{permission}/connections/{connection}", 204, "none",
    { "permission!", "connection!", "target_name!" },
    minimal = { { permission = "sendToGroup", connection = "c", target_name = "g" },
      "/permissions/sendToGroup/connections/c?V&targetName=g" } },
  { "check_permission", "HEAD", "/permissions/{permission}/connections/{connection}", 200, "exists",
    { "permission!", "connection!", "target_name" },
    minimal = { { permission = "sendToGroup", connection = "c" }, "/permissions/sendToGroup/connections/c?V" },
    full = { { permission = "sendToGroup", connection = "c", target_name = "g" },
      "/permissions/sendToGroup/connections/c?V&targetName=g" } },
  { "generate_client_token", "POST", "/:generateToken", 200, "token",
    { "user", "roles", "groups", "minutes_to_expire", "client_type" },
    minimal = { {}, "/:generateToken?V" },
    full = { { user = "u", roles = { "webpubsub.sendToGroup.g", "r" }, groups = { "g", "h" }, minutes_to_expire = 1,
      client_type = "MQTT" },
      "/:generateToken?V&userId=u&role=webpubsub.sendToGroup.g&role=r&group=g&group=h&minutesToExpire=1"
        .. "&clientType=MQTT" } },
}

-- What a parameter is, whichever operation takes it: type, place, name on the wire, least, most, choices; and what its
-- text must be: an "id" is not empty, a "group" has 1 to 1024 characters, not all white space, "text" may be empty.
local parameters = {
  user = { "string", "path", "userId", rule = "id" },
  connection = { "string", "path", "connectionId", rule = "id" },
  group = { "string", "path", "group", rule = "group" },
  excluded = { "list of strings", "query", "excluded", rule = "id" },
  reason = { "string", "query", "reason", rule = "text" },
  filter = { "string", "query", "filter", rule = "text" },
  ttl = { "integer", "query", "messageTtlSeconds", 0, 300 },
  page_size = { "integer", "query", "maxpagesize", 1, 200 },
  limit = { "integer", "query", "top", 1, 2147483647 },
  continuation_token = { "string", "query", "continuationToken", rule = "text" },
  target_name = { "string", "query", "targetName", rule = "group" },
  permission = { "string", "path", "permission", choices = { "sendToGroup", "joinLeaveGroup" } },
  roles = { "list of strings", "query", "role", rule = "id" },
  minutes_to_expire = { "integer", "query", "minutesToExpire", 1, 2147483647 },
  client_type = { "string", "query", "clientType", choices = { "Default", "MQTT", "socketio" } },
  content = { "string", "body", "" },
  json = { "any", "body", "" },
  content_type = { "string", "body", "" },
  ["generate_client_token.user"] = { "string", "query", "userId", rule = "id" },
  ["generate_client_token.groups"] = { "list of strings", "query", "group", rule = "group" },
  ["add_connections_to_groups.filter"] = { "string", "body", "filter", rule = "text" },
  ["remove_connections_from_groups.filter"] = { "string", "body", "filter", rule = "text" },
  groups = { "list of strings", "body", "groups", rule = "group" },
}

local function path_template(row)
  return row[1] == "service_status" and row[3] or HUB_TEMPLATE .. row[3]
end

local function target(row, rest)
  return (row[1] == "service_status" and "" or HUB) .. rest:gsub("%?V", "?api-version=2024-12-01")
end

local function copy(source)
  local result = {}
  for key, value in pairs(source) do result[key] = value end
  return result
end

local found = {}
for _, operation in ipairs(core.operations()) do found[operation.name] = operation end

describe("the operations table", function()
  it("holds the 25 operations of the service in our order and nothing else", function()
    local names, actual = {}, {}
    for _, row in ipairs(expected) do names[#names + 1] = row[1] end
    for _, operation in ipairs(core.operations()) do actual[#actual + 1] = operation.name end
    assert.are.equal(25, #names)
    assert.are.same(names, actual)
  end)

  it("is of the version we know", function()
    assert.are.equal("2024-12-01", core.api_version)
  end)

  it("cannot be changed by who reads it", function()
    core.operations()[1].name = "changed"
    assert.are.equal("service_status", core.operations()[1].name)
  end)
end)

for _, row in ipairs(expected) do
  local name, operation = row[1], found[row[1]]

  describe("the operation " .. name, function()
    it("has its method, path, answer and result", function()
      assert.are.same({ row[2], path_template(row), row[4], row[5], name ~= "service_status" },
        { operation.method, operation.path, operation.success, operation.result, operation.signed })
    end)

    it("takes its parameters and no others", function()
      local taken = {}
      for index, parameter in ipairs(operation.parameters) do
        taken[index] = parameter.name .. (parameter.required and "!" or "")
      end
      assert.are.same(row[6], taken)
    end)

    for _, parameter in ipairs(operation.parameters) do
      it("describes its parameter " .. parameter.name, function()
        local facts = parameters[name .. "." .. parameter.name] or parameters[parameter.name]
        assert.are.same({ facts[1], facts[2], facts[3], facts[4], facts[5] },
          { parameter.type, parameter.place, parameter.wire, parameter.minimum, parameter.maximum })
        assert.are.same(facts.choices, parameter.choices)
      end)

      it("has a line of documentation for " .. parameter.name, function()
        assert.is_truthy(parameter.doc:find("^[^\n]+$"), parameter.doc)
        assert.is_nil(parameter.doc:find("[%.%s]$"), "ends like a phrase, not like a sentence")
      end)
    end

    it("has a sentence of documentation", function()
      assert.is_truthy(operation.doc:find("^%u[^\n]+[%.%?]$"), operation.doc)
    end)

    for _, kind in ipairs({ "minimal", "full" }) do
      local example = row[kind]
      if example then
        it("makes the request of its " .. kind .. " arguments", function()
          local sent = calls.outgoing(name, example[1])
          assert.are.equal(row[2], sent.method)
          assert.are.equal(target(row, example[2]), sent.target)
          assert.are.equal(example[3], sent.body)
          assert.are.equal(example[4], sent.headers["content-type"])
          assert.are.equal("application/json", sent.headers.accept)
        end)
      end
    end

    it("is not complete without each of its required parameters", function()
      for _, parameter in ipairs(operation.parameters) do
        if parameter.required then
          local arguments = copy(row.minimal[1])
          arguments[parameter.name] = nil
          local err = calls.refusal(calls.prepare, name, arguments)
          assert.are.same({ "argument", "missing", parameter.name, name },
            { err.kind, err.code, err.argument, err.operation })
          assert.is_truthy(err.message:find(parameter.doc, 1, true), err.message)
        end
      end
    end)
  end)
end

describe("an integer parameter", function()
  for _, row in ipairs(expected) do
    for _, marked in ipairs(row[6]) do
      local facts = parameters[marked]
      if facts and facts[1] == "integer" then
        local function with(value)
          local arguments = copy(row.minimal[1])
          arguments[marked] = value
          return row[1], arguments
        end

        it(("%s of %s takes both its limits"):format(marked, row[1]), function()
          for _, value in ipairs({ facts[4], facts[5] }) do
            local url = calls.prepare(with(value)):url()
            assert.is_truthy(url:find(("&%s=%d"):format(facts[3], value), 1, true), url)
          end
        end)

        it(("%s of %s refuses what is beyond them, in words that name them"):format(marked, row[1]), function()
          for _, value in ipairs({ facts[4] - 1, facts[5] + 1 }) do
            local err = calls.refusal(calls.prepare, with(value))
            assert.are.same({ "invalid", marked }, { err.code, err.argument })
            assert.is_truthy(err.message:find(("from %d to %d; it is %d"):format(facts[4], facts[5], value), 1, true),
              err.message)
          end
        end)
      end
    end
  end
end)

describe("a parameter with choices", function()
  it("takes each of them exactly", function()
    for _, choice in ipairs(parameters.permission.choices) do
      calls.prepare("grant_permission", { permission = choice, connection = "c" })
    end
    for _, choice in ipairs(parameters.client_type.choices) do
      calls.prepare("generate_client_token", { client_type = choice })
    end
  end)

  it("refuses anything else and lists them", function()
    for _, value in ipairs({ "sendtogroup", "sendToGroup ", "join", "../x" }) do
      local err = calls.refusal(calls.prepare, "grant_permission", { permission = value, connection = "c" })
      assert.are.same({ "invalid", "permission" }, { err.code, err.argument })
      assert.is_truthy(err.message:find('"sendToGroup" or "joinLeaveGroup"', 1, true), err.message)
    end
    assert.are.equal("invalid", calls.refusal(calls.prepare, "generate_client_token", { client_type = "mqtt" }).code)
  end)
end)

describe("a parameter that is text", function()
  local long, longer = ("é"):rep(1024), ("é"):rep(1025)
  local rules = { -- what each kind takes, and what it refuses
    id = { takes = { "x", ".x", longer }, refuses = { "", "\255" } },
    group = { takes = { "x", " x ", long }, refuses = { "", " \t ", longer, "\255" } },
    text = { takes = { "", "x", longer }, refuses = { "\255" } },
  }
  local not_in_a_path = { ".", "..", "a\nb", "a\0b", "a\127b" }

  for _, row in ipairs(expected) do
    for _, parameter in ipairs(found[row[1]].parameters) do
      local name = parameter.name
      local facts = parameters[row[1] .. "." .. name] or parameters[name]
      local function with(value)
        local arguments = copy(row.minimal[1])
        arguments[name] = facts[1] == "list of strings" and { "fine", value } or value
        return row[1], arguments
      end
      local function refuses(values)
        for _, value in ipairs(values) do
          local err = calls.refusal(calls.prepare, with(value))
          assert.are.same({ "argument", facts[1] == "list of strings" and name .. "[2]" or name },
            { err.kind, err.argument })
        end
      end

      if facts.rule then
        it(("%s of %s is within its limits"):format(name, row[1]), function()
          for _, value in ipairs(rules[facts.rule].takes) do calls.prepare(with(value)) end
          refuses(rules[facts.rule].refuses)
          if facts[2] == "path" then refuses(not_in_a_path) end
        end)
      end
    end
  end
end)
