require("webpubsub.client") -- gives every client its methods
local driven = require("spec.support.driven")
local hosted = require("spec.support.hosted")
local plain = require("webpubsub.host.plain")
local task = require("webpubsub.task")

--- Gives a scripted transport a background thread that finishes an exchange when it is told to.
local function with_background(transport)
  local finished, submitted = {}, {}
  local background = { waits = {} }

  function background.next() return table.remove(finished, 1) end
  function background.fd() return 42 end
  function background.wait(_, seconds)
    background.waits[#background.waits + 1] = seconds
    transport.advance(seconds)
  end

  --- Ends the oldest exchange that is under way.
  function background.finish()
    finished[#finished + 1] = table.remove(submitted, 1)
  end

  function background.under_way() return #submitted end

  function background.pending() return #submitted + #finished end
  function transport.submit(call)
    local exchange = { cancelled = false }
    function exchange:cancel()
      self.cancelled = true
      for index, other in ipairs(submitted) do
        if other == self then finished[#finished + 1] = table.remove(submitted, index) end
      end
    end
    function exchange:result()
      if self.cancelled then return nil, "cancelled", "cancelled", "the exchange was cancelled" end
      return transport.answer(call)
    end
    submitted[#submitted + 1] = exchange
    return exchange
  end
  hosted.attach(transport, background)
  return background
end

local function client_with(answers, options)
  local client, transport = driven.client(answers, options)
  return client, transport, with_background(transport)
end

local function close(client, context)
  return client:close_user_connections_async { user = "alice", context = context }
end

describe("a task", function()
  it("is under way until a poll finds its exchange finished", function()
    local client, _, background = client_with { { status = 204 } }
    local running = close(client)
    assert.are.same({ false, 1, 1 }, { running:done(), client:pending(), background.under_way() })
    assert.are.equal(0, client:poll(0))
    background.finish()
    assert.are.equal(1, client:poll(0))
    assert.are.same({ true, 0 }, { running:done(), client:pending() })
    assert.are.equal(204, running:await().status)
  end)

  it("refuses bad arguments at once, before there is a task", function()
    local client = client_with {}
    local ok, err = pcall(client.close_user_connections_async, client, { user = "" })
    assert.are.same({ false, "argument", "empty" }, { ok, err.kind, err.code })
    ok, err = pcall(close, client, { policies = { per_cal = print } })
    assert.are.same({ false, "argument", "unknown" }, { ok, err.kind, err.code })
    assert.are.equal(0, client:pending())
  end)

  it("raises from await what the method would raise, each time", function()
    local client, _, background = client_with { { status = 404, body = '{"code":"Gone","message":"no"}' } }
    local running = close(client)
    background.finish()
    for _ = 1, 2 do
      local ok, err = pcall(running.await, running)
      assert.are.same({ false, "service", "Gone" }, { ok, err.kind, err.code })
    end
  end)

  it("returns all that the method returns", function()
    local client, _, background = client_with { { status = 404 } }
    local running = client:user_exists_async { user = "bob" }
    background.finish()
    local exists, response = running:await()
    assert.are.same({ false, 404 }, { exists, response.status })
  end)

  it("waits for a retry without a thread and without a tick", function()
    local client, transport, background = client_with { { status = 503 }, { status = 204 } }
    local running = close(client, { retry = { delay = 2, jitter = 0 } })
    background.finish()
    client:poll(0)
    assert.are.same({ false, 0, 2 }, { running:done(), background.under_way(), client:timeout() })
    transport.advance(1.5)
    assert.are.same({ 0, 0 }, { client:poll(0), background.under_way() })
    transport.advance(0.5)
    assert.are.same({ 1, 1 }, { client:poll(0), background.under_way() })
    background.finish()
    assert.are.equal(2, running:await().attempts)
  end)

  it("is driven by await, which waits no longer than the next wake", function()
    local client, _, background = client_with { { status = 503 }, { status = 204 } }
    local running = close(client, { retry = { delay = 0.01, jitter = 0 } })
    background.finish()
    client:poll(0)
    client:poll(60)
    assert.is_true(math.abs(background.waits[1] - 0.01) < 1e-6)
    background.finish()
    assert.are.equal(204, running:await().status)
  end)

  it("keeps tasks apart that are under way together", function()
    local client, _, background = client_with { { status = 204 }, { status = 404 }, { status = 204 } }
    local list = { close(client), client:close_connection_async { connection = "x" }, close(client) }
    for _ = 1, 3 do background.finish() end
    local values, errors = task.gather(list)
    assert.are.same({ 204, 204 }, { values[1].status, values[3].status })
    assert.are.equal(404, errors[2].status)
    assert.is_nil(errors[1])
  end)

  it("does not wait for itself", function()
    local client, _, background = client_with { { status = 503 } }
    local running
    running = close(client, { retry = { delay = 0, jitter = 0 }, policies = { per_attempt = function()
      if running then running:await() end
    end } })
    background.finish()
    client:poll(0)
    client:poll(0)
    local _, err = pcall(running.await, running)
    assert.are.same({ "argument", "invalid" }, { err.kind, err.code })
  end)

  it("is what gather takes a list of, and nothing else", function()
    local client = client_with {}
    local running, other = close(client), close(client)
    for _, list in ipairs { running, "x", { 1 }, { running, {} }, { a = running }, { running, nil, other } } do
      local ok, err = pcall(task.gather, list)
      assert.are.same({ false, "argument", "gather" }, { ok, err.kind, err.operation })
    end
    assert.are.same({}, (task.gather {}))
  end)
end)

describe("cancelling a task", function()
  it("withdraws the exchange", function()
    local client, _, background = client_with {}
    local running = close(client)
    running:cancel()
    assert.are.equal(0, background.under_way())
    client:poll(0)
    local ok, err = pcall(running.await, running)
    assert.are.same({ false, "cancelled" }, { ok, err.kind })
    assert.are.equal(0, client:pending())
  end)

  it("ends a wait for a retry", function()
    local client, _, background = client_with { { status = 503 } }
    local running = close(client, { retry = { delay = 30, jitter = 0 } })
    background.finish()
    client:poll(0)
    running:cancel()
    client:poll(0)
    local ok, err = pcall(running.await, running)
    assert.are.same({ false, "cancelled", true }, { ok, err.kind, running:done() })
  end)

  it("does nothing to one that is over", function()
    local client, _, background = client_with { { status = 204 } }
    local running = close(client)
    background.finish()
    client:poll(0)
    running:cancel()
    assert.are.equal(204, running:await().status)
  end)

  it("may be asked for by the context", function()
    local stop = false
    local client, transport = client_with {}
    local running = close(client, { cancel = function() return stop end })
    assert.are.equal(0, client:poll(0))
    assert.is_true(client:timeout() > 0)
    stop = true
    transport.advance(0.05)
    client:poll(0)
    local ok, err = pcall(running.await, running)
    assert.are.same({ false, "cancelled" }, { ok, err.kind })
  end)
end)

describe("a function of the program's that yields in a task", function()
  local client, background, waiting, _

  -- Waits as programs do that have a loop of their own: somebody resumes the coroutine later.
  local function wait()
    waiting = coroutine.running()
    coroutine.yield("anything")
  end

  local function go_on()
    local thread = waiting
    waiting = nil
    assert(coroutine.resume(thread))
  end

  before_each(function()
    client, _, background = client_with { { status = 204 } }
  end)

  it("is the end of the task on Lua 5.1", function()
    if plain.YIELDS_THROUGH_PCALL then return end
    local running = close(client, { policies = { before_send = wait } })
    local _, err = pcall(running.await, running)
    assert.are.same({ "argument", "unsupported", 0 }, { err.kind, err.code, client:pending() })
    coroutine.resume(waiting)
    assert.are.equal(0, background.under_way())
  end)

  if not plain.YIELDS_THROUGH_PCALL then return end

  it("goes on when it is resumed, and the task with it", function()
    local running = close(client, { policies = { per_attempt = wait, before_send = wait } })
    for _ = 1, 2 do
      assert.are.same({ 0, 0, 1 }, { client:poll(0), background.under_way(), client:pending() })
      go_on()
    end
    background.finish()
    client:poll(0)
    assert.are.equal(204, running:await().status)
  end)

  it("may be the last thing that the task does", function()
    local running, told = close(client, { classify = wait }), nil
    running:on_done(function() told = true end)
    background.finish()
    client:poll(0)
    go_on()
    assert.are.same({ false, 0 }, { running:done(), client:timeout() })
    client:poll(0)
    assert.are.same({ true, 204, 0 }, { told, running:await().status, client:pending() })
  end)

  it("may raise an error afterwards, which is the task's", function()
    local running = close(client, { classify = function()
      wait()
      error("oops", 0)
    end })
    background.finish()
    client:poll(0)
    go_on()
    client:poll(0)
    assert.are.same({ false, "oops" }, { pcall(running.await, running) })
  end)

  it("does not outlast the task's cancellation", function()
    local running = close(client, { policies = { before_send = wait } })
    running:cancel()
    local _, err = pcall(running.await, running)
    assert.are.same({ true, "cancelled", 0 }, { running:done(), err.kind, client:pending() })
    go_on()
    assert.are.same({ 0, 0 }, { client:poll(0), background.under_way() })
  end)
end)

describe("who may ask for a cancellation", function()
  it("is asked 20 times a second, however often is polled", function()
    local client, transport = client_with {}
    local asked = 0
    close(client, { cancel = function() asked = asked + 1 end })
    local before = asked
    for _ = 1, 1000 do
      client:poll(0)
      transport.advance(0.001)
    end
    assert.is_true(asked - before >= 18 and asked - before <= 20, asked - before)
  end)

  it("is not asked any more when the task is over", function()
    local client, transport, background = client_with { { status = 204 } }
    local asked = 0
    local running = close(client, { cancel = function() asked = asked + 1 end })
    local other = close(client)
    background.finish()
    client:poll(0)
    asked = 0
    transport.advance(1)
    client:poll(0)
    assert.are.same({ true, false, 0 }, { running:done(), other:done(), asked })
    assert.is_nil(client:timeout())
  end)

  it("does not keep a loop awake when all tasks are over", function()
    local client, _, background = client_with { { status = 204 } }
    close(client, { cancel = function() end })
    background.finish()
    client:poll(0)
    assert.is_nil(client:timeout())
  end)
end)

describe("on_done", function()
  it("is called once, from the poll in which the task ends", function()
    local client, _, background = client_with { { status = 204 } }
    local seen = {}
    close(client):on_done(function(response) seen[#seen + 1] = response.status end)
    background.finish()
    assert.are.equal(0, #seen)
    client:poll(0)
    client:poll(0)
    assert.are.same({ 204 }, seen)
  end)

  it("is called at once where the task is over", function()
    local client, _, background = client_with { { status = 204 } }
    local running, called = close(client), false
    background.finish()
    client:poll(0)
    running:on_done(function() called = true end)
    assert.is_true(called)
  end)

  it("takes a function only, be it that the task is over", function()
    local client, _, background = client_with { { status = 204 } }
    local running = close(client)
    for _ = 1, 2 do
      local ok, err = pcall(running.on_done, running, "x")
      assert.are.same({ false, "argument", "callback" }, { ok, err.kind, err.argument })
      background.finish()
      client:poll(0)
    end
  end)
end)

describe("polling", function()
  it("costs nothing where there are no tasks", function()
    local client = client_with {}
    assert.are.same({ 0, 0 }, { client:poll(0), client:poll(10) })
  end)

  it("takes a number of seconds only, also where there is nothing to do", function()
    local client = client_with {}
    for _, seconds in ipairs { "1", {}, true, 0 / 0 } do
      local ok, err = pcall(client.poll, client, seconds)
      assert.are.same({ false, "argument", "seconds" }, { ok, err.kind, err.argument })
    end
    assert.are.same({ 0, 0, 0 }, { client:poll(), client:poll(-1), client:poll(math.huge) })
  end)

  it("leaves work for the next tick when there is much of it", function()
    local answers = {}
    for index = 1, 200 do answers[index] = { status = 204, takes = 0.0001 } end
    local client, _, background = client_with(answers)
    for _ = 1, 200 do close(client) end
    for _ = 1, 200 do background.finish() end
    local first = client:poll(0)
    assert.is_true(first > 0 and first < 20, "went on: " .. first)
    local rounds = 1
    while client:pending() > 0 and rounds < 1000 do
      client:poll(0)
      rounds = rounds + 1
    end
    assert.are.equal(0, client:pending())
  end)

  it("tells a loop the descriptor and the events", function()
    local client = client_with {}
    assert.are.same({ 42, "r" }, { client:pollfd(), client:events() })
    assert.is_nil(client:timeout())
  end)

  it("prints what a task is doing", function()
    local client, _, background = client_with { { status = 204 } }
    local running = close(client)
    assert.are.equal("webpubsub task: close_user_connections, in flight", tostring(running))
    background.finish()
    client:poll(0)
    assert.are.equal("webpubsub task: close_user_connections, done", tostring(running))
  end)
end)
