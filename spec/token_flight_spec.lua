-- However many calls need a token, one request is made: in tasks, in loops, with functions and with an authority.

local azure = require("spec.support.azure")
local calls = require("spec.support.calls")
local certs = require("spec.support.certs")
local core = require("webpubsub.core")
local scripted_server = require("spec.support.scripted_server")
local steps = require("spec.support.steps")
local webpubsub = require("webpubsub")

local MANY = 50

describe("one token request", function()
  local service, authority

  setup(function()
    service = scripted_server.start({ tls = certs.valid })
    authority = scripted_server.start()
  end)
  teardown(function()
    service:stop()
    authority:stop()
  end)
  before_each(function()
    service:reset()
    authority:reset()
    service:script({ default = steps.reply({ status = 204 }) })
  end)

  local function start_many(client, context)
    local tasks = {}
    for index = 1, MANY do
      tasks[index] = client:close_user_connections_async({ user = "alice", context = context })
    end
    return tasks
  end

  local function slow(seconds, reply)
    return { steps.delay(seconds), reply }
  end

  it("serves many tasks at the start, and at a refresh, and none is lost", function()
    authority:script({ slow(0.1, azure.token("first", 3600, ',"refresh_in":0')), slow(0.1, azure.token("second")) })
    local client = azure.client(service, azure.client_secret(authority))
    local values, errors = webpubsub.gather(start_many(client))
    assert.is_nil(errors)
    assert.are.equal(MANY, #values)
    assert.are.equal(1, #authority:requests())
    values, errors = webpubsub.gather(start_many(client)) -- with the old one, while the new one is fetched
    assert.is_nil(errors)
    assert.are.equal(MANY, #values)
    local deadline = core.now() + 5
    while #authority:requests() < 2 and core.now() < deadline do client:poll(0.01) end
    local seen = {}
    for _, token in ipairs(azure.tokens(service)) do seen[token] = (seen[token] or 0) + 1 end
    assert.are.same({ first = 2 * MANY }, seen)
    repeat
      client:close_user_connections_async({ user = "bob" }):await()
      local list = azure.tokens(service)
    until list[#list] == "second" or core.now() > deadline
    assert.are.equal(2, #authority:requests())
    assert.are.equal("second", azure.tokens(service)[#azure.tokens(service)])
  end)

  it("outlives the task that began it, cancelled or timed out", function()
    for _, context in ipairs({ { timeout = 0.05 }, {} }) do
      authority:reset()
      authority:script({ slow(0.3, azure.token("handed-over")) })
      local client = azure.client(service, azure.client_secret(authority))
      local leader = client:close_user_connections_async({ user = "alice", context = context })
      local others = start_many(client)
      if not context.timeout then leader:cancel() end
      local ok, err = pcall(leader.await, leader)
      assert.is_false(ok)
      assert.are.equal(context.timeout and "timeout" or "cancelled", err.kind)
      local values, errors = webpubsub.gather(others)
      assert.is_nil(errors)
      assert.are.equal(MANY, #values)
      assert.are.equal(1, #authority:requests())
    end
  end)

  it("that fails fails all who wait for it with the one failure", function()
    authority:script({ default = slow(0.1, azure.refusal(400, "invalid_client", "AADSTS1: wrong")) })
    local client = azure.client(service, azure.client_secret(authority))
    local _, errors = webpubsub.gather(start_many(client))
    for index = 1, MANY do
      assert.are.same({ "credential", "invalid_client" }, { errors[index].kind, errors[index].code })
      assert.is_nil(calls.everything_said(errors[index]):find("the-s3cret", 1, true))
    end
    assert.are.equal(1, #authority:requests())
    assert.are.equal(0, client:pending())
  end)

  it("to an authority that is silent ends with each call's own deadline", function()
    authority:script({ default = steps.silence() })
    local client = azure.client(service, azure.client_secret(authority))
    local _, errors = webpubsub.gather(start_many(client, { timeout = 0.3 }))
    for index = 1, MANY do assert.are.equal("timeout", errors[index].kind) end
    assert.are.equal(1, #authority:requests())
    assert.are.equal(0, client:pending())
  end)

  it("to an authority that is not there fails soon", function()
    local gone = scripted_server.start()
    local own = azure.client_secret(gone, { timeout = 0.5 })
    gone:stop()
    local _, errors = webpubsub.gather(start_many(azure.client(service, own)))
    for index = 1, MANY do assert.are.same({ "credential", "connect" }, { errors[index].kind, errors[index].code }) end
  end)

  it("is waited for by a blocking call, too", function()
    authority:script({ slow(0.2, azure.token("shared")) })
    local client = azure.client(service, azure.client_secret(authority))
    local task = client:close_user_connections_async({ user = "alice" })
    assert.are.equal(204, client:close_user_connections({ user = "bob" }).status)
    assert.are.equal(204, task:await().status)
    assert.are.equal(1, #authority:requests())
  end)

  it("of a blocking call that has waited too long is another's to try again", function()
    authority:script({ slow(0.5, azure.token("late")), azure.token("next") })
    local client = azure.client(service, azure.client_secret(authority))
    local err = calls.refusal(client.close_user_connections, client, { user = "alice", context = { timeout = 0.1 } })
    assert.are.equal("timeout", err.kind)
    assert.are.equal(204, client:close_user_connections({ user = "alice" }).status)
    assert.are.same({ "next" }, azure.tokens(service))
  end)

  it("of a blocking call can be cancelled", function()
    authority:script({ default = steps.silence() })
    local client, asked = azure.client(service, azure.client_secret(authority)), 0
    local err = calls.refusal(client.close_user_connections, client, { user = "alice", context = { cancel = function()
      asked = asked + 1
      return asked > 5
    end } })
    assert.are.equal("cancelled", err.kind)
  end)

  it("answers a challenge for all tasks that are challenged at once", function()
    local challenge = steps.reply({ status = 401, headers = {
      ["WWW-Authenticate"] = 'Bearer error="insufficient_claims", claims="eyJhY2Nlc3NfdG9rZW4iOnsiYSI6MX19"' } })
    local script = { default = steps.reply({ status = 204 }) }
    for index = 1, MANY do script[index] = challenge end
    service:script(script)
    authority:script({ azure.token("plain"), default = slow(0.3, azure.token("with-claims")) })
    local client = azure.client(service, azure.client_secret(authority))
    local values, errors = webpubsub.gather(start_many(client))
    assert.is_nil(errors)
    assert.are.equal(MANY, #values)
    assert.is_true(#authority:requests() <= 5) -- those challenged while the first was under way share it
  end)

  it("is true for functions, which may wait", function()
    if _VERSION == "Lua 5.1" and not rawget(_G, "jit") then return end -- nothing of the program's waits there
    local asked, waiting = 0, nil
    local client = azure.client(service, function()
      asked, waiting = asked + 1, coroutine.running()
      coroutine.yield()
      return "from-a-function", os.time() + 3600
    end)
    local tasks = start_many(client)
    client:poll(0)
    assert.are.equal(1, asked)
    assert.are.equal(MANY, client:pending())
    coroutine.resume(waiting)
    local values, errors = webpubsub.gather(tasks)
    assert.is_nil(errors)
    assert.are.equal(MANY, #values)
    assert.are.equal(1, asked)
  end)
end)
