-- What comes back when Entra ID or a managed identity is asked for a token.

local calls = require("spec.support.calls")
local identities = require("spec.support.identities")

local WALL = calls.WALL
local TOKEN = "eyJ0.eyJh.c2ln"

local function answer(body, fields)
  fields = fields or {}
  return identities.answer(fields.identity or identities.new(), fields.status or 200, body, fields.headers, fields.wall)
end

local function message_of(body, fields)
  local token, code, message = answer(body, fields)
  assert.is_nil(token)
  return message, code
end

local function with_token(members)
  return ('{"token_type":"Bearer","access_token":"%s"%s}'):format(TOKEN, members and "," .. members or "")
end

describe("an answer with a token", function()
  it("says when it expires: as a number or a string, a duration or a time", function()
    for _, members in ipairs({ '"expires_in":3600', '"expires_in":"3600"', '"expires_in":3600.0',
      ('"expires_on":%d'):format(WALL + 3600), ('"expires_on":"%d"'):format(WALL + 3600),
      '"expires_in":"3600","expires_on":"1"' }) do
      assert.are.same({ TOKEN, WALL + 3600, 0 }, { answer(with_token(members)) }, members)
    end
  end)

  it("may say when to ask for the next", function()
    assert.are.same({ TOKEN, WALL + 86400, WALL + 43200 },
      { answer(with_token('"expires_in":86400,"refresh_in":43200')) })
    assert.are.same({ TOKEN, WALL + 86400, WALL + 43200 },
      { answer(with_token(('"expires_in":86400,"refresh_on":"%d"'):format(WALL + 43200))) })
    assert.are.same({ TOKEN, WALL + 100, 0 }, { answer(with_token('"expires_in":100,"refresh_in":100')) })
    assert.are.same({ TOKEN, WALL + 100, 0 }, { answer(with_token('"expires_in":100,"refresh_in":"soon"')) })
  end)

  it("is read by the clock of the server, where that tells the time", function()
    local date = "Date: Tue, 14 Nov 2023 23:13:20 GMT\r\n" -- an hour later than here
    assert.are.same({ TOKEN, WALL + 600, 0 },
      { answer(with_token(('"expires_on":%d'):format(WALL + 4200)), { headers = date }) })
    assert.are.same({ TOKEN, WALL + 600, 0 }, { answer(with_token('"expires_in":600'), { headers = date }) })
  end)

  it("is refused without a token, an end that can be, or its JSON", function()
    for body, wanted in pairs({
      ["{}"] = "Entra ID answered without a token",
      ['{"access_token":"","expires_in":1}'] = "Entra ID answered without a token",
      ['{"access_token":"a b","expires_in":1}'] = "Entra ID answered without a token",
      ['{"access_token":"a\\r\\nb","expires_in":1}'] = "Entra ID answered without a token",
      ['{"access_token":5,"expires_in":1}'] = "Entra ID answered without a token",
      [with_token()] = "Entra ID did not say when its token expires",
      [with_token('"expires_in":"soon"')] = "Entra ID did not say when its token expires in seconds",
      [with_token('"expires_on":"11/05/2021 15:18:31 +00:00"')] =
        "Entra ID did not say when its token expires in seconds",
      [with_token('"expires_in":-1')] = "Entra ID did not say when its token expires in seconds",
      [with_token('"expires_in":0')] = "Entra ID answered with a token that has expired already",
      [with_token(('"expires_on":%d'):format(WALL))] = "Entra ID answered with a token that has expired already",
      [with_token(('"expires_on":%d000'):format(WALL + 3600))] =
        "Entra ID answered with a token that seems to be good for more than ten years",
      ["[]"] = "what Entra ID answered is not the JSON it should be: it is not an object",
      [with_token('"expires_in":1,"expires_in":2')] =
        "what Entra ID answered is not the JSON it should be: a name is there twice",
    }) do
      assert.are.equal(wanted, (message_of(body)), body)
    end
    assert.are.equal("what Entra ID answered is not the JSON it should be: it is text/html, not JSON",
      (message_of("<html>", { headers = "Content-Type: text/html\r\n" })))
    assert.are.equal("malformed", select(2, message_of("{")))
  end)

  it("may be long, and have what nobody asked for", function()
    local long = ("x"):rep(100000)
    assert.are.equal(long, (answer('{"a":[{}],"access_token":"' .. long .. '","expires_in":1,"b":null}')))
    assert.is_nil((answer('{"access_token":"' .. ("x"):rep(300000) .. '","expires_in":1}')))
  end)
end)

describe("an answer with an error", function()
  local AADSTS = [[{"error":"invalid_client","error_description":"AADSTS7000215: Invalid client secret provided. ]]
    .. [[Ensure the secret is the value.\r\nTrace ID: t\r\nCorrelation ID: c","error_codes":[7000215],]]
    .. [["trace_id":"11111111-2222","correlation_id":"33333333-4444"}]]

  it("is told by its code, the first line of its description and both ids", function()
    assert.are.same({ "Entra ID answered 401 Unauthorized, invalid_client: AADSTS7000215: Invalid client secret "
      .. "provided. Ensure the secret is the value. (trace_id 11111111-2222, correlation_id 33333333-4444)",
      "invalid_client" },
      { message_of(AADSTS, { status = 401 }) })
  end)

  it("of other sources has other forms", function()
    assert.are.same({ "IMDS answered 400 Bad Request, invalid_request: Identity not found", "invalid_request" },
      { message_of('{"error":"invalid_request","error_description":"Identity not found"}',
        { status = 400, identity = identities.managed("imds") }) })
    assert.are.equal("App Service answered 400 Bad Request: no managed identity",
      (message_of('{"statusCode":400,"message":"no managed identity"}', { status = 400,
        identity = identities.managed("app_service", { place = "http://localhost/t", secret = "s" }) })))
    assert.are.equal("Azure ML answered 500 Internal Server Error, oops: it broke",
      (message_of('{"error":{"code":"oops","message":"it broke"}}', { status = 500,
        identity = identities.managed("azure_ml", { place = "http://localhost/t", secret = "s" }) })))
  end)

  it("may be nothing of the kind", function()
    for _, body in ipairs({ "", "<html>502</html>", "{", '{"error":5}', "\0\1" }) do
      assert.are.same({ "Entra ID answered 502 Bad Gateway", "refused" }, { message_of(body, { status = 502 }) })
    end
  end)

  it("has one printable line, and no more than fits", function()
    local message = message_of('{"error":"a b","error_description":"one\\u0007\\u001b[31m\\ttwo\\nthree"}',
      { status = 400 })
    assert.are.equal("Entra ID answered 400 Bad Request: one  [31m two", message)
    message = message_of(('{"error":"e","error_description":"%s"}'):format(("é"):rep(500)), { status = 400 })
    assert.is_true(#message < 384)
    assert.is_truthy(message:find("é$"))
  end)

  it("never repeats the secret, even where the server does", function()
    local identity = identities.new({ secret = "5ecr3t-value" })
    local message = message_of('{"error":"e","error_description":"wrong: 5ecr3t-value"}',
      { status = 400, identity = identity })
    assert.are.equal("Entra ID answered 400 Bad Request, e", message)
  end)

  it("may ask to wait", function()
    assert.are.equal(17, (select(4, answer("{}", { status = 429, headers = "Retry-After: 17\r\n" }))))
    assert.are.equal(3, select("#", answer("{}", { status = 429 })))
  end)
end)

describe("the challenge of Azure Arc", function()
  local function prove(header, folder)
    local identity = identities.managed("arc", { place = "http://localhost/t" })
    local call = identities.sending(assert(identity:prepare(WALL)))
    call:deliver(401, header, "")
    return identity:prove(call, folder)
  end

  local folder, outside

  setup(function()
    local pipe = io.popen("mktemp -d && mktemp -d")
    folder, outside = pipe:read("*l"), pipe:read("*l")
    pipe:close()
    local function write(path, text)
      local file = assert(io.open(path, "wb"))
      file:write(text)
      file:close()
    end
    write(folder .. "/good.key", "the-key")
    write(folder .. "/line.key", "the-key\r\n")
    write(folder .. "/long.key", ("x"):rep(4096))
    write(folder .. "/longer.key", ("x"):rep(4097))
    write(folder .. "/empty.key", "")
    write(folder .. "/other.txt", "secret")
    write(folder .. "/bad.key", "a\0b")
    write(outside .. "/good.key", "secret")
    os.execute(("ln -s %s/good.key %s/link.key; mkdir %s/folder.key; mkfifo %s/fifo.key"):format(outside, folder,
      folder, folder))
  end)
  teardown(function() os.execute(("rm -rf %s %s"):format(folder, outside)) end)

  it("is answered with the text of a key file in its folder", function()
    for _, name in ipairs({ "good", "line" }) do
      local sent = identities.sent(assert(prove(("WWW-Authenticate: Basic realm=%s/%s.key\r\n"):format(folder, name),
        folder)))
      assert.are.same({ "Accept: application/json", "Metadata: true", "Authorization: Basic the-key" }, sent.headers)
    end
    assert.is_truthy(prove(('WWW-Authenticate: Basic realm="%s/long.key"\r\n'):format(folder), folder))
  end)

  it("cannot have any other file read", function()
    for _, path in ipairs({ "/etc/shadow", "/etc/passwd", folder .. "/other.txt", folder .. "/../x.key", outside
      .. "/good.key", folder .. "x/good.key", folder .. "/.key", folder .. "/a/good.key", folder, folder .. "/", ".key",
      "good.key", folder .. "//good.key", folder .. "/..key", folder .. "/good.key/", folder .. "/good.KEY",
      folder .. "/%67ood.key" }) do
      local call, code, message = prove(("WWW-Authenticate: Basic realm=%s\r\n"):format(path), folder)
      assert.is_nil(call, path)
      assert.are.same({ "arc_challenge", ("Azure Arc names a key file that is not a .key file in %s; it was not read")
        :format(folder) }, { code, message }, path)
    end
    local _, _, message = prove("WWW-Authenticate: Basic realm=/etc/shadow\r\n")
    assert.are.equal("Azure Arc names a key file that is not a .key file in /var/opt/azcmagent/tokens; it was not read",
      message)
  end)

  it("is refused where the file is no file, a link, too long or empty", function()
    for name, why in pairs({ link = "symbolic link", folder = "not a regular file", fifo = "not a regular file",
      longer = "more than 4096 bytes", empty = "empty", none = "No such file", bad = "control bytes" }) do
      local call, _, message = prove(("WWW-Authenticate: Basic realm=%s/%s.key\r\n"):format(folder, name), folder)
      assert.is_nil(call, name)
      assert.is_truthy(message:find(why, 1, true), message)
    end
  end)

  it("must be one", function()
    for _, header in ipairs({ "", "WWW-Authenticate: Basic\r\n", "WWW-Authenticate: Bearer realm=/x.key\r\n",
      "WWW-Authenticate: Basic realm=\r\n" }) do
      local _, code, message = prove(header, folder)
      assert.are.same({ "arc_challenge", "Azure Arc answered 401 without the name of its key file" }, { code, message })
    end
  end)
end)
