-- Events of MQTT clients, and what they are answered.

local cjson = require("cjson").new()
local events = require("webpubsub.events")
local service = require("spec.support.service_events")

local MQTT = { ["ce-subprotocol"] = "mqtt", ["ce-connectionId"] = "client 1", ["ce-physicalConnectionId"] = "p-1" }

local CONNECT_BODY = [[{"claims":{},"query":{},"headers":{},"subprotocols":["mqtt"],"clientCertificates":[],
  "mqtt":{"protocolVersion":%d,"cleanStart":true,"username":"alice","password":"cMOkc3MA",
  "userProperties":[{"name":"a","value":"1"},{"name":"a","value":"2"}]}}]]

-- Status, headers and body for what the handler answers; the event; the line in the log.
local function post(option, type, body, answer, more)
  local seen, problem
  local headers = service.headers(type, MQTT)
  for name, value in pairs(more or {}) do headers[name] = value end
  local handler = events.new { hub = "chat", keys = { service.KEY }, origins = "*",
    logger = function(line) problem = line end, [option] = function(event)
      seen = event
      return answer
    end }
  local status, fields, text = handler:handle("POST", headers, body)
  return status, fields, text, seen, problem
end

local function connect(version, answer) return post("connect", "sys.connect", CONNECT_BODY:format(version), answer) end

describe("an MQTT client's event", function()
  it("connect has its CONNECT packet", function()
    local status, _, _, event = connect(5)
    assert.are.same({ 204, "mqtt", "client 1", "p-1" },
      { status, event.subprotocol, event.connection, event.physical_connection })
    assert.are.same({ protocol_version = 5, clean_start = true, username = "alice", password = "p\195\164ss\0",
      user_properties = { { name = "a", value = "1" }, { name = "a", value = "2" } } }, event.mqtt)
  end)

  it("connect may say less", function()
    local _, _, _, event = post("connect", "sys.connect",
      '{"mqtt":{"protocolVersion":4,"cleanStart":false,"username":null,"password":null,"userProperties":null}}')
    assert.are.same({ protocol_version = 4, clean_start = false, user_properties = {} }, event.mqtt)
  end)

  it("connect with a password that is not base64 is refused", function()
    local status, _, text, event = post("connect", "sys.connect", '{"mqtt":{"protocolVersion":5,"password":"p!"}}')
    assert.are.same({ 400, "mqtt.password is not base64.\n" }, { status, text })
    assert.is_nil(event)
  end)

  it("disconnected has its DISCONNECT packet, where there was one", function()
    local function mqtt(body) return select(4, post("disconnected", "sys.disconnected", body)).mqtt end
    assert.are.same({ initiated_by_client = true, disconnect_packet = { code = 4,
      user_properties = { { name = "a", value = "1" } } } }, mqtt('{"reason":"x","mqtt":{"initiatedByClient":true,'
      .. '"disconnectPacket":{"code":4,"userProperties":[{"name":"a","value":"1"}]}}}'))
    assert.are.same({ initiated_by_client = false },
      mqtt('{"reason":"x","mqtt":{"initiatedByClient":false,"disconnectPacket":null}}'))
  end)

  it("others name the session", function()
    local _, _, _, event = post("connected", "sys.connected", "{}", nil, { ["ce-sessionId"] = "s-1" })
    assert.are.same({ "s-1", "p-1" }, { event.session, event.physical_connection })
    _, _, _, event = post("user_event", "user.hello", "x", nil, { ["Content-Type"] = "text/plain" })
    assert.are.same({ "hello", "x", "mqtt" }, { event.name, event.content, event.subprotocol })
  end)
end)

describe("the answer to an MQTT client's connect", function()
  it("may have user properties", function()
    local status, _, body = connect(5, { user = "alice",
      mqtt = { user_properties = { { name = "a", value = "1" }, { name = "a", value = "2" } } } })
    assert.are.equal(200, status)
    assert.are.same({ userId = "alice", mqtt = { userProperties = { { name = "a", value = "1" },
      { name = "a", value = "2" } } } }, cjson.decode(body))
    assert.are.equal(204, (connect(5, { mqtt = { user_properties = {} } })))
  end)

  it("is refused where these are none", function()
    for text, mqtt in pairs({ ['mqtt has no "code"'] = { code = 1 },
      ["mqtt.user_properties[1] needs a name and a value"] = { user_properties = { { name = "a" } } },
      ["mqtt.user_properties must be a list"] = { user_properties = { name = "a", value = "1" } },
      ["mqtt.user_properties[1] must be a table of named values"] = { user_properties = { "a" } } }) do
      local status, _, _, _, problem = connect(5, { mqtt = mqtt })
      assert.are.equal(500, status, text)
      assert.is_truthy(problem:find(text, 1, true), problem)
    end
  end)

  local function rejected(version, ...)
    local status, headers, body = connect(version, events.reject(...))
    assert.are.equal("application/json", headers["Content-Type"])
    return { status, cjson.decode(body).mqtt }
  end

  it("refuses with the reason code that fits the status", function()
    assert.are.same({ 401, { code = 0x87, reason = "banned" } }, rejected(5, 401, "banned"))
    assert.are.same({ 403, { code = 0x87 } }, rejected(5, 403))
    assert.are.same({ 429, { code = 0x9F } }, rejected(5, 429))
    assert.are.same({ 503, { code = 0x88 } }, rejected(5, 503))
    assert.are.same({ 400, { code = 0x80 } }, rejected(5, 400))
  end)

  it("refuses with the return code that fits, of MQTT 3.1.1", function()
    for status, code in pairs({ [400] = 5, [401] = 5, [403] = 5, [429] = 3, [500] = 3, [503] = 3 }) do
      assert.are.same({ status, { code = code, reason = "no" } }, rejected(4, status, "no"))
    end
  end)

  it("refuses with another code and user properties where it has them", function()
    assert.are.same({ 401, { code = 0x86, reason = "bad password", userProperties = { { name = "a", value = "1" } } } },
      rejected(5, 401, "bad password", { code = 0x86, user_properties = { { name = "a", value = "1" } } }))
  end)

  it("has no MQTT in it for other clients", function()
    local handler = events.new { hub = "chat", keys = { service.KEY }, origins = "*",
      connect = function() return events.reject(401, "banned", { code = 0x87 }) end }
    local status, headers, body = handler:handle("POST", service.headers("sys.connect"), "{}")
    assert.are.same({ 401, "text/plain", "banned" }, { status, headers["Content-Type"], body })
  end)
end)
