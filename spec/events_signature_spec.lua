-- Who may send events: signatures under the keys, and what stands in their place.

local core = require("webpubsub.core")
local driven = require("spec.support.driven")
local events = require("webpubsub.events")
local native = require("spec_native")
local service = require("spec.support.service_events")
local webpubsub = require("webpubsub")

-- HMAC-SHA256 of service.CONNECTION under "primary 5ecr3t", made with Python's hmac.
local GOLDEN = "c24f77ac4dfe70957ec96138c548f4c063f1b8e548a14664b6b04f4cd970a343"

describe("an event's signature", function()
  local called

  before_each(function() called = 0 end)

  local function new(options)
    options.hub, options.origins = "chat", "*"
    options.connect = function() called = called + 1 end
    return events.new(options)
  end

  -- The status for a connect event with that header, and whether the handler was called.
  local function status(signature, options, more)
    more = more or {}
    more["ce-signature"] = signature
    local result, _, body = new(options or { keys = { service.KEY } }):handle("POST",
      service.headers("sys.connect", more), "{}")
    assert.is_nil(body:find("5ecr3t", 1, true))
    return result, called
  end

  local function accepted(...)
    called = 0
    assert.are.same({ 204, 1 }, { status(...) })
  end

  local function refused(...)
    called = 0
    assert.are.same({ 401, 0 }, { status(...) })
  end

  local function hash(key, connection) return service.hash(key, connection or service.CONNECTION) end

  it("fits the connection's id under the key", function()
    accepted("sha256=" .. GOLDEN)
    assert.are.equal(GOLDEN, hash(service.KEY))
  end)

  it("may be either of two", function()
    accepted(service.signature(service.CONNECTION, service.KEY, service.SECOND_KEY))
    accepted(service.signature(service.CONNECTION, service.SECOND_KEY, service.KEY))
    accepted(("sha256=%s, sha256=%s"):format(("0"):rep(64), hash(service.KEY)))
    accepted((" sha256=%s ,"):format(hash(service.KEY)))
  end)

  it("may fit any of several keys, as while one is rotated", function()
    local both = { keys = { "a newer one", service.SECOND_KEY } }
    accepted(service.signature(service.CONNECTION, service.KEY, service.SECOND_KEY), both)
    refused(service.signature(service.CONNECTION, service.KEY), both)
  end)

  it("is required", function()
    refused(false)
    refused("")
    refused(",")
    refused("sha256=")
  end)

  it("under another key is refused", function()
    refused(service.signature(service.CONNECTION, "another key"))
  end)

  it("of another connection is refused", function()
    refused(service.signature("another connection", service.KEY))
    refused(service.signature(service.CONNECTION, service.KEY), nil, { ["ce-connectionId"] = "another connection" })
    refused(service.signature(service.CONNECTION, service.KEY), nil, { ["ce-connectionId"] = false })
    refused(service.signature("", service.KEY), nil, { ["ce-connectionId"] = "" })
  end)

  it("in another form is refused: the service writes lower case", function()
    local good = hash(service.KEY)
    refused("sha256=" .. good:upper())
    refused("SHA256=" .. good)
    refused(good)
    refused("sha256=" .. good:sub(1, 63))
    refused("sha256=" .. good .. "0")
    refused("sha256=" .. good:sub(1, 63) .. (good:sub(64) == "0" and "1" or "0"))
    refused("sha1=" .. good)
    refused("sha256=" .. good .. ";sha256=" .. good)
    refused("sha256=" .. good .. "\0")
  end)

  it("of 1,000 hashes is refused, and costs little", function()
    local many = {}
    for index = 1, 1000 do many[index] = "sha256=" .. hash(service.KEY) end
    local header = table.concat(many, ",")
    refused(header)
    local handler = new({ keys = { service.KEY } })
    local headers = service.headers("sys.connect", { ["ce-signature"] = header })
    local started = os.clock()
    for _ = 1, 1000 do handler:handle("POST", headers, "{}") end
    assert.is_true(os.clock() - started < 2, os.clock() - started)
  end)

  it("is compared with a client's key as well, whichever that is by then", function()
    local client = webpubsub.new { endpoint = "https://contoso.example", key = service.KEY, hub = "chat" }
    local handler = new({ client = client })
    local function post(key)
      return (handler:handle("POST", service.headers("sys.connect", {
        ["ce-signature"] = service.signature(service.CONNECTION, key) }), "{}"))
    end
    assert.are.same({ 204, 401 }, { post(service.KEY), post(service.SECOND_KEY) })
    client:set_key(service.SECOND_KEY)
    assert.are.same({ 401, 204 }, { post(service.KEY), post(service.SECOND_KEY) })
    handler = new({ client = client, keys = { service.KEY } })
    assert.are.same({ 204, 204, 401 }, { post(service.KEY), post(service.SECOND_KEY), post("another key") })
  end)

  it("leaves OpenSSL's errors as they were", function()
    native.openssl_errors()
    accepted(service.signature(service.CONNECTION, service.KEY))
    refused("sha256=")
    assert.are.equal(0, native.openssl_errors())
    native.fail_openssl()
    accepted(service.signature(service.CONNECTION, service.KEY))
    core.event_keys({ ("k"):rep(1000) })
    assert.are.equal(1, native.openssl_errors())
  end)

  it("keeps its client alive", function()
    local handler = new({ client = webpubsub.new { endpoint = "https://contoso.example", key = service.KEY,
      hub = "chat" } })
    collectgarbage()
    collectgarbage()
    assert.are.equal(204, (handler:handle("POST", service.headers("sys.connect"), "{}")))
  end)
end)

describe("authorize", function()
  local function post(authorize, more)
    local lines, called = {}, false
    local handler = events.new { hub = "chat", origins = "*", authorize = authorize,
      connect = function() called = true end, logger = function(line) lines[#lines + 1] = line end }
    local status, _, body = handler:handle("POST", service.headers("sys.connect", more), "{}")
    return { status, called, lines[1] }, body
  end

  it("stands in the place of the keys: it sees the request and says yes or no", function()
    local seen
    assert.are.same({ 204, true }, post(function(request)
      seen = request
      return request.headers["Authorization"] == "Bearer t"
    end, { authorization = "Bearer t", ["ce-signature"] = false }))
    assert.are.equal("POST", seen.method)
    assert.are.equal(service.CONNECTION, seen.headers["CE-CONNECTIONID"])
    assert.are.same({ 401, false }, post(function(request) return request.headers["Authorization"] == "Bearer t" end))
    assert.are.same({ 401, false }, post(function() end))
    assert.are.same({ 401, false }, post(function() return nil, "no" end))
  end)

  it("that raises is a 500, and nothing is called", function()
    local outcome, body = post(function() error("the gateway says 5ecr3t", 0) end)
    assert.are.same({ 500, false, "webpubsub.events: authorize: the gateway says 5ecr3t" }, outcome)
    assert.is_nil(body:find("5ecr3t", 1, true))
  end)

  it("sees no header that is there twice", function()
    assert.are.same({ 400, false }, post(function() error("asked") end, { Authorization = { "Bearer a", "Bearer b" } }))
  end)
end)

describe("the options", function()
  -- The message that refuses them.
  local function refused(changes, expected)
    local options = { hub = "chat", origins = "*", keys = { service.KEY } }
    for name, value in pairs(changes) do options[name] = value ~= "none" and value or nil end
    local ok, err = pcall(events.new, options)
    assert.is_false(ok, expected)
    assert.are.same({ "argument", "events.new" }, { err.kind, err.operation }, tostring(err))
    assert.is_truthy(err.message:find(expected, 1, true), err.message)
    assert.is_nil(tostring(err):find("5ecr3t", 1, true))
  end

  it("need one of keys, client and authorize", function()
    refused({ keys = "none" }, "keys are missing")
    refused({ authorize = function() end }, "authorize stands in the place of keys and client")
    refused({ keys = {} }, "keys must be a list of 1 to 8 access keys")
    refused({ keys = { a = "b" } }, "keys must be a list of 1 to 8 access keys")
    refused({ keys = { "1", "2", "3", "4", "5", "6", "7", "8", "9" } }, "keys must be a list of 1 to 8 access keys")
    refused({ keys = { service.KEY, 7 } }, "keys[2] must be a string; it is a number")
    refused({ keys = { "" } }, "keys[1] is empty")
    refused({ keys = service.KEY }, "keys must be a table; it is a string")
    refused({ keys = "none", client = io.stdout }, "client must be a client, as webpubsub.new makes it")
    refused({ keys = "none", client = driven.client({}, { key = nil, credential = function() end }) },
      "this client has a credential and no key")
  end)

  it("need a hub and origins", function()
    refused({ hub = "none" }, "hub")
    refused({ hub = "1chat" }, "hub")
    refused({ origins = "none" }, "origins is missing; expected the hosts")
    refused({ origins = {} }, "origins must not be empty")
    refused({ origins = "contoso.example" }, "origins must be a list of hosts, or \"*\" for all")
    refused({ origins = { "https://contoso.example" } }, "origins[1] must be a host such as")
    refused({ origins = { "*" } }, "origins[1] must be a host such as")
    refused({ origins = { 7 } }, "origins[1] must be a string; it is a number")
  end)

  it("are known, and of their types", function()
    refused({ conect = function() end }, 'the table of options has no "conect"; did you mean "connect"?')
    refused({ connect = "x" }, "connect must be a function; it is a string")
    refused({ user_event = 7 }, "user_event must be a function or table; it is a number")
    refused({ user_event = { chat = "x" } },
      'user_event must hold functions by the names of events; ["chat"] is a string')
    refused({ user_event = { print } }, "user_event must hold functions by the names of events; [1] is a function")
    refused({ max_body_bytes = 0 }, "max_body_bytes must be from 1 to 67108864 bytes; it is 0")
    refused({ max_body_bytes = 1.5 }, "max_body_bytes must be a whole number")
    assert.is_false(pcall(events.new))
    assert.is_false(pcall(events.new, "chat"))
  end)

  it("of a rejection are checked", function()
    for _, arguments in ipairs({ { 200 }, { 600 }, { "401" }, { 401.5 }, { 401, {} }, { 401, "x", { cod = 1 } },
      { 401, "x", { code = 256 } }, { 401, "x", { user_properties = { { name = "a" } } } } }) do
      local ok, err = pcall(events.reject, arguments[1], arguments[2], arguments[3])
      assert.are.same({ false, "argument", "events.reject" }, { ok, err.kind, err.operation })
    end
  end)
end)
