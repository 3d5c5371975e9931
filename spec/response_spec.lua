-- What a response says besides its body: how long to wait, a code where the body has none, a challenge, its headers.

local calls = require("spec.support.calls")
local core = require("webpubsub.core")

-- Ends a call with this answer and returns its error.
local function error_of(status, headers, wall)
  local call = calls.sending("close_all_connections", nil, { retries = 0 })
  assert.are.equal("done", calls.respond(call, 0, wall or calls.WALL, 0.5, status, headers, ""))
  local response, err = call:result()
  assert.is_nil(response)
  return err
end

local function retry_after(headers, wall)
  return error_of(503, headers, wall).retry_after
end

describe("the wait that a service asks for", function()
  local values = {
    { "Retry-After: 7\r\n", 7 },
    { "Retry-After: 0\r\n", 0 },
    { "Retry-After: 1.5\r\n", 1.5 },
    { "retry-after:   12  \r\n", 12 },
    { "RETRY-AFTER: 12\r\n", 12 },
    { "Retry-After: 120", 120 },
    { "retry-after-ms: 1500\r\n", 1.5 },
    { "retry-after-ms: 0.5\r\n", 0.0005 },
    { "x-ms-retry-after-ms: 250\r\n", 0.25 },
    { "Retry-After: 9\r\nretry-after-ms: 250\r\nx-ms-retry-after-ms: 500\r\n", 0.25 },
    { "Retry-After: 9\r\nx-ms-retry-after-ms: 500\r\n", 0.5 },
    { "Retry-After: 9\r\nretry-after-ms: soon\r\n", 9 },
    { "Retry-After: 9\r\nretry-after-ms: -5\r\n", 9 },
    { "Retry-After: 9\r\nRetry-After: 5\r\n", 9 },
    { "Retry-After: 100000000000000000000\r\n", 1e20 },
    { "Retry-After: Sun, 06 Nov 1994 08:49:37 GMT\r\n", 100, 784111677 },
    { "Retry-After: Sunday, 06-Nov-94 08:49:37 GMT\r\n", 100, 784111677 },
    { "Retry-After: Sun Nov  6 08:49:37 1994\r\n", 100, 784111677 },
    { "Retry-After: Sun, 06 Nov 1994 08:49:37 GMT\r\n", 0.5, 784111776.5 },
    { "Retry-After: Sun, 06 Nov 1994 08:49:37 GMT\r\n", 0, 784111777 },
    { "Retry-After: Sun, 06 Nov 1994 08:49:37 GMT\r\n", 0, 784111778 },
    { "Retry-After: Thu, 01 Jan 1970 00:00:00 GMT\r\n", 0 },
    { "Retry-After: Thu, 29 Feb 2024 00:00:00 GMT\r\n", 10, 1709164790 },
    { "Retry-After: Fri, 01 Mar 2024 00:00:00 GMT\r\n", 10, 1709251190 },
    { "Retry-After: Sat, 31 Dec 2016 23:59:60 GMT\r\n", 10, 1483228790 },
    { "Retry-After: Mon, 01 Jan 2001 00:00:00 GMT\r\n", 10, 978307190 },
    { "Retry-After: Friday, 01-Jan-38 00:00:00 GMT\r\n", 10, 2145916790 },
  }
  for _, case in ipairs(values) do
    it(("is %g s after %q"):format(case[2], case[1]), function()
      assert.are.equal(case[2], retry_after(case[1], case[3]))
    end)
  end

  local silent = { "", "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n", "Retry-After:\r\n", "Retry-After: \r\n",
    "Retry-After: soon\r\n", "Retry-After: -1\r\n", "Retry-After: +1\r\n", "Retry-After: 1e3\r\n",
    "Retry-After: 0x10\r\n", "Retry-After: inf\r\n", "Retry-After: nan\r\n", "Retry-After: .5\r\n",
    "Retry-After: 1 2\r\n", "Retry-After: 1.2.3\r\n", "Retry-After: " .. ("9"):rep(400) .. "\r\n",
    "Retry-After: Sun, 06 Nov 1994\r\n", "Retry-After: Sun, 06 Foo 1994 08:49:37 GMT\r\n",
    "Retry-After: Sun, 00 Nov 1994 08:49:37 GMT\r\n", "Retry-After: Sun, 32 Nov 1994 08:49:37 GMT\r\n",
    "Retry-After: Sun, 06 Nov 1994 24:49:37 GMT\r\n", "Retry-After: Sun, 06 Nov 1994 08:60:37 GMT\r\n",
    "Retry-After: Sun, 06 Nov 1994 -8:49:37 GMT\r\n", "Retry-After: Sun, 06 Nov 1994 08:49:61 GMT\r\n",
    "Retry-After: Sun, 06 Nov 1969 08:49:37 GMT\r\n", "Retry-After: Sun, 06 Nov 1994 08:49:37 +0200\r\n",
    "Retry-After: Sun, 06 Nov 1994 08:49:37 GMT!\r\n", "Retry-After: Sun Nov  6 08:49:37 1994 GMT\r\n",
    "retry-after-ms: Sun, 06 Nov 1994 08:49:37 GMT\r\n", "x-retry-after: 5\r\n" }
  for _, headers in ipairs(silent) do
    it(("is none after %q"):format(#headers < 100 and headers or "400 digits"), function()
      assert.is_nil(retry_after(headers))
    end)
  end
end)

describe("the code of an answer without a body", function()
  local cases = {
    { "x-ms-error-code: Error.X\r\nWWW-Authenticate: Bearer error=\"invalid_token\"\r\n", 401, "Error.X" },
    { "X-MS-Error-Code:  Error.X \r\n", 404, "Error.X" },
    { "WWW-Authenticate: Bearer error=\"invalid_token\", error_description=\"The audience is invalid\"\r\n", 401,
      "invalid_token" },
    { "www-authenticate: Bearer realm=\"a\",error=invalid_token\r\n", 401, "invalid_token" },
    { "WWW-Authenticate: Bearer error_description=\"no error=\\x here\", error=\"invalid_token\"\r\n", 401,
      "invalid_token" },
    { "WWW-Authenticate: Bearer error_description=\"an error=fake\"\r\n", 401, "Unauthorized" },
    { "WWW-Authenticate: Bearer myerror=\"x\"\r\n", 401, "Unauthorized" },
    { "WWW-Authenticate: Bearer error=\"unfinished\r\n", 401, "unfinished" },
    { "WWW-Authenticate: Bearer error=\"\"\r\n", 401, "Unauthorized" },
    { "WWW-Authenticate: Bearer error=\r\n", 401, "Unauthorized" },
    { "WWW-Authenticate: Bearer\r\n", 401, "Unauthorized" },
    { "x-ms-error-code:\r\n", 403, "Forbidden" },
    { "", 429, "Too Many Requests" },
    { "", 503, "Service Unavailable" },
    { "", 599, "HTTP 599" },
    { "", 302, "Found" },
  }
  for _, case in ipairs(cases) do
    it(("is %q after %d and %q"):format(case[3], case[2], case[1]), function()
      local err = error_of(case[2], case[1])
      assert.are.equal(case[3], err.code)
      assert.are.equal(case[2], err.status)
    end)
  end

  it("comes with a message: the description of the challenge, or the status", function()
    assert.are.equal("The audience is invalid", error_of(401,
      "WWW-Authenticate: Bearer error=\"invalid_token\", error_description=\"The audience is invalid\"\r\n").message)
    assert.are.equal("the service answered 403 Forbidden", error_of(403, "").message)
    assert.are.equal("the service answered 599", error_of(599, "").message)
  end)
end)

describe("a claims challenge", function()
  -- base64 of {"access_token":{"nbf":{"essential":true,"value":"1604106651"}}} and of bytes that need both alphabets
  local CLAIMS = '{"access_token":{"nbf":{"essential":true,"value":"1604106651"}}}'
  local ENCODED = "eyJhY2Nlc3NfdG9rZW4iOnsibmJmIjp7ImVzc2VudGlhbCI6dHJ1ZSwidmFsdWUiOiIxNjA0MTA2NjUxIn19fQ=="

  local function claims_after(status, header)
    local call = calls.prepare("close_all_connections", nil, { credential = function() end, retries = 0 })
    call:begin(0)
    call:token(0, "token")
    local step = calls.respond(call, 0, calls.WALL, 0.5, status, header, "")
    return call:claims(), step
  end

  local function challenge(claims)
    return 'WWW-Authenticate: Bearer realm="", error="insufficient_claims", claims="' .. claims .. '"\r\n'
  end

  it("is decoded, with padding and without", function()
    assert.are.equal(CLAIMS, (claims_after(401, challenge(ENCODED))))
    assert.are.equal(CLAIMS, (claims_after(401, challenge((ENCODED:gsub("=", ""))))))
    assert.are.equal("token", select(2, claims_after(401, challenge(ENCODED))))
  end)

  it("is decoded from both alphabets", function()
    assert.are.equal("\251\255\254", (claims_after(401, challenge("+//+"))))
    assert.are.equal("\251\255\254", (claims_after(401, challenge("-__-"))))
  end)

  it("is none with another status, another error, or claims that are no base64", function()
    for _, case in ipairs({
      { 403, challenge(ENCODED) },
      { 401, (challenge(ENCODED):gsub("insufficient_claims", "invalid_token")) },
      { 401, challenge("not base64!") },
      { 401, challenge("") },
      { 401, 'WWW-Authenticate: Bearer error="insufficient_claims"\r\n' },
      { 401, "" },
    }) do
      local claims, step = claims_after(case[1], case[2])
      assert.is_nil(claims)
      assert.are.equal("done", step)
    end
  end)
end)

describe("the headers of a response", function()
  local function headers_of(block)
    local call = calls.sending("user_exists", { user = "alice" })
    calls.respond(call, 0, calls.WALL, 0.5, 200, block, "")
    return call:result().headers
  end

  it("are found in any case", function()
    local headers = headers_of("DaTe: today\r\nx-a: 1\r\n")
    for _, name in ipairs({ "Date", "date", "DATE", "dAtE" }) do assert.are.equal("today", headers[name]) end
    assert.are.equal("1", headers["X-A"])
    assert.is_nil(headers["X-B"])
    assert.is_nil(headers[1])
  end)

  it("are kept under their names in lower case", function()
    local names = {}
    for name in pairs(headers_of("B: 2\r\nA: 1\r\n")) do names[#names + 1] = name end
    table.sort(names)
    assert.are.same({ "a", "b" }, names)
  end)

  it("that are repeated make one list", function()
    local headers = headers_of("Via: a\r\nX: 1\r\nVIA: b\r\nvia: c, d\r\n")
    assert.are.equal("a, b, c, d", headers.via)
    assert.are.equal("1", headers.x)
  end)

  it("may be odd without being lost or misread", function()
    local headers = headers_of("no colon here\r\n: no name\r\nA:\r\nB:no blank\r\nC: a:b\r\n\r\n"
      .. "D:\t tabs \t\r\nE: last")
    assert.are.same({ a = "", b = "no blank", c = "a:b", d = "tabs", e = "last" }, headers)
  end)

  it("may end in bare line feeds", function()
    assert.are.same({ a = "1", b = "2" }, headers_of("A: 1\nB: 2\n"))
  end)

  it("may be none", function()
    assert.are.same({}, headers_of(""))
    assert.are.same({}, headers_of(nil))
  end)

  it("print sorted, a line each, with control bytes shown", function()
    assert.are.equal("a: 1\\x1bx\nb: 2", tostring(core.headers("B: 2\r\nA: 1\27x\r\n")))
  end)
end)
