-- What a finished call becomes: a response, or an error made of whatever body the service, or a gateway, sent.

local calls = require("spec.support.calls")
local process = require("spec.support.process")

local JSON = "Content-Type: application/json\r\n"

local function finish(operation, arguments, status, headers, body, no_throw, verdict)
  local call = calls.sending(operation, arguments, { retries = 0 })
  assert.are.equal("done", calls.respond(call, 0.25, calls.WALL, 0.5, status, headers, body, verdict))
  return call:result(no_throw)
end

local function error_of(body, status, headers)
  local response, err = finish("add_user_to_group", { user = "u", group = "g" }, status or 400, headers or JSON,
    body)
  assert.is_nil(response)
  return err
end

local function schema_of(body, status, headers)
  local err = error_of(body, status, headers)
  return { code = err.code, message = err.message, target = err.target, details = err.details, inner = err.inner }
end

local FLAT = '{"code":"Error.Connection.NotExisted","message":"Connection `x` is not found.","target":"Connection",'
  .. '"details":null,"inner":null}'
local WRAPPED = '{"error":{"code":"BadArgument","message":"Two are wrong","target":"query","details":['
  .. '{"code":"A","message":"first","target":"a"},{"code":"B","message":"second"}],'
  .. '"innererror":{"code":"Inner","innererror":{"code":"Innermost"}}}}'
local PROBLEM = '{"code":"Error.BadRequest","message":"Invalid syntax","target":"filter",'
  .. '"errors":{"filter":["at 14","at 15"]},"type":null,"title":"One or more validation errors occurred.",'
  .. '"status":400,"detail":null,"instance":null,"extensions":{}}'

describe("an error body", function()
  it("that is flat, as the service sends it", function()
    assert.are.same({ code = "Error.Connection.NotExisted", message = "Connection `x` is not found.",
      target = "Connection" }, schema_of(FLAT, 404))
  end)

  it("that is wrapped, as the vendor describes it", function()
    assert.are.same({ code = "BadArgument", message = "Two are wrong", target = "query",
      details = { { code = "A", message = "first", target = "a" }, { code = "B", message = "second" } },
      inner = { code = "Inner", inner = { code = "Innermost" } } }, schema_of(WRAPPED))
  end)

  it("that is problem+json", function()
    assert.are.same({ code = "Error.BadRequest", message = "Invalid syntax", target = "filter",
      details = { { target = "filter", message = "at 14" }, { target = "filter", message = "at 15" } } },
      schema_of(PROBLEM, 400, "Content-Type: application/problem+json\r\n"))
  end)

  it("that is problem+json with a title only", function()
    assert.are.same({ code = "Bad Request", message = "It is wrong" }, schema_of('{"title":"It is wrong"}'))
  end)

  it("whose inner errors are called inner or innererror", function()
    assert.are.same({ code = "a", inner = { code = "b" } },
      schema_of('{"code":"x","message":"m","inner":{"code":"a","innererror":{"code":"b"}}}').inner)
    assert.are.equal("a", schema_of('{"inner":{"code":"a"},"innererror":{"code":"b"}}').inner.code)
  end)

  it("whose details have details", function()
    assert.are.same({ { code = "a", details = { { code = "b" } } } },
      schema_of('{"details":[{"code":"a","details":[{"code":"b"}]}]}').details)
  end)

  it("whose code or message is empty falls back like one without", function()
    assert.are.same({ code = "Conflict", message = "the service answered 409 Conflict" },
      schema_of('{"code":"","message":"","target":""}', 409))
  end)

  local NOT_JSON = "; its body is not the JSON it should be: "

  local none = { [""] = "nothing", ["{}"] = "an empty object", [" \r\n "] = "blanks",
    ['{"error":null}'] = "an empty wrapping", ['{"error":"text"}'] = "a text for a wrapping" }
  local bad = { ["<html><title>502</title></html>"] = { "HTML", "a value is expected" },
    ["Bad gateway"] = { "text", "a value is expected" },
    ['{"code":"Error.X","message":'] = { "broken JSON", "it ends too early" },
    ["{'code':'x'}"] = { "JSON with single quotes", "a name in double quotes is expected" },
    ["[]"] = { "an empty list", "it is no object" }, ['["code"]'] = { "a list", "it is no object" },
    ['"code"'] = { "a string", "it is no object" }, ["42"] = { "a number", "it is no object" },
    ["true"] = { "a boolean", "it is no object" }, ["null"] = { "null", "it is no object" },
    ["\0\1\2\255"] = { "bytes", "a value is expected" }, ["NaN"] = { "no number", "a value is expected" },
    ["{\"code\":\"x\"}}"] = { "JSON with something behind it", "something is behind it" } }

  local function leaves_the_rest(body, complaint)
    local err = error_of(body, 502, "x-ms-error-code: Error.Y\r\n")
    assert.are.same({ "service", "Error.Y", "the service answered 502 Bad Gateway" .. complaint, 502 },
      { err.kind, err.code, err.message, err.status })
    assert.are.equal(body, err.response.body)
    assert.is_nil(err.target or err.details or err.inner)
  end

  for body, what in pairs(none) do
    it("that is " .. what .. " leaves status and headers to say what is wrong, and is kept", function()
      leaves_the_rest(body, "")
    end)
  end

  for body, case in pairs(bad) do
    it("that is " .. case[1] .. " leaves status and headers to say what is wrong, is named and kept", function()
      leaves_the_rest(body, NOT_JSON .. case[2])
    end)
  end

  local unread = {
    ["Content-Encoding: gzip\r\nContent-Type: application/json\r\n"] = "it is encoded as gzip, which was not asked for",
    ["Content-Encoding: identity\r\n"] = "a value is expected",
    ["Content-Type: application/json; charset=utf-16\r\n"] = "it is in utf-16, not UTF-8",
    ['Content-Type: application/json;a=b; Charset="ISO-8859-1"\r\n'] = "it is in ISO-8859-1, not UTF-8",
    ["Content-Type: application/json; charset=UTF-8\r\n"] = "a value is expected",
    ["Content-Type: application/problem+json\r\n"] = "a value is expected",
    ["Content-Type: text/html; charset=utf-8\r\n"] = "it is text/html, not JSON",
    ["Content-Type: " .. ("x"):rep(60) .. "\r\n"] = "it is " .. ("x"):rep(40) .. ", not JSON",
    ["Content-Type: json\r\n"] = "it is json, not JSON",
    ["Content-Type: ; charset\r\n"] = "a value is expected",
  }
  for headers, complaint in pairs(unread) do
    it("that cannot be read is named by what its headers say: " .. headers:gsub("\r\n", " "), function()
      assert.are.equal("the service answered 500 Internal Server Error" .. NOT_JSON .. complaint,
        error_of("\31\139\8", 500, headers).message)
    end)
  end

  it("may be cut off anywhere", function()
    for _, body in ipairs({ FLAT, WRAPPED, PROBLEM }) do
      for length = 0, #body - 1 do
        assert.are.equal("Bad Request", error_of(body:sub(1, length)).code)
      end
    end
  end)

  it("may have members of any wrong type", function()
    for _, member in ipairs({ "code", "message", "target", "details", "inner", "innererror", "errors", "error",
      "title" }) do
      for _, value in ipairs({ "null", "true", "42", "[]", "{}", "[[]]", "[1,null,\"x\",{}]", '{"a":1,"b":[1,{}]}' }) do
        local err = error_of(('{"%s":%s}'):format(member, value))
        assert.are.same({ "Bad Request", "the service answered 400 Bad Request" }, { err.code, err.message }, value)
        assert.is_nil(err.target)
      end
    end
  end)

  it("with details of any type keeps the ones that are objects", function()
    local body = '{"details":[1,{"code":"a"},null,"x",{},{"code":"b","message":7}]}'
    assert.are.same({ { code = "a" }, {}, { code = "b" } }, schema_of(body).details)
  end)

  it("need not be UTF-8", function()
    local err = error_of('{"code":"E\255","message":"\200\201 broken"}')
    assert.are.same({ "E\255", "\200\201 broken" .. NOT_JSON .. "it is not UTF-8" }, { err.code, err.message })
    err = error_of('{"message":"caf\233"}', 400, "Content-Type: application/json; charset=latin1\r\n")
    assert.are.equal("caf\233" .. NOT_JSON .. "it is in latin1, not UTF-8", err.message)
  end)

  it("has escapes decoded", function()
    assert.are.equal("é\n\"\0", error_of('{"message":"\\u00e9\\n\\"\\u0000"}').message)
  end)

  it("nested 10,000 deep is left undecoded", function()
    local deep = ('{"inner":'):rep(10000) .. "{}" .. ("}"):rep(10000)
    local err = error_of(deep)
    assert.are.same({ "Bad Request", deep:sub(1, 64 * 1024) }, { err.code, err.response.body })
    assert.is_truthy(err.message:find("it is nested too deep", 1, true), err.message)
    assert.are.equal("Bad Request", error_of(("["):rep(10000) .. ("]"):rep(10000)).code)
  end)

  it("nested deeper than makes sense is kept to a depth", function()
    local err = error_of(('{"code":"c","inner":'):rep(500) .. "{}" .. ("}"):rep(500))
    local depth = 0
    local inner = err.inner
    while inner do depth, inner = depth + 1, inner.inner end
    assert.are.equal(16, depth)
    err = error_of(('{"code":"c","details":['):rep(300) .. "{}" .. ("]}"):rep(300))
    assert.are.equal("c", err.details[1].details[1].code)
  end)

  it("that has a member twice is left undecoded, unless nobody looks for it", function()
    assert.are.equal("Bad Request", error_of('{"code":"a","code":"b"}').code)
    assert.are.equal("Bad Request", error_of('{"code":"a","inner":{"target":"x","target":"y"}}').code)
    assert.are.equal("a", error_of('{"code":"a","more":1,"more":2}').code)
  end)

  it("keeps 100 details and counts the rest, whatever their shape", function()
    local function repeated(item, count) return item .. ("," .. item):rep(count - 1) end
    local nested = '{"code":"a","details":[' .. repeated("{}", 150) .. "]}"
    for body, kept in pairs({
      ['{"errors":{"a":[' .. repeated('""', 250) .. "]}}"] = 100,
      ['{"errors":{' .. repeated('"a":["x"]', 250) .. "}}"] = 100,
      ['{"details":[' .. repeated("{}", 250) .. "]}"] = 100,
      ['{"error":{"details":[' .. repeated('{"code":"a"}', 250) .. "]}}"] = 100,
      ['{"details":[' .. nested .. "," .. repeated("{}", 99) .. "]}"] = 1,
    }) do
      local err = error_of(body)
      assert.are.same({ kept, 150 }, { #err.details, err.omitted_details }, body:sub(1, 60))
    end
    assert.is_nil(error_of('{"details":[{}]}').omitted_details)
  end)

  it("of 1 MiB costs little, whatever its shape", function()
    local function filled(before, item, after)
      return before .. item:rep(math.floor((1024 * 1024 - #before - #after) / #item)) .. after
    end
    for _, body in ipairs({
      filled('{"errors":{"a":[', '"",', '""]}}'),
      filled('{"errors":{', '"aaaaaaaaaa":[],', '"a":[]}}'),
      filled('{"errors":{', '"a":["x"],', '"a":[]}}'),
      filled('{"details":[', "{},", "{}]}"),
      filled('{"details":[', '{"message":"\\n"},', "{}]}"),
      filled('{"message":"', "\\u0041", '"}'),
      filled('{"inner":{"details":[', '{"inner":{}},', "{}]}}"),
      filled('{"code":"x","more":[', "[],", "[]]}"),
    }) do
      collectgarbage()
      collectgarbage()
      local before, started = collectgarbage("count"), os.clock()
      local err = error_of(body)
      assert.is_true(os.clock() - started < 1, body:sub(1, 40))
      err.response = nil -- which has the body
      collectgarbage()
      collectgarbage()
      local kept = collectgarbage("count") - before
      assert.is_true(kept < 200, ("%s keeps %.0f KiB"):format(body:sub(1, 40), kept))
      assert.is_string(err.code)
    end
  end)

  it("has its codes and targets cut at 256 bytes, on a character's border", function()
    local err = error_of('{"code":"a' .. ("é"):rep(200) .. '","target":"' .. ("t"):rep(256) .. '","message":"m"}')
    assert.are.same({ "a" .. ("é"):rep(127) .. "...", ("t"):rep(256), "m" }, { err.code, err.target, err.message })
  end)

  it("larger than 1 MiB is not decoded", function()
    local large = '{"code":"E","message":"' .. ("x"):rep(1024 * 1024) .. '"}'
    local err = error_of(large)
    assert.are.equal("Bad Request", err.code)
    assert.is_truthy(err.message:find("it is too long", 1, true), err.message)
  end)

  it("larger than 64 KiB is read whole, and kept as far as that", function()
    local large = '{"more":"' .. ("x"):rep(64 * 1024) .. '","code":"E"}'
    local err = error_of(large)
    assert.are.same({ "E", large:sub(1, 64 * 1024), #large }, { err.code, err.response.body, err.response.body_bytes })
    assert.is_nil(error_of(large:sub(1, 64 * 1024)).response.body_bytes)
  end)
end)

describe("the host's own lua-cjson", function()
  it("is not needed", function()
    local result = process.run_lua([[
      package.preload.cjson = function() error("lua-cjson was required") end
      require("webpubsub").new({ endpoint = "https://contoso.webpubsub.azure.com", key = "k", hub = "chat" })
      print("fine")]])
    assert.are.same({ "fine\n", "" }, { result.stdout, result.stderr })
  end)
end)

describe("an error", function()
  it("tells what the call was", function()
    local err = error_of(FLAT, 404)
    assert.are.same({ "service", 404, "add_user_to_group", 1, 0.25, false },
      { err.kind, err.status, err.operation, err.attempts, err.elapsed, err.retryable })
    assert.is_truthy(err.request_id:find("^%x+%-"), err.request_id)
    assert.are.equal(err.request_id, err.response.request_id)
  end)

  it("has the response", function()
    local response = error_of(FLAT, 404, JSON .. "X-A: b\r\n").response
    assert.are.same({ 404, "Not Found", FLAT, true, "b", 1, "add_user_to_group" }, { response.status, response.reason,
      response.body, response.is_error, response.headers["x-a"], response.attempts, response.operation })
  end)

  it("prints as one readable line", function()
    local err = error_of(FLAT, 404)
    assert.are.equal("webpubsub: add_user_to_group: Connection `x` is not found. (404 Error.Connection.NotExisted, "
      .. "1 attempt, request " .. err.request_id .. ")", tostring(err))
  end)

  it("prints its cause on a second line", function()
    local err = error_of(WRAPPED)
    assert.are.equal("webpubsub: add_user_to_group: Two are wrong (400 BadArgument, 1 attempt, request "
      .. err.request_id .. ")\n  because: Inner; Innermost; a: first; second", tostring(err))
    assert.is_truthy(tostring(error_of(PROBLEM)):find("\n  because: filter: at 14; filter: at 15", 1, true))
    local many = error_of('{"errors":{"a":[' .. ('"x",'):rep(149) .. '"x"]}}')
    assert.are.equal("a: x; a: x; a: x; 147 more", tostring(many):match("because: (.*)"))
  end)

  it("prints as two lines at most, which hide nothing, whatever the service sent", function()
    local bytes = {}
    for code = 0, 31 do bytes[#bytes + 1] = ("\\u%04x"):format(code) end
    local control = table.concat(bytes) .. "\127\194\155\226\128\174\255"
    local err = error_of(('{"code":"c%s","message":"m%s","inner":{"code":"i%s"},"errors":{"a%s":["d%s"]}}')
      :gsub("%%s", { s = control, ["%s"] = control }))
    local text = tostring(err)
    assert.are.same({ "\n" }, { text:match("^[\32-\126]+(\n)[\32-\126]+$") }, text)
    assert.is_truthy(text:find("webpubsub: add_user_to_group: m\\x00\\x01", 1, true), text)
  end)

  it("prints briefly whatever its length", function()
    local err = error_of('{"code":"' .. ("c"):rep(400000) .. '","message":"' .. ("m"):rep(500000) .. '"}')
    assert.are.equal(64 * 1024 + #"...", #err.message)
    assert.is_true(#tostring(err) < 1200)
    assert.is_truthy(tostring(err):find("mmm... (400 ccc", 1, true))
  end)
end)

describe("a response", function()
  it("tells what came and what the call was", function()
    local response, err = finish("close_all_connections", nil, 204, "Date: today\r\n", "")
    assert.is_nil(err)
    assert.are.same({ 204, "No Content", "", false, "today", "close_all_connections", 1, 0.25 }, { response.status,
      response.reason, response.body, response.is_error, response.headers.Date, response.operation, response.attempts,
      response.elapsed })
    assert.is_truthy(response.request_id)
    assert.is_nil(response.error)
  end)

  it("prints as one readable line", function()
    assert.are.equal("204 No Content (close_all_connections, 1 attempt, 250 ms)",
      tostring((finish("close_all_connections", nil, 204, "", ""))))
  end)

  it("has any body as it is", function()
    local body = "\0\255{"
    assert.are.equal(body, finish("close_all_connections", nil, 200, "", body).body)
  end)

  it("is a success for every status of the 200s, and for no other", function()
    for status = 200, 299 do
      assert.is_false(finish("close_all_connections", nil, status, "", "").is_error)
    end
    for _, status in ipairs({ 100, 199, 300, 301, 304, 307, 400, 404, 500, 599, 999 }) do
      assert.is_nil((finish("close_all_connections", nil, status, "", "")))
    end
  end)
end)

describe("no_throw", function()
  it("makes a service error a response", function()
    local response, err = finish("close_all_connections", nil, 403, JSON, FLAT, true)
    assert.is_nil(err)
    assert.are.same({ 403, true, "Error.Connection.NotExisted" },
      { response.status, response.is_error, response.error.code })
    assert.are.equal(response, response.error.response)
  end)

  it("changes nothing about a success", function()
    assert.is_nil(finish("close_all_connections", nil, 204, "", "", true).error)
  end)

  it("leaves what is no answer of the service an error", function()
    local call = calls.sending("close_all_connections", nil, { retries = 0 })
    call:failure(0, 0.5, "transport", "connect", "refused")
    local response, err = call:result(true)
    assert.is_nil(response)
    assert.are.same({ "transport", "connect", "refused" }, { err.kind, err.code, err.message })
    assert.is_nil(err.response)
    assert.is_nil(err.status)
  end)
end)

describe("an operation that asks whether something exists", function()
  local asking = { connection_exists = { connection = "c" }, user_exists = { user = "u" },
    group_exists = { group = "g" }, check_permission = { permission = "sendToGroup", connection = "c" } }
  for operation, arguments in pairs(asking) do
    it(operation .. " takes 404 as an answer", function()
      local response = finish(operation, arguments, 404, "x-ms-error-code: Warning.X.NotExisted\r\n", "")
      assert.are.same({ 404, false }, { response.status, response.is_error })
      assert.is_false(finish(operation, arguments, 200, "", "").is_error)
    end)

    it(operation .. " takes nothing else as a no", function()
      for _, status in ipairs({ 400, 401, 403, 410, 429, 500 }) do
        assert.is_nil((finish(operation, arguments, status, "", "")))
      end
      assert.is_nil((finish(operation, arguments, 404, "x-ms-error-code: Warning.X\r\n", "")))
    end)
  end

  it("is the only kind for which 404 is none", function()
    assert.are.equal(404, error_of("", 404).status)
  end)
end)

describe("the answer to generate_client_token", function()
  local function token_of(body, status)
    return finish("generate_client_token", nil, status or 200, JSON, body)
  end

  it("is its token", function()
    assert.are.equal("a.b.c", token_of('{"token":"a.b.c"}').token)
  end)

  it("that is none is an error with the response", function()
    for _, body in ipairs({ "", "a.b.c", "{}", "[]", "null", '{"token":null}', '{"token":42}', '{"token":"a',
      '{"token":""}', '{"token":"a b"}', '{"token":"a\\r\\nX-Y: b"}', '{"token":"\\u00e9"}' }) do
      local response, err = token_of(body)
      assert.is_nil(response)
      assert.are.same({ "protocol", "malformed", false, 200, body },
        { err.kind, err.code, err.retryable, err.response.status, err.response.body })
      assert.is_truthy(tostring(err):find("its answer is not the JSON it should be: ", 1, true))
      assert.is_nil(err.response.token)
    end
  end)

  it("that is none says why", function()
    for body, why in pairs({ ["{}"] = "it has no token", ["[]"] = "it is no object",
      ['{"token":"a'] = "it ends too early",
      ['{"token":"a","token":"a"}'] = "a name is there twice", ['{"token":"\255"}'] = "a string is not UTF-8" }) do
      local message = select(2, token_of(body)).message
      assert.is_truthy(message:find(": " .. why, 1, true), message)
    end
    local _, err = finish("generate_client_token", nil, 200, "Content-Encoding: br\r\n", "\139\0")
    assert.is_truthy(err.message:find("it is encoded as br, which was not asked for", 1, true), err.message)
  end)

  it("is not looked for in an error", function()
    assert.are.equal("service", select(2, token_of("", 403)).kind)
  end)
end)

describe("the answer to list_connections_in_group", function()
  local function page_of(body)
    return finish("list_connections_in_group", { group = "g" }, 200, JSON, body)
  end

  it("is its members and the link to the next page", function()
    local page = page_of('{"value":[{"connectionId":"c1","userId":"u1"},{"connectionId":"c2"},'
      .. '{"connectionId":"c3","userId":null}],"nextLink":"https://a.example/next"}')
    assert.are.same({ { connection = "c1", user = "u1" }, { connection = "c2" }, { connection = "c3" } }, page.items)
    assert.are.equal("https://a.example/next", page.next_link)
  end)

  it("has no link on the last page, and may be empty", function()
    for _, body in ipairs({ '{"value":[]}', '{"value":[],"nextLink":null}', '{"value":[],"nextLink":""}' }) do
      local page = page_of(body)
      assert.are.same({}, page.items)
      assert.is_nil(page.next_link)
    end
  end)

  it("that is none is an error", function()
    for _, body in ipairs({ "", "{}", "[]", '{"value":null}', '{"value":"c1"}', '{"value":["c1"]}',
      '{"value":[[1],2]}', '{"value":[{}]}', '{"value":[{"userId":"u"}]}', '{"value":[{"connectionId":5}]}',
      '{"value":[{"connectionId":""}]}', '{"value":[{"connectionId":"c"},{"connectionId":null}]}',
      '{"value":{"c1":{"connectionId":"c1"}}}', '{"value":[],"value":[]}', '{"value":[],"nextLink":5}',
      '{"value":[],"nextLink":"a","nextLink":"b"}', '{"value":[{"connectionId":"c","connectionId":"d"}]}',
      '{"value":[{"connectionId":"\255"}]}', '{"value":[]}x' }) do
      local _, err = page_of(body)
      assert.are.equal("malformed", err.code, body)
      assert.is_nil(err.response.items or err.response.next_link)
    end
  end)
end)
