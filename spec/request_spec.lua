-- An operation and its arguments become a method, a URL, headers and a body; or a refusal before anything is sent.

local calls = require("spec.support.calls")
local cjson = require("cjson")
local core = require("webpubsub.core")

local MEBIBYTE = 1024 * 1024

local function refused(operation, arguments, options)
  local err = calls.refusal(calls.prepare, operation, arguments, options)
  assert.are.equal("argument", err.kind)
  assert.are.equal(operation, err.operation)
  return err
end

local function sent(operation, arguments, options)
  return calls.outgoing(operation, arguments, options)
end

-- Arguments that satisfy an operation, but for those given.
local function arguments_for(operation, given)
  local arguments = {}
  for _, parameter in ipairs(operation.parameters) do
    if parameter.required then
      arguments[parameter.name] = parameter.choices and parameter.choices[1]
        or parameter.type == "list of strings" and { "x" } or "x"
    end
  end
  for name, value in pairs(given) do arguments[name] = value end
  return arguments
end

local function each_parameter(visit)
  for _, operation in ipairs(core.operations()) do
    for _, parameter in ipairs(operation.parameters) do visit(operation, parameter) end
  end
end

describe("the URL of the main operation", function()
  local PATH = "/api/hubs/chat/users/al%2Fice%20%C3%A9/:closeConnections"
  local QUERY = "api-version=2024-12-01&excluded=conn%261&excluded=%20conn%202%20&reason=50%25%20%2B%20more%3F"
  local arguments = { user = "al/ice é", excluded = { "conn&1", " conn 2 " }, reason = "50% + more?" }

  it("has its path", function()
    assert.are.equal(PATH, sent("close_user_connections", arguments).target:match("^[^?]*"))
  end)

  it("has its query", function()
    assert.are.equal(QUERY, sent("close_user_connections", arguments).target:match("%?(.*)$"))
  end)

  it("is sent as it is signed", function()
    local call = calls.sending("close_user_connections", arguments)
    assert.are.equal(calls.ENDPOINT .. PATH .. "?" .. QUERY, call:url())
    assert.are.equal(call:url(), calls.ENDPOINT .. select(2, call:outgoing()))
  end)

  it("repeats the name of a list for each entry, in order, and leaves an empty list out", function()
    local target = sent("close_all_connections", { excluded = { "b", "a", "b" } }).target
    assert.are.equal("api-version=2024-12-01&excluded=b&excluded=a&excluded=b", target:match("%?(.*)$"))
    assert.is_nil(sent("close_all_connections", { excluded = {} }).target:find("excluded", 1, true))
  end)

end)

describe("the size of a request", function()
  local function connections(count)
    local ids = {}
    for index = 1, count do ids[index] = ("%042d"):format(index) end
    return ids
  end

  -- The longest reason that is taken.
  local function longest_reason(options)
    local low, high = 0, 100000
    while low < high do
      local middle = math.ceil((low + high) / 2)
      local ok = pcall(calls.prepare, "close_all_connections", { reason = ("x"):rep(middle) }, options)
      if ok then low = middle else high = middle - 1 end
    end
    return ("x"):rep(low)
  end

  it("is bounded by what the service takes, and the error names the argument and the bytes", function()
    local err = refused("close_all_connections", { excluded = connections(400), reason = "why" })
    assert.are.same({ "invalid", "excluded" }, { err.code, err.argument })
    assert.are.equal("the URL has 20901 bytes, 20800 of them for excluded; the service takes at most 12288 (option "
      .. "max_url_bytes)", err.message)
    assert.are.equal("excluded", refused("close_all_connections", { excluded = connections(40000) }).argument)
    for _, operation in ipairs({ "close_connection", "connection_exists" }) do
      for _, length in ipairs({ 20000, 2000000 }) do
        assert.are.equal("connection", refused(operation, { connection = ("c"):rep(length) }).argument)
      end
    end
  end)

  it("counts the token, which repeats the URL: about 11 KiB are left for arguments", function()
    local err = refused("close_all_connections", { reason = ("x"):rep(12000) })
    assert.are.same({ "invalid", "reason" }, { err.code, err.argument })
    assert.is_truthy(err.message:find("^the request has %d+ bytes of headers with its token, which repeats the URL of "
      .. "12098 bytes, 12008 of them for reason; the service takes at most 16384 "), err.message)
    local reason = longest_reason()
    assert.is_true(#reason > 11.2 * 1024 and #reason < 12000, tostring(#reason))
    local call = calls.sending("close_all_connections", { reason = reason })
    local _, target, headers = call:outgoing()
    assert.is_true(#target <= 12288 and #headers <= 16384 and #headers >= 16380, tostring(#headers))
  end)

  it("has no token to count where a credential brings it, until it does", function()
    local options = { credential = function() end }
    local reason = longest_reason(options)
    local call = calls.prepare("close_all_connections", { reason = reason }, options)
    assert.are.equal(12288, #call:url())
    call:begin(0)
    assert.are.equal("send", call:token(0, ("t"):rep(16000)))
    call = calls.prepare("close_all_connections", { reason = reason }, options)
    call:begin(0)
    assert.are.equal("done", call:token(0, ("t"):rep(16384)))
    local _, err = call:result()
    assert.are.same({ "argument", "invalid", "headers", false }, { err.kind, err.code, err.argument, err.retryable })
  end)

  it("counts headers", function()
    local err = refused("close_all_connections", { context = { headers = { ["X-Long"] = ("x"):rep(17000) } } })
    assert.are.same({ "invalid", "headers" }, { err.code, err.argument })
  end)

  it("has the bound that max_url_bytes says", function()
    calls.prepare("close_all_connections", { excluded = connections(400) }, { max_url_bytes = 32768 })
    local err = refused("close_all_connections", { reason = ("x"):rep(1024) }, { max_url_bytes = 1024 })
    assert.is_truthy(err.message:find("at most 1024 (option max_url_bytes)", 1, true), err.message)
    for _, bytes in ipairs({ 0, 1023, 49153, 1 / 0, 0 / 0, 2048.5 }) do
      assert.are.equal("max_url_bytes", calls.refusal(calls.client, { max_url_bytes = bytes }).argument)
    end
  end)

  it("holds where the longest URL is allowed", function()
    local options = { max_url_bytes = 49152 }
    local call = calls.sending("close_all_connections", { reason = longest_reason(options) }, options)
    assert.is_true(#select(3, call:outgoing()) <= 65536)
  end)
end)

-- Ids with a segment that something on the way can fold away: as they are, escaped, and escaped twice.
local DOTS = {
  ".", "..", "../", "./", "/..", "../groups/vip", "a/..", "a/./b", "a\\..", "..\\b", "..;", "..;/x", "a;..", "..;a=1/b",
  "..?", "..#x", "../\t", "%2e", "%2E%2e", ".%2e", "%2e%2e/", "..%2f", "..%2Fgroups%2Fvip", "a%2f..", "..%5c",
  "a%5C..%5Cb", "..%3b", "..%3B/x", "..%00", "..%3f", ".%09.", "%252e%252e", "..%252f", "..%255C", "..%253b",
  "a%252f%252e%252E", "%2%65", "%25%32%65", "..%2500x", "https://../x",
}
local NO_DOTS = { "...", ".a", "a.", "a..b", "a/...", "https://id.example//a.b/?c=.d#e", "%2e%2ea", "..%25", "%252",
  "%", "%2", "100%2fx", "%25252e", "\239\188\142\239\188\142/x", "a;b.c", "..x/x..", ".. " }

describe("dot segments", function()
  each_parameter(function(operation, parameter)
    if parameter.place ~= "path" then return end
    it(("are refused as %s of %s"):format(parameter.name, operation.name), function()
      for _, dots in ipairs(DOTS) do
        local err = refused(operation.name, arguments_for(operation, { [parameter.name] = dots }))
        assert.are.same({ "invalid", parameter.name }, { err.code, err.argument }, dots)
        if not parameter.choices then assert.is_truthy(err.message:find("dot segment", 1, true), err.message) end
      end
      assert.are.equal("empty", refused(operation.name, arguments_for(operation, { [parameter.name] = "" })).code)
    end)

    if parameter.choices then return end
    it(("and nothing but separators are refused as %s of %s"):format(parameter.name, operation.name), function()
      for _, hollow in ipairs({ "/", "//", "\\", ";", "?", "#", "/;/", "%2f", "%2F%2f", "%252f", "%5C" }) do
        local err = refused(operation.name, arguments_for(operation, { [parameter.name] = hollow }))
        assert.are.same({ "invalid", parameter.name }, { err.code, err.argument }, hollow)
      end
      for _, filled in ipairs({ "/a", "a/", "%", "2f", "%2", ";a", "-" }) do
        sent(operation.name, arguments_for(operation, { [parameter.name] = filled }))
      end
    end)

    it(("are not what other dots in %s of %s are"):format(parameter.name, operation.name), function()
      for _, text in ipairs(NO_DOTS) do
        local target = sent(operation.name, arguments_for(operation, { [parameter.name] = text })).target
        local escaped = text:gsub("[^%w._~-]", function(byte) return ("%%%02X"):format(byte:byte()) end)
        assert.is_truthy(target:match("^[^?]*"):find("/" .. escaped, 1, true), target)
      end
    end)

    it(("and control bytes are refused in %s of %s"):format(parameter.name, operation.name), function()
      for _, text in ipairs({ "a\0", "\n", "a\rb", "\127", "\t" }) do
        local err = refused(operation.name, arguments_for(operation, { [parameter.name] = text }))
        assert.are.same({ "invalid", parameter.name }, { err.code, err.argument })
      end
    end)
  end)
end)

describe("a group", function()
  it("has 1 to 1024 characters, counted as people count", function()
    for _, letter in ipairs({ "x", "é", "€", "😀" }) do
      calls.prepare("group_exists", { group = letter:rep(1024) }, { max_url_bytes = 49152 })
      local err = refused("group_exists", { group = letter:rep(1025) })
      assert.is_truthy(err.message:find("1025 characters; at most 1024", 1, true), err.message)
    end
  end)

  it("is not all white space", function()
    assert.is_truthy(refused("group_exists", { group = " \t " }).message:find("white space", 1, true))
    assert.has_no.errors(function() calls.prepare("group_exists", { group = " a " }) end)
  end)

  it("is held to this wherever it stands", function()
    local long = ("x"):rep(1025)
    assert.are.equal("groups[2]", refused("add_connections_to_groups", { groups = { "a", long } }).argument)
    assert.are.equal("groups[1]", refused("generate_client_token", { groups = { " " } }).argument)
    assert.are.equal("target_name",
      refused("grant_permission", { permission = "sendToGroup", connection = "c", target_name = long }).argument)
  end)
end)

describe("a message", function()
  it("is sent byte for byte", function()
    local bytes = {}
    for code = 0, 255 do bytes[#bytes + 1] = string.char(code) end
    local content = table.concat(bytes)
    assert.are.equal(content, sent("send_to_all", { content = content, content_type = "binary" }).body)
  end)

  for given, mime in pairs({ text = "text/plain", json = "application/json", binary = "application/octet-stream",
    ["text/plain"] = "text/plain", ["application/json"] = "application/json",
    ["application/octet-stream"] = "application/octet-stream", ["Text/Plain"] = "text/plain" }) do
    it("of content type " .. given .. " is sent as " .. mime, function()
      assert.are.equal(mime, sent("send_to_all", { content = "x", content_type = given }).headers["content-type"])
    end)
  end

  it("is text where nothing is said", function()
    assert.are.equal("text/plain", sent("send_to_all", { content = "x" }).headers["content-type"])
  end)

  it("of another content type is refused, and the error lists them", function()
    for _, value in ipairs({ "", "xml", "text/html", "application/json; charset=utf-8" }) do
      local err = refused("send_to_all", { content = "x", content_type = value })
      assert.are.same({ "invalid", "content_type" }, { err.code, err.argument })
      assert.is_truthy(err.message:find('"application/octet-stream"', 1, true), err.message)
    end
  end)

  it("may have 1 MiB exactly", function()
    assert.are.equal(MEBIBYTE, #sent("send_to_all", { content = ("x"):rep(MEBIBYTE) }).body)
    local err = refused("send_to_all", { content = ("x"):rep(MEBIBYTE + 1) })
    assert.are.same({ "invalid", "content" }, { err.code, err.argument })
    assert.is_truthy(err.message:find("content has 1048577 bytes; at most 1048576", 1, true), err.message)
  end)
end)

describe("a JSON body", function()
  local function body(arguments)
    return sent("add_connections_to_groups", arguments).body
  end

  it("has groups and filter in our order, whichever way they are given", function()
    assert.are.equal('{"groups":["a","b"],"filter":"x eq 1"}', body({ filter = "x eq 1", groups = { "a", "b" } }))
    assert.are.equal('{"groups":["a"]}', body({ groups = { "a" } }))
  end)

  it("escapes quotes, backslashes and control bytes, and nothing else", function()
    assert.are.equal([[{"groups":["\"\\/"],"filter":"é€😀 'it''s'\u0000\u0009\u000a\u001f]] .. '\127"}',
      body({ groups = { '"\\/' }, filter = "é€😀 'it''s'\0\t\n\31\127" }))
  end)

  it("is what a decoder reads back", function()
    local groups = { 'quote"', "back\\slash", "zoë", "😀", "a,b", "[", "{}" }
    local filter = "userId eq 'vic''s' and not(\"x\")\1\r\n"
    assert.are.same({ groups = groups, filter = filter }, cjson.decode(body({ groups = groups, filter = filter })))
  end)

  it("is announced as JSON", function()
    assert.are.equal("application/json",
      sent("remove_connections_from_groups", { groups = { "a" } }).headers["content-type"])
  end)

  it("may have 1 MiB exactly", function()
    local frame = #'{"groups":["a"],"filter":""}'
    assert.are.equal(MEBIBYTE, #body({ groups = { "a" }, filter = ("f"):rep(MEBIBYTE - frame) }))
    local err = refused("add_connections_to_groups", { groups = { "a" }, filter = ("f"):rep(MEBIBYTE - frame + 1) })
    assert.is_truthy(err.message:find("the body is longer than 1048576 bytes", 1, true), err.message)
  end)

  it("that is too long is refused, also when the last of its parts would fit again", function()
    local groups = {}
    for index = 1, 1020 do groups[index] = ("x"):rep(1024) end -- 1,047,551 bytes of JSON
    groups[1021], groups[1022] = ("é"):rep(1024), "short"
    local err = refused("add_connections_to_groups", { groups = groups })
    assert.is_truthy(err.message:find("with groups the body is longer than 1048576 bytes", 1, true), err.message)
  end)

  it("needs a group", function()
    local err = refused("add_connections_to_groups", { groups = {} })
    assert.are.same({ "empty", "groups" }, { err.code, err.argument })
  end)

  it("is not there for an operation without one", function()
    assert.is_nil(sent("close_all_connections").body)
    assert.is_nil(sent("close_all_connections").headers["content-type"])
  end)
end)

describe("the header block", function()
  it("has our headers, one a line, in this order", function()
    local block = sent("send_to_all", { content = "x", context = { request_id = "id-1" } }).block
    local token = block:match("Bearer ([^\r]+)")
    assert.are.equal("Accept: application/json\r\n"
      .. ("User-Agent: lua-webpubsub/%s (%s)\r\n"):format(core.version, _VERSION)
      .. "Content-Type: text/plain\r\nx-ms-client-request-id: id-1\r\n"
      .. "Authorization: Bearer " .. token .. "\r\n", block)
  end)

  it("leaves Host and Content-Length to the transport", function()
    local headers = sent("send_to_all", { content = "x" }).headers
    assert.is_nil(headers.host)
    assert.is_nil(headers["content-length"])
  end)

  it("has a random UUID as request id where none is given", function()
    local seen = {}
    for _ = 1, 50 do
      local id = sent("close_all_connections").headers["x-ms-client-request-id"]
      assert.is_truthy(id:find("^%x%x%x%x%x%x%x%x%-%x%x%x%x%-4%x%x%x%-[89ab]%x%x%x%-%x%x%x%x%x%x%x%x%x%x%x%x$"), id)
      assert.is_nil(seen[id])
      seen[id] = true
    end
  end)

  it("has no token for an operation that needs none", function()
    local call = calls.prepare("service_status")
    assert.is_false(call:needs_token())
    call:begin(0)
    assert.are.equal("send", call:token(0))
    assert.is_nil(call:header("Authorization"))
  end)

  it("takes the headers of the context over those of the client, and both over ours", function()
    local options = { headers = { ["X-A"] = "client", ["X-B"] = "client" } }
    local headers = sent("close_all_connections",
      { context = { headers = { ["x-a"] = "call", Accept = "*/*" } } }, options).headers
    assert.are.same({ "call", "client", "*/*" }, { headers["x-a"], headers["x-b"], headers.accept })
  end)
end)

describe("an argument", function()
  local function code_of(arguments, operation)
    local err = refused(operation or "close_user_connections", arguments)
    return { err.code, err.argument }
  end

  it("that is unknown is refused, with the nearest known one", function()
    for given, meant in pairs({ usr = "user", userId = "user", exclude = "excluded", raeson = "reason",
      contxt = "context" }) do
      local err = refused("close_user_connections", { user = "a", [given] = "x" })
      assert.are.same({ "unknown", given }, { err.code, err.argument })
      assert.is_truthy(err.message:find(('no "%s"; did you mean "%s"?'):format(given, meant), 1, true), err.message)
    end
    local err = refused("close_user_connections", { user = "a", colour = "x" })
    assert.are.equal("unknown", err.code)
    assert.is_nil(err.message:find("did you mean", 1, true), err.message)
  end)

  it("that another operation takes is unknown to this one", function()
    assert.are.same({ "unknown", "excluded" }, code_of({ user = "u", content = "x", excluded = {} }, "send_to_user"))
  end)

  it("with a NUL in its name is not the known one before it", function()
    assert.are.equal("unknown", refused("close_user_connections", { user = "a", ["reason\0x"] = "x" }).code)
  end)

  it("without a name is refused", function()
    local err = refused("close_user_connections", { "alice" })
    assert.are.equal("unknown", err.code)
    assert.is_truthy(err.message:find("named values only", 1, true), err.message)
  end)

  it("of another type is refused, and both types are named", function()
    local cases = {
      { { user = 42 }, "user must be a string; it is a number" },
      { { user = true }, "user must be a string; it is a boolean" },
      { { user = {} }, "user must be a string; it is a table" },
      { { user = "u", excluded = "c" }, "excluded must be a list of strings; it is a string" },
      { { user = "u", excluded = { "a", 2 } }, "excluded[2] must be a string; it is a number" },
      { { user = "u", excluded = { "a", false } }, "excluded[2] must be a string; it is a boolean" },
      { { user = "u", reason = 1 }, "reason must be a string; it is a number" },
      { { user = "u", context = "x" }, "context must be a table; it is a string" },
    }
    for _, case in ipairs(cases) do
      local err = refused("close_user_connections", case[1])
      assert.are.equal("type", err.code)
      assert.are.equal(case[2], err.message)
    end
    assert.are.equal("ttl must be an integer; it is a string",
      refused("send_to_all", { content = "x", ttl = "5" }).message)
  end)

  it("must be in a table", function()
    for _, arguments in ipairs({ "alice", 42, true }) do
      assert.are.equal("type", refused("close_user_connections", arguments).code)
    end
  end)

  it("that is a list has neither holes nor names", function()
    for _, list in ipairs({ { "a", nil, "c" }, { [2] = "b" }, { "a", name = "b" }, { name = "b" }, { [1.5] = "a" },
      { [0] = "a" }, { nil, "b", name = "x" } }) do
      assert.are.equal("type", refused("close_user_connections", { user = "u", excluded = list }).code)
    end
  end)

  it("that is a number is whole", function()
    for _, value in ipairs({ 1.5, 0 / 0, 1 / 0, -1 / 0, 1e300 }) do
      local err = refused("send_to_all", { content = "x", ttl = value })
      assert.are.same({ "invalid", "ttl" }, { err.code, err.argument })
    end
    assert.is_truthy(sent("send_to_all", { content = "x", ttl = 3.0 }).target:find("messageTtlSeconds=3$"))
  end)

  it("that is empty is refused where it names something", function()
    assert.are.same({ "empty", "user" }, code_of({ user = "" }))
    assert.are.same({ "empty", "excluded[2]" }, code_of({ user = "u", excluded = { "a", "" } }))
    assert.are.same({ "empty", "permission" }, code_of({ permission = "", connection = "c" }, "check_permission"))
  end)

  it("must be UTF-8", function()
    local broken = { "\255", "a\195", "\192\128", "\237\160\128", "\244\144\128\128", "\224\128\128", "\128",
      "\240\128\128\128", "\248\136\128\128\128" }
    for _, text in ipairs(broken) do
      assert.are.same({ "invalid", "user" }, code_of({ user = text }))
      assert.are.same({ "invalid", "reason" }, code_of({ user = "u", reason = text }))
      assert.are.same({ "invalid", "excluded[1]" }, code_of({ user = "u", excluded = { text } }))
      assert.are.same({ "invalid", "filter" },
        code_of({ groups = { "g" }, filter = text }, "add_connections_to_groups"))
    end
    for _, text in ipairs({ "\194\128", "\237\159\191", "\238\128\128", "\239\191\191", "\244\143\191\191" }) do
      assert.has_no.errors(function() calls.prepare("user_exists", { user = text }) end)
    end
  end)

  it("that is a null of lua-cjson is absent", function()
    local null = cjson.null
    local target = sent("close_user_connections",
      { user = "u", excluded = null, reason = null, context = null }).target
    assert.are.equal("/api/hubs/chat/users/u/:closeConnections?api-version=2024-12-01", target)
    assert.are.same({ "missing", "user" }, code_of({ user = null }))
    assert.are.equal("type", refused("close_user_connections", { user = "u", excluded = { null } }).code)
  end)

  it("table may be left out where nothing is required", function()
    assert.has_no.errors(function() calls.prepare("close_all_connections") end)
    assert.are.same({ "missing", "user" }, code_of(nil))
  end)

  it("table is never changed", function()
    local function make()
      return { user = "alice", excluded = { "a", "b" }, reason = "r",
        context = { timeout = 5, retries = 1, headers = { ["X-A"] = "1" }, retry = { delay = 1, statuses = { 503 } } } }
    end
    local arguments = make()
    sent("close_user_connections", arguments)
    assert.are.same(make(), arguments)
    local wrong = make()
    wrong.excluded[3] = 42
    refused("close_user_connections", wrong)
    assert.are.equal(42, table.remove(wrong.excluded))
    assert.are.same(make(), wrong)
  end)

  it("is read without metamethods", function()
    local arguments = setmetatable({}, { __index = function() error("asked") end })
    assert.are.same({ "missing", "user" }, code_of(arguments))
  end)

  it("is never quoted in an error, for it may name a person", function()
    for _, arguments in ipairs({ { user = "alice\n" }, { user = "alice\255" },
      { user = "u", excluded = { "alice\255" } }, { user = "u", reason = "alice\255" } }) do
      local said = calls.everything_said(refused("close_user_connections", arguments))
      assert.is_nil(said:find("alice", 1, true), said)
    end
  end)
end)

describe("the link to the next page", function()
  local SERVICE = "https://contoso.webpubsub.azure.com"
  local PATH = "/api/hubs/chat/groups/g/connections?api-version=2024-12-01&top=7&continuationToken=a%2Fb"

  local function follow(link, options)
    local call = calls.prepare("list_connections_in_group", { group = "g" }, options)
    call:follow(link)
    call:begin(0)
    call:sign(0, calls.WALL)
    return call
  end

  it("is signed and sent as it is", function()
    local call = follow(SERVICE .. PATH)
    assert.are.equal(SERVICE .. PATH, call:url())
    assert.are.equal(PATH, (select(2, call:outgoing())))
  end)

  it("may write the origin in another way", function()
    assert.are.equal(SERVICE .. PATH, follow("HTTPS://Contoso.webpubsub.azure.com:443" .. PATH):url())
  end)

  it("is followed through the reverse proxy", function()
    local call = follow(SERVICE .. PATH, { reverse_proxy = "https://proxy.example/base" })
    assert.are.equal(SERVICE .. PATH, call:url())
    assert.are.equal("/base" .. PATH, (select(2, call:outgoing())))
  end)

  it("is kept for the retry", function()
    local call = follow(SERVICE .. PATH)
    calls.respond(call, 0, calls.WALL, 0.5, 503, "", "")
    call:resume(1)
    assert.are.equal(SERVICE .. PATH, call:url())
  end)

  it("to another server is not followed", function()
    for _, origin in ipairs({ "https://evil.example", "http://contoso.webpubsub.azure.com",
      "https://contoso.webpubsub.azure.com:8443", "https://contoso.webpubsub.azure.com.evil.example",
      "https://contoso.webpubsub.azure.com@evil.example", "https://evil.example:x", "ftp://contoso.webpubsub.azure.com",
      "javascript:alert" }) do
      local err = calls.refusal(follow, origin .. PATH)
      assert.are.same({ "protocol", "foreign_link", "list_connections_in_group" },
        { err.kind, err.code, err.operation })
    end
  end)

  it("that is no URL is not followed", function()
    for _, link in ipairs({ "", "/", PATH, SERVICE, "https:", "https://", SERVICE .. "/a b", SERVICE .. "/a\r\nb",
      SERVICE .. "/a\0", SERVICE .. "/zo\195\171", SERVICE .. "/a#b" }) do
      local err = calls.refusal(follow, link)
      assert.are.same({ "protocol", "malformed" }, { err.kind, err.code })
    end
    assert.are.equal("malformed", calls.refusal(follow, nil).code)
  end)

  it("comes before the call begins", function()
    local call = calls.sending("list_connections_in_group", { group = "g" })
    assert.error_matches(function() call:follow(SERVICE .. PATH) end, "must come before begin")
  end)
end)

describe("an operation that does not exist", function()
  it("cannot be prepared", function()
    assert.error_matches(function() calls.prepare("close_everything") end, "no such operation")
  end)
end)
