-- What a finished call becomes: a response, or an error made of whatever body the service, or a gateway, sent.

local calls = require("spec.support.calls")
local cjson = require("cjson")

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

  local none = { [""] = "nothing", ["<html><title>502</title></html>"] = "HTML", ["Bad gateway"] = "text",
    ['{"code":"Error.X","message":'] = "broken JSON", ["{'code':'x'}"] = "JSON with single quotes",
    ["[]"] = "an empty list", ['["code"]'] = "a list", ['"code"'] = "a string", ["42"] = "a number",
    ["true"] = "a boolean", ["null"] = "null", ["{}"] = "an empty object", [" \r\n "] = "blanks",
    ['{"error":null}'] = "an empty wrapping", ['{"error":"text"}'] = "a text for a wrapping",
    ["\0\1\2\255"] = "bytes", ["NaN"] = "no number", ["{\"code\":\"x\"}}"] = "JSON with something behind it" }
  for body, what in pairs(none) do
    it("that is " .. what .. " leaves status and headers to say what is wrong, and is kept", function()
      local err = error_of(body, 502, "x-ms-error-code: Error.Y\r\n")
      assert.are.same({ "service", "Error.Y", "the service answered 502 Bad Gateway", 502 },
        { err.kind, err.code, err.message, err.status })
      assert.are.equal(body, err.response.body)
      assert.is_nil(err.target or err.details or err.inner)
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
        assert.are.same({ "Bad Request", "the service answered 400 Bad Request" }, { err.code, err.message })
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
    assert.are.same({ "E\255", "\200\201 broken" }, { err.code, err.message })
  end)

  it("has escapes decoded", function()
    assert.are.equal("é\n\"\0", error_of('{"message":"\\u00e9\\n\\"\\u0000"}').message)
  end)

  it("nested 10,000 deep is left undecoded", function()
    local deep = ('{"inner":'):rep(10000) .. "{}" .. ("}"):rep(10000)
    local err = error_of(deep)
    assert.are.same({ "Bad Request", deep }, { err.code, err.response.body })
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

  it("larger than 1 MiB is kept and not decoded", function()
    local large = '{"code":"E","message":"' .. ("x"):rep(1024 * 1024) .. '"}'
    local err = error_of(large)
    assert.are.same({ "Bad Request", #large }, { err.code, #err.response.body })
  end)
end)

describe("the host's own lua-cjson", function()
  local nested = '{"code":"E","inner":{"code":"a","inner":{"code":"b","inner":{"code":"c"}}}}'

  it("is neither used nor changed", function()
    local depth = cjson.decode_max_depth()
    cjson.decode_max_depth(2)
    finally(function() cjson.decode_max_depth(depth) end)
    assert.are.equal("c", error_of(nested).inner.inner.inner.code)
    assert.is_false((pcall(cjson.decode, nested)))
    assert.are.equal(2, cjson.decode_max_depth())
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

  it("prints as one line whatever the service sent", function()
    local bytes = {}
    for code = 0, 31 do bytes[#bytes + 1] = ("\\u%04x"):format(code) end
    local control = table.concat(bytes) .. "\127"
    local err = error_of('{"code":"c' .. control .. '","message":"m' .. control .. '"}')
    assert.is_nil(tostring(err):find("%c"))
    assert.is_truthy(tostring(err):find("webpubsub: add_user_to_group: m ", 1, true))
  end)

  it("prints briefly whatever its length", function()
    local err = error_of('{"code":"' .. ("c"):rep(400000) .. '","message":"' .. ("m"):rep(500000) .. '"}')
    assert.are.equal(500000, #err.message)
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
      assert.is_truthy(tostring(err):find("its answer is not the JSON it should be", 1, true))
    end
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
      '{"value":{"c1":{"connectionId":"c1"}}}' }) do
      assert.are.equal("malformed", select(2, page_of(body)).code, body)
    end
  end)
end)
