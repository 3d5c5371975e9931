-- What the service sends to a server's event handler, what handlers are told of it, and what it is answered.

local cjson = require("cjson").new()
local events = require("webpubsub.events")
local service = require("spec.support.service_events")
local webpubsub = require("webpubsub")

local NOTHING_RAISED = tostring((select(2, pcall(error)))) -- no nil, in Lua 5.5

-- A handler with these options besides the usual ones.
local function new(options)
  local all = { hub = "chat", keys = { service.KEY }, origins = { "contoso.webpubsub.azure.com" } }
  for name, value in pairs(options or {}) do all[name] = value end
  return events.new(all)
end

-- The status that a handler gives which has nothing to say.
local function status_of(type, more, body)
  local function nothing() end
  return (new({ connect = nothing, user_event = nothing }):handle("POST", service.headers(type, more), body))
end

-- The event that the handler of that name is told.
local function told(option, type, body, more, options)
  local seen
  options = options or {}
  options[option] = function(event) seen = event end
  local status, _, text = new(options):handle("POST", service.headers(type, more), body)
  assert.are.equal(204, status, text)
  return assert(seen, "the handler was not asked")
end

-- Status, headers and body for what a handler returns.
local function answered(option, type, body, returned, more)
  local problem
  local handler = new({ [option] = function() return returned end, logger = function(line) problem = line end })
  local status, headers, text = handler:handle("POST", service.headers(type, more), body)
  return status, headers, text, problem
end

local CONNECT_BODY = [[{"claims":{"sub":["alice"],"role":["a","b"]},"query":{"room":["1","2"]},
  "headers":{"User-Agent":["x"]},"subprotocols":["json.webpubsub.azure.v1","chat"],
  "clientCertificates":[{"thumbprint":"AB12","content":"-----BEGIN CERTIFICATE-----"}]}]]

describe("webpubsub.events", function()
  it("is there under both of its names, and loads no libcurl", function()
    assert.are.equal(events, webpubsub.events)
    local process = require("spec.support.process")
    local result = process.run_lua([[
      local handler = require("webpubsub.events").new { hub = "chat", keys = { "k" }, origins = "*" }
      handler:handle("OPTIONS", { ["WebHook-Request-Origin"] = "a" })
      print(io.open("/proc/self/maps"):read("*a"):find("curl", 1, true))]])
    assert.are.same({ "nil\n", "" }, { result.stdout, result.stderr })
  end)

  it("says which hub it is for, and no key", function()
    assert.are.equal("webpubsub events of hub chat", tostring(new()))
  end)
end)

describe("the validation of a URL", function()
  local function validate(origins, asked)
    local status, headers, body = new({ origins = origins }):handle("OPTIONS", { ["WEBHOOK-request-origin"] = asked })
    return { status, headers["WebHook-Allowed-Origin"], body }
  end

  it("allows an origin that may send events", function()
    assert.are.same({ 200, "contoso.webpubsub.azure.com", "" },
      validate({ "contoso.webpubsub.azure.com" }, "contoso.webpubsub.azure.com"))
    assert.are.same({ 200, "Contoso.example:8080", "" }, validate({ "other", "Contoso.example:8080" },
      "contoso.EXAMPLE:8080"))
  end)

  it("allows one of several", function()
    assert.are.same({ 200, "b.example", "" }, validate({ "b.example" }, "a.example, b.example"))
  end)

  it("allows all where origins says so", function()
    assert.are.same({ 200, "*", "" }, validate("*", "anybody.example"))
  end)

  it("refuses others, and who does not say where it comes from", function()
    assert.are.same({ 400, nil }, { validate({ "a.example" }, "b.example")[1] })
    assert.are.equal(400, validate({ "a.example" }, "xa.example")[1])
    assert.are.equal(400, validate({ "a.example" }, "a.example.evil")[1])
    assert.are.equal(400, (new():handle("OPTIONS", {})))
    assert.are.equal(400, (new({ origins = "*" }):handle("OPTIONS", {})))
  end)

  it("is not asked for a signature, and calls nothing", function()
    local handler = events.new({ hub = "chat", origins = { "contoso.webpubsub.azure.com" },
      authorize = function() error("asked") end })
    assert.are.equal(200, (handler:handle("OPTIONS",
      { ["WebHook-Request-Origin"] = "contoso.webpubsub.azure.com" })))
  end)
end)

describe("an event", function()
  it("connect says who wants to connect, and with what", function()
    local event = told("connect", "sys.connect", CONNECT_BODY, { ["ce-userId"] = "alice" })
    assert.are.same({
      type = "azure.webpubsub.sys.connect", name = "connect", id = "7", time = "2026-11-26T15:00:00Z", hub = "chat",
      connection = service.CONNECTION, user = "alice",
      claims = { sub = { "alice" }, role = { "a", "b" } }, query = { room = { "1", "2" } },
      headers = { ["User-Agent"] = { "x" } }, subprotocols = { "json.webpubsub.azure.v1", "chat" },
      certificates = { { thumbprint = "AB12", content = "-----BEGIN CERTIFICATE-----" } },
    }, event)
  end)

  it("connect of a client that says nothing has empty tables", function()
    for _, body in ipairs({ "{}", [[{"claims":null,"query":null,"headers":null,"subprotocols":null,
      "clientCertificates":null}]] }) do
      local event = told("connect", "sys.connect", body)
      assert.are.same({ {}, {}, {}, {}, {} },
        { event.claims, event.query, event.headers, event.subprotocols, event.certificates })
      assert.is_nil(event.user)
      assert.is_nil(event.mqtt)
    end
  end)

  it("connected says that the handshake is done", function()
    local event = told("connected", "sys.connected", "{}", { ["ce-subprotocol"] = "json.webpubsub.azure.v1" })
    assert.are.same({ "connected", "json.webpubsub.azure.v1", service.CONNECTION },
      { event.name, event.subprotocol, event.connection })
  end)

  it("disconnected says why", function()
    assert.are.equal("gone", told("disconnected", "sys.disconnected", '{"reason":"gone"}').reason)
    assert.is_nil(told("disconnected", "sys.disconnected", '{"reason":null}').reason)
  end)

  it("joined and left name the group", function()
    assert.are.equal("red", told("joined", "gp.joined", '{"group":"red"}').group)
    assert.are.equal("red", told("left", "gp.left", '{"group":"red"}').group)
  end)

  it("of a user has JSON, text or bytes", function()
    local function content(body, mime)
      local event = told("user_event", "user.message", body, { ["Content-Type"] = mime })
      return { event.name, event.content, event.content_type, event.json }
    end
    assert.are.same({ "message", '{"a":[1,2]}', "json", { a = { 1, 2 } } }, content('{"a":[1,2]}', "application/json"))
    assert.are.same({ "message", "1", "json", 1 }, content("1", "APPLICATION/JSON; charset=utf-8"))
    assert.are.same({ "message", "null", "json", webpubsub.null }, content("null", "application/json"))
    assert.are.same({ "message", "h\195\164", "text" }, content("h\195\164", "text/plain; charset=utf-8"))
    assert.are.same({ "message", "\0\255", "binary" }, content("\0\255", "application/octet-stream"))
    assert.are.same({ "message", "x", "binary" }, content("x", false))
    assert.are.same({ "message", "x", "application/x-protobuf" }, content("x", "application/x-protobuf"))
    assert.are.same({ "message", "", "text" }, content("", "text/plain"))
  end)

  it("of a user reaches the handler of its name, or the one for all others", function()
    local seen = {}
    local handler = new({ user_event = {
      chat = function(event) seen[#seen + 1] = "chat " .. event.name end,
      ["*"] = function(event) seen[#seen + 1] = "* " .. event.name end,
    } })
    for _, name in ipairs({ "chat", "Chat", "a.b", "__index", "*" }) do
      assert.are.equal(204, (handler:handle("POST", service.headers("user." .. name), "{}")))
    end
    assert.are.same({ "chat chat", "* Chat", "* a.b", "* __index", "* *" }, seen)
  end)

  it("of a user calls nothing that the table of handlers inherits", function()
    local handler = new({ user_event = setmetatable({}, { __index = function() error("asked") end }) })
    assert.are.equal(204, (handler:handle("POST", service.headers("user.chat"), "{}")))
  end)

  it("has the names of its headers in any case, and the hub's", function()
    local seen
    local handler = new({ connect = function(event) seen = event end })
    local headers = {}
    for name, value in pairs(service.headers("sys.connect", { ["ce-hub"] = "CHAT" })) do
      headers[name:upper()] = value
    end
    assert.are.equal(204, (handler:handle("POST", headers, "{}")))
    assert.are.equal(service.CONNECTION, seen.connection)
  end)

  it("of an unknown type is answered, or goes to a handler for such", function()
    local status, headers, body = new():handle("POST", service.headers("sys.newer"), "whatever")
    assert.are.same({ 200, {}, "" }, { status, headers, body })
    local event = told("unknown", "sys.newer", '{"a":1}')
    assert.are.same({ "azure.webpubsub.sys.newer", "newer", { a = 1 } }, { event.type, event.name, event.json })
  end)

  it("without a handler is answered, and not read", function()
    for _, type in ipairs({ "sys.connect", "sys.connected", "sys.disconnected", "gp.joined", "gp.left", "user.x" }) do
      assert.are.equal(204, (new():handle("POST", service.headers(type), function() error("read") end)))
    end
  end)
end)

describe("the state of a connection", function()
  local function state_of(text)
    return told("user_event", "user.chat", "{}", { ["ce-connectionState"] = text }).state
  end

  it("is base64 of a JSON object, as the vendor's libraries store it", function()
    assert.are.same({ counter = 2, name = "h\195\164" }, state_of("eyJjb3VudGVyIjoyLCJuYW1lIjoiaMOkIn0="))
    assert.are.same({}, state_of("e30="))
    assert.is_nil(state_of(false))
    assert.is_nil(state_of(""))
  end)

  it("goes round: what one answer sets, the next event has", function()
    local _, headers = answered("connect", "sys.connect", "{}", { state = { n = 1, tags = { "a", "b" } } })
    assert.are.same({ n = 1, tags = { "a", "b" } }, state_of(headers["ce-connectionState"]))
    _, headers = answered("user_event", "user.chat", "{}", { state = {} })
    assert.are.equal("e30=", headers["ce-connectionState"])
  end)

  it("that is no state is refused", function()
    for _, text in ipairs({ "plain words", "WzFd", "bm8ganNvbg==", "e30=e30=", "e" }) do
      assert.are.equal(400, status_of("user.chat", { ["ce-connectionState"] = text }, "{}"))
    end
  end)

  it("is refused beyond what a header carries", function()
    local function of(bytes) return answered("connect", "sys.connect", "{}", { state = { a = ("x"):rep(bytes) } }) end
    local status, headers = of(5992) -- {"a":""} are 8 bytes more
    assert.are.same({ 204, 8000 }, { status, #headers["ce-connectionState"] })
    local refused, fields, _, problem = of(5993)
    assert.are.equal(500, refused)
    assert.is_nil(fields["ce-connectionState"])
    assert.is_truthy(problem:find("state takes 8004 bytes as base64 of its JSON; a header carries at most 8000", 1,
      true), problem)
  end)
end)

describe("the answer to connect", function()
  local function connect(returned) return answered("connect", "sys.connect", CONNECT_BODY, returned) end

  it("gives the client a user, groups, roles, a subprotocol and a state", function()
    local status, headers, body = connect({ user = "alice", groups = { "red", "blue" },
      roles = { "webpubsub.sendToGroup.red" }, subprotocol = "chat", state = { n = 1 } })
    assert.are.same({ 200, { ["Content-Type"] = "application/json", ["ce-connectionState"] = "eyJuIjoxfQ==" } },
      { status, headers })
    assert.are.same({ userId = "alice", groups = { "red", "blue" }, roles = { "webpubsub.sendToGroup.red" },
      subprotocol = "chat" }, cjson.decode(body))
  end)

  it("is 204 where there is nothing to say", function()
    for _, returned in pairs({ false, {}, { groups = {}, roles = {} }, { user = cjson.null } }) do
      local status, headers, body = connect(returned or nil)
      assert.are.same({ 204, {}, "" }, { status, headers, body })
    end
  end)

  it("refuses the client with a status and a text", function()
    local status, headers, body = connect(events.reject(401, "banned"))
    assert.are.same({ 401, { ["Content-Type"] = "text/plain" }, "banned" }, { status, headers, body })
    assert.are.same({ 403, "" }, { (connect(events.reject(403))), (select(3, connect(events.reject(403)))) })
  end)

  it("is refused where it is not one, with a line that says why", function()
    for text, returned in pairs({
      ['the answer has no "usr"; did you mean "user"?'] = { usr = "alice" },
      ["user must be a string; it is a number"] = { user = 7 },
      ["user must not be empty"] = { user = "" },
      ["subprotocol must not be empty"] = { subprotocol = "" },
      ["groups must be a table; it is a string"] = { groups = "red" },
      ["groups[2] must be a string; it is a boolean"] = { groups = { "a", true } },
      ["roles must be a list of strings"] = { roles = { a = "b" } },
      ["state must have names; it is a list"] = { state = { 1, 2 } },
      ["json.a is a function"] = { state = { a = print } },
      ["the answer must be a table, nil or events.reject(status, message); it is a string"] = "alice",
      ["the answer must be a table, nil or events.reject(status, message); it is a boolean"] = true,
    }) do
      local status, headers, body, problem = connect(returned)
      assert.are.equal(500, status, text)
      assert.is_nil(headers["ce-connectionState"])
      assert.are.equal("The event handler failed; its log says why.\n", body)
      assert.is_truthy(problem and problem:find(text, 1, true), text .. " is not in: " .. tostring(problem))
      assert.are.equal(1, problem:find("webpubsub.events: connect: " .. text:sub(1, 4), 1, true), problem)
    end
  end)
end)

describe("the answer to a user's event", function()
  local function answer(returned) return answered("user_event", "user.chat", "{}", returned) end

  it("is a message to the client", function()
    for mime, returned in pairs({
      ["text/plain"] = { content = "hello" },
      ["application/octet-stream"] = { content = "hello", content_type = "binary" },
      ["application/json"] = { content = "hello", content_type = "application/json" },
    }) do
      local status, headers, body = answer(returned)
      assert.are.same({ 200, { ["Content-Type"] = mime }, "hello" }, { status, headers, body })
    end
    local status, headers, body = answer({ json = { text = "hello" }, state = { n = 1 } })
    assert.are.same({ 200, { ["Content-Type"] = "application/json", ["ce-connectionState"] = "eyJuIjoxfQ==" },
      '{"text":"hello"}' }, { status, headers, body })
    assert.are.equal("false", (select(3, answer({ json = false }))))
    assert.are.equal("null", (select(3, answer({ json = webpubsub.null }))))
    assert.are.same({ 200, "" }, { (answer({ content = "" })), (select(3, answer({ content = "" }))) })
  end)

  it("is 204 where there is nothing to say", function()
    local status, headers, body = answer({ state = { n = 1 } })
    assert.are.same({ 204, { ["ce-connectionState"] = "eyJuIjoxfQ==" }, "" }, { status, headers, body })
    assert.are.equal(204, (answer(nil)))
    assert.are.equal(204, (answer({})))
  end)

  it("may be a rejection, which drops the connection", function()
    local status, _, body = answer(events.reject(403, "no"))
    assert.are.same({ 403, "no" }, { status, body })
  end)

  it("may be the event's own JSON", function()
    local handler = new({ user_event = function(event) return { json = event.json } end })
    local _, _, body = handler:handle("POST", service.headers("user.echo"), '[[],null,{},{"a":[1]}]')
    assert.are.equal('[[],null,{},{"a":[1]}]', body)
  end)

  it("has at most 1 MiB", function()
    assert.are.equal(200, (answer({ content = ("x"):rep(1048576) })))
    local status, _, _, problem = answer({ content = ("x"):rep(1048577) })
    assert.are.equal(500, status)
    assert.is_truthy(problem:find("the message has 1048577 bytes; at most 1048576 (1 MiB) can be sent", 1, true))
  end)

  it("is refused where it is not one", function()
    for text, returned in pairs({
      ['the answer has no "contents"; did you mean "content"?'] = { contents = "x" },
      ["content must be a string; it is a table"] = { content = {} },
      ["content_type must be \"text\", \"json\", \"binary\""] = { content = "x", content_type = "html" },
      ["content_type is given without content"] = { content_type = "json" },
      ["give content and content_type without it"] = { content = "x", json = 1 },
      ["json.a is a function"] = { json = { a = print } },
    }) do
      local status, _, _, problem = answer(returned)
      assert.are.equal(500, status, text)
      assert.is_truthy(problem and problem:find(text, 1, true), text .. " is not in: " .. tostring(problem))
    end
  end)
end)

describe("the answer to an event that the service does not wait for", function()
  it("is 204, whatever the handler returns", function()
    for _, returned in ipairs({ "x", true, { anything = 1 } }) do
      local status, headers, body = answered("connected", "sys.connected", "{}", returned)
      assert.are.same({ 204, {}, "" }, { status, headers, body })
    end
  end)

  it("may be a rejection", function()
    assert.are.equal(503, (answered("joined", "gp.joined", '{"group":"g"}', events.reject(503))))
  end)
end)

describe("a handler that raises", function()
  local function raise(problem, logger)
    local lines = {}
    local handler = new({ user_event = { chat = function() error(problem, 0) end },
      logger = logger or function(line) lines[#lines + 1] = line end })
    local status, headers, body = handler:handle("POST", service.headers("user.chat"), '"5ecr3t"')
    assert.are.same({ 500, { ["Content-Type"] = "text/plain" }, "The event handler failed; its log says why.\n" },
      { status, headers, body })
    return lines
  end

  it("is a 500 to the service, without its text, and one line to the logger", function()
    assert.are.same({ 'webpubsub.events: user_event["chat"]: no database at a.example' },
      raise("no database at\n\na.example"))
  end)

  it("may raise anything", function()
    assert.is_truthy(raise({})[1]:find("table: 0x", 1, true))
    assert.are.same({ 'webpubsub.events: user_event["chat"]: table' },
      raise(setmetatable({}, { __tostring = function() error("no text") end })))
    assert.are.same({ 'webpubsub.events: user_event["chat"]: ' .. NOTHING_RAISED }, raise(nil))
    assert.is_true(#raise(("x"):rep(1e6))[1] < 1000)
  end)

  it("needs no logger, and gets by with one that raises as well", function()
    raise("problem", function() error("disk full") end)
    local handler = new({ connect = function() error("problem") end })
    assert.are.equal(500, (handler:handle("POST", service.headers("sys.connect"), "{}")))
  end)
end)

describe("a request", function()
  local function post(more, body, options)
    local called = false
    options = options or {}
    options.connect = function() called = true end
    local status, headers, text = new(options):handle("POST", service.headers("sys.connect", more), body or "{}")
    return status, called, text, headers
  end

  it("is POSTed", function()
    local status, headers = new():handle("GET", {}, "")
    assert.are.same({ 405, "OPTIONS, POST" }, { status, headers.Allow })
    assert.are.equal(405, (new():handle("post", service.headers("sys.connect"), "{}")))
  end)

  it("for another hub is 404", function()
    local status, called = post({ ["ce-hub"] = "other" })
    assert.are.same({ 404, false }, { status, called })
  end)

  it("that is no CloudEvent is 400", function()
    for _, more in ipairs({ { ["ce-specversion"] = false }, { ["ce-specversion"] = "0.3" }, { ["ce-type"] = false },
      { ["ce-type"] = "" }, { ["ce-hub"] = false } }) do
      local status, called = post(more)
      assert.are.same({ 400, false }, { status, called })
    end
  end)

  it("whose body is not what it says is 400", function()
    for _, body in ipairs({ "", "no JSON", "[]", '"x"', "{", "{}{}", "\0", '{"a":1,}' }) do
      local status, called, text = post(nil, body)
      assert.are.same({ 400, false, "The body is not a JSON object.\n" }, { status, called, text })
    end
    for mime, body in pairs({ ["application/json"] = "{", ["text/plain"] = "\255" }) do
      assert.are.equal(400, status_of("user.chat", { ["Content-Type"] = mime }, body))
    end
  end)

  it("has at most 1 MiB, or what max_body_bytes says", function()
    local function size(bytes, limit)
      local seen
      local handler = new({ user_event = function(event) seen = #event.content end, max_body_bytes = limit })
      local headers = service.headers("user.chat", { ["Content-Type"] = "text/plain" })
      return handler:handle("POST", headers, ("x"):rep(bytes)), seen
    end
    assert.are.same({ 204, 1048576 }, { (size(1048576)), (select(2, size(1048576))) })
    assert.are.equal(413, (size(1048577)))
    assert.are.equal(204, (size(3 * 1048576, 3 * 1048576)))
    assert.are.equal(413, (size(101, 100)))
  end)

  it("whose length says that it is too long is not read", function()
    assert.are.equal(413, status_of("sys.connect", { ["Content-Length"] = "1048577" }, function() error("read") end))
  end)

  it("is read when it is known to be the service's, and may fail to be read", function()
    local function with(more, body) return status_of("sys.connect", more, body) end
    assert.are.equal(204, with(nil, function(limit) return limit == 1048576 and "{}" end))
    assert.are.equal(401, with({ ["ce-signature"] = false }, function() error("read") end))
    assert.are.equal(404, with({ ["ce-hub"] = "other" }, function() error("read") end))
    assert.are.equal(408, with(nil, function() return nil, 408, "late" end))
    assert.are.equal(400, with(nil, function() return nil end))
  end)

  it("with a header twice that may be there once is 400", function()
    for _, name in ipairs({ "ce-connectionId", "ce-userId", "ce-signature", "ce-type", "ce-hub", "ce-connectionState",
      "Content-Type", "Content-Length" }) do
      local status, called = post({ [name] = { "a", "b" } })
      assert.are.same({ 400, false }, { status, called }, name)
    end
    local headers = service.headers("sys.connect")
    headers["CE-ConnectionID"] = headers["ce-connectionId"]
    assert.are.equal(400, (new():handle("POST", headers, "{}")))
  end)

  it("is a table of headers, and a text or a function", function()
    for name, arguments in pairs({ headers = { "x", "{}" }, body = { service.headers("sys.connect"), 7 } }) do
      local handler = new({ connect = function() end })
      local ok, err = pcall(handler.handle, handler, "POST", arguments[1], arguments[2])
      assert.are.same({ false, "argument", name }, { ok, err.kind, err.argument })
    end
  end)

  it("may be anything, and is answered", function()
    local names = { "ce-signature", "ce-specversion", "ce-type", "ce-hub", "ce-connectionId", "ce-connectionState",
      "ce-userId", "Content-Type", "Content-Length" }
    local pieces = { "", ",", "sha256=", ("f"):rep(64), "1.0", "chat", "azure.webpubsub.user.", "a", "{", "}", "e30=",
      "\0", "\255", "application/json", ";", "1e999", "-1", "null", '"', "[", "mqtt", ":" }
    local function junk()
      local parts = {}
      for index = 1, math.random(0, 6) do parts[index] = pieces[math.random(#pieces)] end
      return table.concat(parts)
    end
    local handler = new({ user_event = function(event) return { content = event.content } end,
      connect = function() end })
    local seen = {}
    for _ = 1, 3000 do
      local headers = service.headers(math.random(2) == 1 and "user.chat" or "sys.connect")
      for _ = 1, math.random(0, 2) do headers[names[math.random(#names)]] = junk() end
      local status, fields, body = handler:handle("POST", headers, math.random(2) == 1 and "{}" or junk())
      assert.are.same({ "number", "table", "string" }, { type(status), type(fields), type(body) })
      seen[status] = true
    end
    assert.is_nil(seen[500])
    for _, status in ipairs({ 200, 204, 400, 401, 404 }) do assert.is_true(seen[status], status) end
  end)

  it("may have other headers as often as it likes", function()
    assert.are.equal(204, (post({ Via = { "a", "b" }, ["ce-userId"] = { "alice" } })))
  end)
end)
