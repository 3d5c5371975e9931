-- One operation for many over the network: at the emulator with clients that see it, and at a server that counts.

local assert_near = require("spec.support.call_states").assert_near
local launch = require("webpubsub.emulator.launch")
local prompt = require("spec.support.prompt")
local scripted_server = require("spec.support.scripted_server")
local steps = require("spec.support.steps")
local webpubsub = require("webpubsub")
local websocket_clients = require("spec.support.websocket_clients")

local NO_CONTENT = steps.reply({ status = 204 })
local OPERATION = "close_user_connections"
local PAUSE_SECONDS = 1 -- the shortest that Retry-After can ask for

local function users(count)
  local list = {}
  for index = 1, count do list[index] = "u" .. index end
  return list
end

describe("at the emulator, each", function()
  local emulator, client, sockets

  setup(function()
    emulator = launch({ quiet = true })
    client = webpubsub.new({ connection_string = emulator.connection_string, hub = "many", proxy = false })
  end)
  teardown(function() emulator.stop() end)
  after_each(function()
    if sockets then sockets:stop() end
    sockets = nil
  end)

  it("closes the connections of many users, and reports what it could not", function()
    local identities = {}
    for index = 1, 20 do identities[index] = { user = "u" .. index } end
    sockets = websocket_clients.connect(emulator, "many", identities)
    local items = users(19)
    items[5], items[7] = "", { user = "u7", reason = "for another reason" }
    local summary = client:each(OPERATION, items, { concurrency = 8 })
    assert.are.same({ 19, 18, 1 }, { summary.total, summary.succeeded, summary.failed })
    assert.are.same({ 5, "argument" }, { summary.failures[1].index, summary.failures[1].error.kind })
    for index = 1, 19 do
      if index ~= 5 then assert.are.equal(1000, sockets:ended(index).code) end
    end
    assert.is_truthy(sockets:ended(7).message:find("for another reason", 1, true))
    assert.is_true(sockets:stayed(5))
    assert.is_true(sockets:stayed(20))
  end)

  it("reports what the service refuses", function()
    sockets = websocket_clients.connect(emulator, "many", { { user = "alice" } })
    local items = { { connection = sockets.ids[1], group = "g" }, { connection = "nobody", group = "g" } }
    local summary = client:each("add_connection_to_group", items)
    assert.are.same({ 1, 1, 2, 404, "Error.Connection.NotExisted" }, { summary.succeeded, summary.failed,
      summary.failures[1].index, summary.failures[1].error.status, summary.failures[1].error.code })
    assert.is_true(client:group_exists({ group = "g" }))
  end)

  it("lets the client be used in on_result", function()
    local asked = 0
    local summary = client:each(OPERATION, users(50), { concurrency = 10, on_result = function(result)
      assert.is_false(client:user_exists({ user = result.arguments.user }))
      asked = asked + 1
      if asked % 10 == 0 then client:each("group_exists", { "a", "b" }) end
    end })
    assert.are.same({ 50, 50 }, { summary.succeeded, asked })
  end)

  it("leaves a client that works after on_result has raised in the middle", function()
    assert.has_error(function()
      client:each(OPERATION, users(100), { concurrency = 10, on_result = function(result)
        if result.index == 20 then error("enough", 0) end
      end })
    end, "enough")
    assert.are.equal(204, client:close_all_connections().status)
    assert.are.equal(100, client:each(OPERATION, users(100)).succeeded)
  end)
end)

describe("at a server that counts, each", function()
  local server, client

  setup(function() server = scripted_server.start() end)
  teardown(function() server:stop() end)
  before_each(function()
    server:reset()
    client = webpubsub.new({ endpoint = server.origin, key = "k", hub = "chat", proxy = false })
  end)

  it("has as many calls under way as it is told, each on a connection that it keeps", function()
    server:script({ default = { steps.delay(0.02), NO_CONTENT } })
    for _, concurrency in ipairs({ 1, 5, 12 }) do
      server:reset()
      server:script({ default = { steps.delay(0.02), NO_CONTENT } })
      local summary = client:each(OPERATION, users(4 * concurrency), { concurrency = concurrency })
      assert.are.equal(4 * concurrency, summary.succeeded)
      assert.are.equal(4 * concurrency, #server:requests())
      assert.are.equal(concurrency, server:connections())
    end
  end)

  it("sends nothing while the service has asked it to wait", function()
    server:script({ NO_CONTENT, NO_CONTENT, NO_CONTENT,
      steps.reply({ status = 429, headers = { ["Retry-After"] = tostring(PAUSE_SECONDS) } }), default = NO_CONTENT })
    local summary = client:each(OPERATION, users(40), { concurrency = 2 })
    assert.are.equal(40, summary.succeeded)
    local requests, longest = server:requests(), 0
    assert.are.equal(41, #requests)
    for index = 2, #requests do longest = math.max(longest, requests[index].at - requests[index - 1].at) end
    assert.is_true(longest >= PAUSE_SECONDS, longest)
    -- the pause comes right after the request that was under way beside the refused one
    assert.is_true(requests[6].at - requests[5].at >= PAUSE_SECONDS or requests[5].at - requests[4].at >= PAUSE_SECONDS)
  end)

  it("withdraws what is under way when it is cancelled, at once", function()
    server:script({ default = steps.silence() })
    local summary = client:each(OPERATION, users(10), { concurrency = 4,
      context = { cancel = function() return #server:requests() == 4 end } })
    assert.are.same({ true, 4, 4, 4 }, { summary.cancelled, summary.total, summary.failed, #server:requests() })
  end)

  it("counts what never answers among the failures, with its error", function()
    server:script({ NO_CONTENT, steps.close(), steps.abort(), steps.silence(), steps.raw("nonsense\r\n\r\n"),
      default = NO_CONTENT })
    local summary = client:each(OPERATION, users(8), { concurrency = 1,
      context = { retries = 0, attempt_timeout = 0.2 } })
    local kinds = {}
    for index, failure in ipairs(summary.failures) do kinds[index] = failure.index .. " " .. failure.error.kind end
    assert.are.same({ "2 transport", "3 transport", "4 timeout", "5 protocol" }, kinds)
    assert.are.equal(4, summary.succeeded)
    assert_near(8, summary.rate * summary.elapsed)
  end)
end)

describe("Ctrl-C at a prompt", function()
  local server, at_prompt

  setup(function() server = scripted_server.start() end)
  teardown(function() server:stop() end)
  after_each(function() at_prompt:stop() end)

  it("ends each with a summary of what was done", function()
    server:script({ NO_CONTENT, NO_CONTENT, NO_CONTENT, default = steps.silence() })
    at_prompt = prompt.start()
    at_prompt:answer(('webpubsub = require("webpubsub"); client = webpubsub.new { endpoint = %q, key = "k", hub = "h", '
      .. "proxy = false }"):format(server.origin))
    at_prompt:type('s = client:each("close_user_connections", { "a", "b", "c", "d", "e", "f" }, { concurrency = 1 })')
    require("spec.support.wait").until_true(function() return #server:requests() == 4 end, 5, "the fourth request")
    at_prompt:interrupt()
    local said = at_prompt:answer("print(s.interrupted, s.total, s.succeeded, s.failed, s.completed_through)")
    assert.is_truthy(said:find("true\t4\t3\t0\t3\n", 1, true), said)
    server:script({ default = NO_CONTENT })
    said = at_prompt:answer('print(client:close_user_connections({ user = "d" }).status)')
    assert.is_truthy(said:find("204\n", 1, true), said)
  end)
end)
