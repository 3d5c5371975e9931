-- errors = "return": the world's failures come back as nil and the error, the program's mistakes are raised anyway.

local webpubsub = require("webpubsub")
local calls = require("spec.support.calls")
local cqueues = require("cqueues")
local scripted_server = require("spec.support.scripted_server")
local steps = require("spec.support.steps")

local REFUSED = steps.reply({ status = 403, headers = { ["x-ms-error-code"] = "Error.No" } })

local server
setup(function() server = scripted_server.start() end)
teardown(function() server:stop() end)
before_each(function()
  server:reset()
  server:script({ default = REFUSED })
end)

local function new_client(options)
  options = options or {}
  options.endpoint, options.hub = options.endpoint or server.origin, "chat"
  options.key = not options.credential and "k" or nil
  options.errors, options.retries = options.errors or "return", 0
  return webpubsub.new(options)
end

local function assert_refused(value, err)
  assert.is_nil(value)
  assert.are.same({ "service", "Error.No" }, { err.kind, err.code })
end

describe("errors = \"return\"", function()
  it("has methods return nil and the error", function()
    assert_refused(new_client():close_user_connections({ user = "alice" }))
    assert_refused(new_client():user_exists({ user = "alice" }))
    assert_refused(new_client():generate_client_token())
  end)

  it("has every kind of failure returned", function()
    local client = new_client({ endpoint = "http://127.0.0.1:1" })
    local _, err = client:service_status()
    assert.are.equal("transport", err.kind)
    server:script({ default = steps.silence() })
    _, err = new_client({ attempt_timeout = 0.05 }):service_status()
    assert.are.equal("timeout", err.kind)
    _, err = new_client():service_status({ context = { cancel = function() return true end } })
    assert.are.equal("cancelled", err.kind)
  end)

  it("tells a \"no\" from a failure", function()
    server:script({ steps.reply({ status = 404 }), default = REFUSED })
    local client = new_client()
    assert.is_false((client:user_exists({ user = "alice" })))
    assert_refused(client:user_exists({ user = "alice" }))
  end)

  it("still raises wrong arguments, and what the program's own functions raise", function()
    local client = new_client()
    for _, method in ipairs({ "close_user_connections", "close_user_connections_async" }) do
      assert.are.equal("argument", calls.refusal(client[method], client, { user = "" }).kind)
    end
    assert.are.equal("argument", calls.refusal(client.each, client, "no_such_operation", {}).kind)
    assert.has_error(function()
      client:close_user_connections({ user = "alice", context = { policies = { per_call = function()
        error("mine", 0)
      end } } })
    end, "mine")
  end)

  it("may be said by one call, or unsaid", function()
    assert_refused(new_client({ errors = "raise" }):close_user_connections({ user = "alice",
      context = { errors = "return" } }))
    local client = new_client()
    local err = calls.refusal(client.close_user_connections, client, { user = "alice", context = { errors = "raise" } })
    assert.are.equal("service", err.kind)
  end)

  it("has await return them", function()
    local task = new_client():close_user_connections_async({ user = "alice" })
    for _ = 1, 2 do assert_refused(task:await()) end
  end)

  it("has a listing end, with the error as second value and kept in the listing", function()
    local client = new_client()
    local listing = client:list_connections_in_group({ group = "g" })
    assert_refused(listing())
    for _ in listing do error("there is no member") end
    assert_refused(nil, listing.error)
    for _ in listing:pages() do error("there is no page") end
    assert_refused(nil, listing.error)
    server:script({ default = steps.reply({ status = 200, body = '{"value":[{"connectionId":"c"}]}' }) })
    local members = {}
    for member in listing do members[#members + 1] = member.connection end
    assert.are.same({ "c" }, members)
    assert.is_nil(listing.error)
  end)

  it("has client_access_url return them, where the service makes the token", function()
    local client = new_client({ endpoint = "https://127.0.0.1:1", credential = function()
      return nil, "no token today"
    end })
    local url, err = client:client_access_url({ user = "alice" })
    assert.are.same({ "credential" }, { err.kind })
    assert.is_nil(url)
  end)

  it("leaves no_throw what it is: the response itself comes back", function()
    local response, err = new_client():close_user_connections({ user = "alice", context = { no_throw = true } })
    assert.is_nil(err)
    assert.are.same({ 403, "Error.No" }, { response.status, response.error.code })
  end)

  it("needs no pcall in a loop's coroutine, which Lua 5.1 could not yield through", function()
    local loop, client, response, failure = cqueues.new(), new_client(), nil, nil
    loop:wrap(function() response, failure = client:close_user_connections({ user = "alice" }) end)
    assert(loop:loop())
    assert_refused(response, failure)
  end)

  it("is checked", function()
    local refused = calls.refusal(new_client, { errors = "never" })
    assert.are.same({ "argument", "errors" }, { refused.kind, refused.argument })
    local client = new_client()
    refused = calls.refusal(client.service_status, client, { context = { errors = "none" } })
    assert.are.same({ "argument", "errors" }, { refused.kind, refused.argument })
  end)
end)

describe("a task's result", function()
  it("is what the method returns, or nil and its error, in either mode", function()
    for _, errors in ipairs({ "raise", "return" }) do
      server:reset()
      server:script({ steps.reply({ status = 404 }), default = REFUSED })
      local client = new_client({ errors = errors })
      local question = client:user_exists_async({ user = "alice" })
      webpubsub.gather({ question })
      local exists, response = question:result()
      assert.are.same({ false, 404 }, { exists, response.status })
      local refused = client:close_user_connections_async({ user = "alice" })
      local told = {}
      refused:on_done(function(...) told = { ... } end)
      webpubsub.gather({ refused })
      assert_refused(refused:result())
      assert_refused(told[1], told[2])
      refused:on_done(function(...) told = { ... } end)
      assert_refused(told[1], told[2])
    end
  end)

  it("before its end is a mistake", function()
    server:script({ default = steps.silence() })
    local task = new_client():close_user_connections_async({ user = "alice" })
    local err = calls.refusal(task.result, task)
    assert.are.same({ "argument", "unfinished", "close_user_connections" }, { err.kind, err.code, err.operation })
    task:cancel()
    webpubsub.gather({ task })
    assert.are.equal("cancelled", select(2, task:result()).kind)
  end)
end)
