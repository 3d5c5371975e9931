-- What each operation's method returns or raises for each answer that the service and what stands before it give.

local cjson = require("cjson")
local core = require("webpubsub.core")
local failing_calls = require("spec.support.failing_calls")
local scripted_server = require("spec.support.scripted_server")
local steps = require("spec.support.steps")

local raised_by = failing_calls.raised_by

local server, client

setup(function()
  server = scripted_server.start()
  client = failing_calls.client(server.origin, { retries = 0 })
end)
teardown(function() server:stop() end)
before_each(function() server:reset() end)

-- ---------------------------------------------------------------- the answers

local JSON = "application/json; charset=utf-8"

local FILTER_MESSAGE = "Invalid syntax for 'invalid filter': Syntax error at position 14 in 'invalid filter'. "
  .. "(Parameter 'filter')"
local HTML = "<html><body><h1>502 Bad Gateway</h1></body></html>\r\n"

-- What is answered (status, headers, body), and of the error that this becomes what an answer without its body has too
-- and what only the body can tell.
local refusals = {
  ["something that is not there"] = {
    { 404, { ["Content-Type"] = JSON, ["x-ms-error-code"] = "Error.Connection.NotExisted" },
      { code = "Error.Connection.NotExisted", message = "Connection `c` is not found.", target = "Connection",
        details = cjson.null, inner = cjson.null } },
    { code = "Error.Connection.NotExisted" },
    { message = "Connection `c` is not found.", target = "Connection" },
  },
  ["nothing, without a word"] = { { 404, {}, "" }, { code = "Not Found" } },
  ["nothing, with an empty code"] = { { 404, { ["x-ms-error-code"] = "" }, "" }, { code = "Not Found" } },
  ["a hub that is not there"] = {
    { 404, { ["x-ms-error-code"] = "Error.Hub.NotFound" }, "" }, { code = "Error.Hub.NotFound" }, foreign = true,
  },
  ["a code that only begins like it"] = {
    { 404, { ["x-ms-error-code"] = "Error.User.NotExisted.Here" }, "" }, { code = "Error.User.NotExisted.Here" },
    foreign = true,
  },
  ["an argument that is not valid"] = {
    { 400, { ["Content-Type"] = "application/problem+json; charset=utf-8", ["x-ms-error-code"] = "Error.BadRequest" },
      { code = "Error.BadRequest", message = FILTER_MESSAGE, target = "filter",
        errors = { filter = { FILTER_MESSAGE } }, title = "One or more validation errors occurred.", status = 400 } },
    { code = "Error.BadRequest" },
    { message = FILTER_MESSAGE, target = "filter" },
  },
  ["an error within an error"] = {
    { 409, { ["Content-Type"] = JSON }, { error = { code = "Outer", message = "told twice", target = "hub",
      details = { { code = "Detail", message = "one" } }, innererror = { code = "Inner" } } } },
    { code = "Conflict" },
    { code = "Outer", message = "told twice", target = "hub", details = { { code = "Detail", message = "one" } },
      inner = { code = "Inner" } },
  },
  ["a token that is not accepted"] = {
    { 401, { ["WWW-Authenticate"] = 'Bearer error="invalid_token", error_description="The audience is invalid"' } },
    { code = "invalid_token", message = "The audience is invalid" },
  },
  ["a right that is missing"] = { { 403, {}, "" }, { code = "Forbidden" } },
  ["a body that is too large"] = { { 413, {} }, { code = "Content Too Large" } },
  ["a type that is not supported"] = { { 415, {} }, { code = "Unsupported Media Type" } },
  ["too much at once"] = { { 429, { ["Retry-After"] = "7" } },
    { code = "Too Many Requests", retryable = true, retry_after = 7 } },
  ["a fault of the service"] = { { 500, {} }, { code = "Internal Server Error", retryable = true } },
  ["a page of a gateway"] = { { 502, { ["Content-Type"] = "text/html" }, HTML },
    { code = "Bad Gateway", retryable = true } },
  ["JSON that is cut off"] = { { 503, { ["Content-Type"] = JSON }, '{"code":"Err' },
    { code = "Service Unavailable", retryable = true } },
  ["a gateway that waited too long"] = { { 504, {} }, { code = "Gateway Timeout", retryable = true } },
}

local function answer(status, headers, body)
  if type(body) == "table" then body = cjson.encode(body) end
  server:script({ steps.reply({ status = status, headers = headers, body = body }) })
  return body or ""
end

-- ---------------------------------------------------------------- the calls

local VALUES = { user = "u", group = "g", connection = "c", groups = { "g" }, content = "x",
  permission = "sendToGroup", target_name = "g" }

local function required(operation)
  local arguments = {}
  for _, parameter in ipairs(operation.parameters) do
    if parameter.required then arguments[parameter.name] = VALUES[parameter.name] end
  end
  return arguments
end

-- The two ways to call an operation: in place, and as a task. Of a listing it is the first page.
local ways = {
  method = function(operation)
    local method = client[operation.name]
    if operation.result == "list" then return method(client, required(operation)):pages()() end
    return method(client, required(operation))
  end,
  task = function(operation)
    return client[operation.name .. "_async"](client, required(operation)):await()
  end,
}

-- What a success brings, and how its response is found in what the method returns.
local successes = {
  none = { nil, function(response) return response end },
  exists = { nil, function(exists, response)
    assert.are.same({ true, true }, { exists, response.exists })
    return response
  end },
  list = { { value = { { connectionId = "c", userId = "u" }, { connectionId = "d", userId = cjson.null } } },
    function(page)
      assert.are.same({ { connection = "c", user = "u" }, { connection = "d" } }, page.items)
      return page.response
    end },
  token = { { token = "a.b.c" }, function(response)
    assert.are.equal("a.b.c", response.token)
    return response
  end },
}

local function assert_returns(operation, call, status)
  local content, response_of = successes[operation.result][1], successes[operation.result][2]
  local body = answer(status, { ["Content-Type"] = content and JSON }, content)
  local response = response_of(call(operation))
  assert.are.same({ status, operation.name, body, false, 1 }, { response.status, response.operation, response.body,
    response.is_error, response.attempts })
end

-- The answer to HEAD announces its body's length and has none.
local function assert_raises(operation, call, refusal, expected)
  local sent = answer(refusal[1][1], refusal[1][2], refusal[1][3])
  local err = raised_by(call, operation)
  for name, value in pairs(expected) do assert.are.same(value, err[name], name) end
  assert.are.same({ "service", refusal[1][1], operation.name, 1, expected.retryable or false },
    { err.kind, err.status, err.operation, err.attempts, err.retryable }, tostring(err))
  assert.are.equal(operation.method == "HEAD" and "" or sent, err.response.body)
end

local function assert_no(operation, call, refusal)
  answer(404, refusal[1][2], refusal[1][3])
  local exists, response = call(operation)
  assert.are.same({ false, false, 404, "" }, { exists, response.exists, response.status, response.body })
end

local function expectation(operation, refusal)
  local expected = {}
  for name, value in pairs(refusal[2]) do expected[name] = value end
  if operation.method ~= "HEAD" then
    for name, value in pairs(refusal[3] or {}) do expected[name] = value end
  end
  return expected
end

for _, operation in ipairs(core.operations()) do
  local is_question = operation.result == "exists"

  describe(operation.name, function()
    it("returns what the service answers", function()
      for _, call in pairs(ways) do assert_returns(operation, call, operation.success) end
    end)

    if is_question or operation.result == "none" then
      it("takes any status of the 200s for a success", function()
        for _, status in ipairs({ 200, 201, 202, 204, 299 }) do assert_returns(operation, ways.method, status) end
      end)
    end

    for what, refusal in pairs(refusals) do
      local says_no = is_question and refusal[1][1] == 404 and not refusal.foreign
      it((says_no and "answers no to " or "raises ") .. what, function()
        for _, call in pairs(ways) do
          if says_no then
            assert_no(operation, call, refusal)
          else
            assert_raises(operation, call, refusal, expectation(operation, refusal))
          end
        end
        assert.are.equal(2, #server:requests())
      end)
    end
  end)
end
