-- Calls that are withdrawn: by the program's `cancel`, and by Ctrl-C at a prompt.

local curl = require("webpubsub.curl")
local failing_calls = require("spec.support.failing_calls")
local prompt = require("spec.support.prompt")
local scripted_server = require("spec.support.scripted_server")
local steps = require("spec.support.steps")
local wait = require("spec.support.wait")

local failure_of, assert_error = failing_calls.failure_of, failing_calls.assert_error

local NO_CONTENT = steps.reply({ status = 204 })
local BUSY = steps.reply({ status = 503 })
local CANCELLED = { "cancelled", "cancelled", 1, false }
local LONG_SECONDS = 50 -- what a call would take if it were not withdrawn
local PROMPTLY_SECONDS = 2 -- between the wish and the end
local TIMEOUT_SECONDS = 5 -- for the server to see what happens to it

local server

setup(function() server = scripted_server.start() end)
teardown(function() server:stop() end)
before_each(function() server:reset() end)

local function new_client(options)
  local all = { attempt_timeout = LONG_SECONDS, retry = { delay = LONG_SECONDS } }
  for name, value in pairs(options or {}) do all[name] = value end
  return failing_calls.client(server.origin, all)
end

local function wait_for_requests(count)
  wait.until_true(function() return #server:requests() == count end, TIMEOUT_SECONDS, count .. " requests")
end

describe("cancel", function()
  -- A `cancel` that says so as soon as `condition` holds, and a function that checks how soon it was heard.
  local function cancel_when(condition)
    local said
    local function cancel()
      if condition() then said = said or curl.now() end
      return said ~= nil
    end
    return cancel, function() assert.is_true(curl.now() - said < PROMPTLY_SECONDS, curl.now() - said) end
  end

  local function assert_gone_and_good(client)
    wait.until_true(function() return server:open_connections() == 0 end, TIMEOUT_SECONDS, "the connection to end")
    server:script({ default = NO_CONTENT })
    assert.are.equal(204, client:close_user_connections({ user = "alice" }).status)
  end

  it("ends a call whose server says nothing, and closes its connection", function()
    for _, script in ipairs({
      steps.silence(),
      { steps.raw("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n01234"), steps.silence() },
    }) do
      server:reset()
      server:script({ default = script })
      local client = new_client()
      local cancel, assert_prompt = cancel_when(function() return #server:requests() == 1 end)
      assert_error(CANCELLED, failure_of(client, { cancel = cancel }))
      assert_prompt()
      assert_gone_and_good(client)
    end
  end)

  it("ends a call that is still connecting", function()
    server:script({ default = steps.on_accept(steps.silence()) })
    local client = failing_calls.client((server.origin:gsub("^http:", "https:")), { connect_timeout = LONG_SECONDS })
    local cancel, assert_prompt = cancel_when(function() return server:connections() == 1 end)
    assert_error(CANCELLED, failure_of(client, { cancel = cancel }))
    assert_prompt()
  end)

  it("ends a call that waits for its next attempt", function()
    server:script({ default = BUSY })
    local waiting, asked = false, 0
    local client = new_client({ logger = function(event) waiting = waiting or event.type == "retry" end })
    local cancel, assert_prompt = cancel_when(function()
      asked = waiting and asked + 1 or 0
      return asked == 3 -- and so not before the wait has begun
    end)
    assert_error(CANCELLED, failure_of(client, { cancel = cancel }))
    assert_prompt()
    assert.are.equal(1, #server:requests())
  end)

  it("before the call begins keeps everything from the network", function()
    assert.are.equal("cancelled", failure_of(new_client(), { cancel = function() return true end }).kind)
    assert.are.equal(0, server:connections())
  end)

  it("that raises ends the call with what it raised", function()
    server:script({ steps.silence(), default = NO_CONTENT })
    local client, reason = new_client(), {}
    local raised = failing_calls.raised_by(client.close_all_connections, client, { context = { cancel = function()
      if #server:requests() == 1 then error(reason) end
    end } })
    assert.are.equal(reason, raised)
    assert.are.equal(204, client:close_all_connections().status)
  end)
end)

describe("Ctrl-C", function()
  local shell

  before_each(function()
    shell = prompt.start()
    shell:answer(('client = require("webpubsub").new { endpoint = "%s", key = "k", hub = "chat", proxy = false, '
      .. 'attempt_timeout = %d, retry = { delay = %d } }'):format(server.origin, LONG_SECONDS, LONG_SECONDS))
  end)
  after_each(function() shell:stop() end)

  local function assert_interruptible(script)
    server:script({ default = script })
    shell:type('client:close_user_connections { user = "alice" }')
    wait_for_requests(1)
    local started = curl.now()
    shell:interrupt()
    shell:wait_for("interrupted!")
    assert.is_true(curl.now() - started < PROMPTLY_SECONDS, curl.now() - started)

    server:script({ default = NO_CONTENT })
    local shown = shell:answer('print(client:close_user_connections { user = "alice" })')
    assert.is_truthy(shown:find("204 No Content", 1, true), shown)
    assert.are.equal(2, #server:requests())
  end

  it("ends a call whose server says nothing, and the prompt lives on", function()
    assert_interruptible(steps.silence())
  end)

  it("ends the wait for the next attempt, and the prompt lives on", function()
    assert_interruptible(BUSY)
  end)
end)
