-- Calls in event loops: while one waits, the loop's other coroutines go on.

local webpubsub = require("webpubsub")
local core = require("webpubsub.core")
local curl = require("webpubsub.curl")
local cqueues_world = require("webpubsub.host.cqueues")
local luv_world = require("webpubsub.host.luv")
local plain = require("webpubsub.host.plain")
local socket = require("socket")
local cqueues = require("cqueues")
local process = require("spec.support.process")
local scripted_server = require("spec.support.scripted_server")
local steps = require("spec.support.steps")
local uv = require("luv")

local DELAY = 0.3 -- seconds until the server answers, in which others must go on
local TICK = 0.01
local LONGEST = 20 -- of a run that has not ended
local FEWEST_TICKS = 5 -- of the thirty that fit

local unpack = table.unpack or unpack -- luacheck: ignore 113 143
local YIELDS_THROUGH_PCALL = plain.YIELDS_THROUGH_PCALL

local server
setup(function() server = scripted_server.start() end)
teardown(function() server:stop() end)
before_each(function()
  server:reset()
  server:script({ default = { steps.delay(DELAY), steps.reply({ status = 204 }) } })
end)

local function new_client(options)
  options = options or {}
  options.endpoint, options.key, options.hub = server.origin, "k", "chat"
  return webpubsub.new(options)
end

local function close(client, context)
  return client:close_user_connections({ user = "alice", context = context })
end

-- A host that has something to do in each of so many polls.
local function busy_host(polls)
  local never_ready = socket.udp4()
  local host = { polls = 0, loops = {}, socket = never_ready }
  function host.is_busy() return host.polls < polls end
  function host.descriptor() return never_ready:getfd() end
  function host.timeout() return 0 end
  function host.poll()
    host.polls = host.polls + 1
    return 1
  end
  return host
end

-- The methods that need a client, called with a dot: what the error of each says.
local function assert_dots_are_told()
  for name, method in pairs(core.methods) do
    if name ~= "events" then -- a word that is the same for all clients
      local ok, err = pcall(method, { user = "alice" })
      assert.are.same({ false, "argument", "type", "client" }, { ok, err.kind, err.code, err.argument }, name)
      assert.are.equal(("%s is a method: write client:%s{ ... } with a colon"):format(name, name), err.message)
    end
  end
end

it("a method that is called with a dot says so", assert_dots_are_told)

describe("in a coroutine of cqueues", function()
  local loop

  before_each(function() loop = cqueues.new() end)

  it("a method that is called with a dot says so", function()
    loop:wrap(assert_dots_are_told)
    assert(loop:loop())
  end)

  -- Runs functions in coroutines of their own; returns how often another one ticked meanwhile, and the seconds.
  local function run(...)
    local left, ticks, started = select("#", ...), 0, core.now()
    for _, action in ipairs({ ... }) do
      loop:wrap(function()
        action()
        left = left - 1
      end)
    end
    loop:wrap(function()
      while left > 0 do
        cqueues.sleep(TICK)
        ticks = ticks + 1
        assert(core.now() - started < LONGEST, "a call was not woken")
      end
    end)
    assert(loop:loop())
    return ticks, core.now() - started
  end

  it("a plain call does not hold up the others", function()
    local client, response = new_client(), nil
    local ticks = run(function() response = close(client) end)
    assert.are.equal(204, response.status)
    assert.is_true(ticks >= FEWEST_TICKS, ticks)
  end)

  it("a plain call is woken whatever the collector does meanwhile", function()
    local client, response = new_client(), nil
    run(function() response = close(client) end, function()
      collectgarbage()
      cqueues.sleep(DELAY / 4)
      collectgarbage()
    end)
    assert.are.equal(204, response.status)
  end)

  it("calls that wait together take the time of one", function()
    local client, actions, answered = new_client(), {}, 0
    for index = 1, 20 do
      actions[index] = function()
        local response = close(client)
        answered = answered + (response.status == 204 and 1 or 0)
      end
    end
    local _, seconds = run(unpack(actions))
    assert.are.equal(20, answered)
    assert.is_true(seconds < 5 * DELAY, seconds)
  end)

  it("what is raised is what the method raises elsewhere", function()
    if not YIELDS_THROUGH_PCALL then return end
    server:script({ default = steps.reply({ status = 404, headers = { ["x-ms-error-code"] = "Error.No" } }) })
    local client, ok, err = new_client(), nil, nil
    run(function() ok, err = pcall(close, client) end)
    assert.are.same({ false, "service", "Error.No" }, { ok, err.kind, err.code })
  end)

  it("arguments are refused at once", function()
    local client, err = new_client(), nil
    run(function() err = select(2, pcall(client.close_user_connections, client, { user = "" })) end)
    assert.are.equal("argument", err.kind)
  end)

  it("a listing and the wait for a retry hold up nobody either", function()
    local page = steps.reply({ status = 200, body = '{"value":[{"connectionId":"c"}]}' })
    server:script({ { steps.delay(DELAY), steps.reply({ status = 503 }) }, { steps.delay(DELAY), page } })
    local client, member = new_client({ retry = { delay = DELAY, jitter = 0 } }), nil
    local ticks = run(function()
      local listing = client:list_connections_in_group({ group = "g" })
      member = listing() -- and not `for`, out of which Lua 5.1 cannot yield
    end)
    assert.are.equal("c", member.connection)
    assert.is_true(ticks >= 3 * FEWEST_TICKS, ticks)
  end)

  it("each holds up nobody", function()
    local client, summary, seen = new_client(), nil, 0
    local ticks = run(function()
      summary = client:each("close_user_connections", { "a", "b", "c" }, {
        concurrency = 2, on_result = function() seen = seen + 1 end,
      })
    end)
    assert.are.same({ 3, 3 }, { summary.succeeded, seen })
    assert.is_true(ticks >= 2 * FEWEST_TICKS, ticks)
  end)

  it("each raises what on_result raises, and leaves nothing behind", function()
    if not YIELDS_THROUGH_PCALL then return end
    local client, err = new_client(), nil
    run(function()
      err = select(2, pcall(client.each, client, "close_user_connections", { "a", "b", "c" },
        { concurrency = 2, on_result = function() error("oops", 0) end }))
    end)
    assert.are.same({ "oops", 0 }, { err, client:pending() })
  end)

  it("a task that nobody waits for is carried out", function()
    local client, told = new_client(), nil
    run(function()
      client:close_user_connections_async({ user = "alice" }):on_done(function(response)
        told = response.status == 204
      end)
    end)
    assert.is_true(told)
  end)

  it("a task may be awaited by several, and by who comes late", function()
    local client, statuses = new_client(), {}
    run(function()
      local task = client:close_user_connections_async({ user = "alice" })
      local function wait()
        local status = task:await().status
        statuses[#statuses + 1] = status
      end
      for _ = 1, 3 do loop:wrap(wait) end
      task:await()
      wait()
    end)
    assert.are.same({ 204, 204, 204, 204 }, statuses)
  end)

  it("gather waits for all", function()
    local client, values = new_client(), nil
    local _, seconds = run(function()
      values = webpubsub.gather({ client:close_user_connections_async({ user = "a" }),
        client:close_user_connections_async({ user = "b" }) })
    end)
    assert.are.same({ 204, 204 }, { values[1].status, values[2].status })
    assert.is_true(seconds < 2 * DELAY, seconds)
  end)

  it("a wait for a retry ends when the task is cancelled", function()
    server:script({ default = steps.reply({ status = 503 }) })
    local client, kind = new_client({ retry = { delay = 60, max_delay = 60 }, timeout = 100 }), nil
    local _, seconds = run(function()
      local task = client:close_user_connections_async({ user = "alice" })
      loop:wrap(function()
        cqueues.sleep(DELAY)
        task:cancel()
      end)
      local _, errors = webpubsub.gather({ task })
      kind = errors[1].kind
    end)
    assert.are.equal("cancelled", kind)
    assert.is_true(seconds < 5, seconds)
  end)

  it("the context's cancel is asked while the call waits", function()
    server:script({ default = steps.silence() })
    local client, kind, stop = new_client(), nil, false
    run(function()
      loop:wrap(function()
        cqueues.sleep(DELAY)
        stop = true
      end)
      local _, errors = webpubsub.gather({ client:close_user_connections_async({ user = "alice",
        context = { cancel = function() return stop end } }) })
      kind = errors[1].kind
    end)
    assert.are.equal("cancelled", kind)
  end)

  it("what a callback raises ends the loop's step and no later call", function()
    local client = new_client()
    loop:wrap(function()
      client:close_user_connections_async({ user = "alice" }):on_done(function() error("oops", 0) end)
    end)
    local ok, message = loop:loop()
    assert.is_falsy(ok)
    assert.is_truthy(tostring(message):find("oops", 1, true))
    local response
    run(function() response = close(client) end)
    assert.are.equal(204, response.status)
  end)

  it("what a callback raises leaves nobody waiting", function()
    local client, answered, problems = new_client(), 0, 0
    for _ = 1, 3 do
      loop:wrap(function()
        close(client)
        answered = answered + 1
      end)
    end
    loop:wrap(function()
      server:script({ default = steps.reply({ status = 204 }) })
      client:close_user_connections_async({ user = "alice" }):on_done(function() error("oops", 0) end)
    end)
    local give_up = core.now() + 10 * DELAY
    while not loop:empty() and core.now() < give_up do
      if not loop:step(TICK) then problems = problems + 1 end
    end
    assert.are.same({ 3, 1 }, { answered, problems })
  end)

  it("however many tasks can go on, the others have their turn", function()
    local host, turns = busy_host(100), 0
    loop:wrap(function() cqueues_world.enter(host) end)
    loop:wrap(function()
      while host:is_busy() do
        cqueues.sleep(0)
        turns = turns + 1
      end
    end)
    assert(loop:loop())
    assert.are.equal(100, host.polls)
    assert.is_true(turns >= 50, turns)
  end)

  it("what a callback of a task calls in its turn waits as everything does", function()
    local client, response = new_client(), nil
    local ticks = run(function()
      client:close_user_connections_async({ user = "alice" }):on_done(function() response = close(client) end)
      while not response do cqueues.sleep(TICK) end
    end)
    assert.are.equal(204, response.status)
    assert.is_true(ticks >= FEWEST_TICKS, ticks)
  end)

  it("a policy may wait for the loop, as a credential function may that fetches a token", function()
    local client, response = new_client(), nil
    local ticks = run(function()
      response = close(client, { policies = { before_send = function() cqueues.sleep(DELAY) end } })
    end)
    assert.are.equal(204, response.status)
    assert.is_true(ticks >= 2 * FEWEST_TICKS, ticks)
  end)

  -- Starts that in a few loops which nobody steps any more, and returns them.
  local function drop_loops(action)
    local dropped = setmetatable({}, { __mode = "k" })
    for _ = 1, 5 do
      local half = cqueues.new()
      dropped[half] = true
      half:wrap(action)
      half:step(0)
    end
    return dropped
  end

  it("a loop that is dropped half way leaves its tasks to others, and no memory", function()
    local client = new_client()
    local dropped = drop_loops(function() client:close_user_connections_async({ user = "alice" }) end)
    assert.are.equal(5, client:pending())
    while client:pending() > 0 do client:poll(1) end
    for _ = 1, 3 do collectgarbage() end
    assert.are.equal(5, #server:requests())
    assert.is_nil(next(dropped))
  end)

  it("a loop that is dropped half way leaves nothing of the calls that wait in it", function()
    local client = new_client()
    local dropped = drop_loops(function() close(client) end)
    for _ = 1, 3 do collectgarbage() end
    assert.is_nil(next(dropped))
    assert.are.same({ 0, 0 }, { client:pending(), curl.background():pending() })
  end)

  it("a loop that is dropped half way is not asked for ever whether it withdraws its calls", function()
    local client = new_client()
    drop_loops(function() close(client, { cancel = function() return false end }) end)
    for _ = 1, 3 do collectgarbage() end
    local deadline = core.now() + 2
    while client:timeout() and core.now() < deadline do client:poll(client:timeout()) end
    assert.is_nil(client:timeout())
  end)

  it("two clients and two loops get along", function()
    local first, second, other = new_client(), new_client(), cqueues.new()
    local statuses = {}
    local function call(client)
      return function()
        local status = close(client).status
        statuses[#statuses + 1] = status
      end
    end
    other:wrap(call(second))
    run(call(first), function() assert(other:loop()) end, call(second))
    assert.are.same({ 204, 204, 204 }, statuses)
  end)

  it("a coroutine of the program's own within it waits in place", function()
    local client = new_client()
    local status
    run(function() status = coroutine.wrap(function() return close(client).status end)() end)
    assert.are.equal(204, status)
  end)
end)

describe("attached to luv", function()
  local client, attached

  before_each(function()
    client = new_client()
    attached = client:attach_luv()
  end)
  after_each(function() attached:close() end)

  local function ticking()
    local timer, ticks = uv.new_timer(), 0
    timer:start(10, 10, function() ticks = ticks + 1 end)
    return function()
      timer:close()
      return ticks
    end
  end

  it("a task goes on with the loop, which ends when there is nothing left to do", function()
    local status
    client:close_user_connections_async({ user = "alice" }):on_done(function(response) status = response.status end)
    uv.run()
    assert.are.equal(204, status)
  end)

  it("await in a coroutine holds up nobody", function()
    local stop, status, ticks = ticking(), nil, nil
    coroutine.wrap(function()
      status = client:close_user_connections_async({ user = "alice" }):await().status
      ticks = stop()
    end)()
    uv.run()
    assert.are.equal(204, status)
    assert.is_true(ticks >= FEWEST_TICKS, ticks)
  end)

  it("retries wait for the loop's time", function()
    server:script({ steps.reply({ status = 503 }), default = steps.reply({ status = 204 }) })
    local retrying, attempts = new_client({ retry = { delay = 0.05 } }), nil
    coroutine.wrap(function()
      attempts = retrying:close_user_connections_async({ user = "alice" }):await().attempts
    end)()
    uv.run()
    assert.are.equal(2, attempts)
  end)

  it("a retry is driven, though another's poll has received the failure", function()
    server:script({ default = { steps.delay(DELAY), steps.reply({ status = 503 }) } })
    local retrying, attempts = new_client({ retry = { delay = 0.1 }, retries = 1 }), nil
    local limit, timer = uv.new_timer(), uv.new_timer()
    limit:start(10 * DELAY * 1000, 0, uv.stop)
    timer:start(math.floor(DELAY * 500), 0, function()
      timer:close()
      assert.are.equal(1, client:poll(2 * DELAY))
    end)
    retrying:close_user_connections_async({ user = "alice" }):on_done(function(_, err)
      attempts = err.attempts
      limit:close()
    end)
    uv.run()
    assert.are.equal(2, attempts)
  end)

  it("a classifier may await another task", function()
    local stop, status, ticks = ticking(), nil, nil
    local function ask()
      client:service_status_async():await()
    end
    client:close_user_connections_async({ user = "alice", context = { classify = ask } }):on_done(function(response)
      status, ticks = response.status, stop()
    end)
    uv.run()
    assert.are.equal(204, status)
    assert.is_true(not YIELDS_THROUGH_PCALL or ticks >= 2 * FEWEST_TICKS, ticks)
  end)

  it("each in a coroutine holds up nobody", function()
    local stop, succeeded, ticks = ticking(), nil, nil
    coroutine.wrap(function()
      succeeded = client:each("close_user_connections", { "a", "b", "c" }, { concurrency = 2 }).succeeded
      ticks = stop()
    end)()
    uv.run()
    assert.are.equal(3, succeeded)
    assert.is_true(ticks >= FEWEST_TICKS, ticks)
  end)

  it("a second client shares the attachment", function()
    local second, statuses = new_client(), {}
    assert.are.equal(attached, second:attach_luv())
    for _, which in ipairs({ client, second }) do
      which:close_user_connections_async({ user = "alice" }):on_done(function(response)
        statuses[#statuses + 1] = response.status
      end)
    end
    uv.run()
    assert.are.same({ 204, 204 }, statuses)
  end)

  it("nothing more once it is closed, but by polling", function()
    attached:close()
    attached:close()
    local task = client:close_user_connections_async({ user = "alice" })
    uv.run()
    assert.is_false(task:done())
    assert.are.equal(204, task:await().status)
  end)

  it("await outside of a coroutine waits in place", function()
    assert.are.equal(204, client:close_user_connections_async({ user = "alice" }):await().status)
  end)

  it("the end of the process comes in order", function()
    for _, rest in ipairs({ "attached:close()", "attached = nil", "" }) do
      local child = process.run_lua(([[
        local uv = require("luv")
        local client = require("webpubsub").new({ endpoint = %q, key = "k", hub = "chat" })
        local attached = client:attach_luv()
        local task = client:close_user_connections_async({ user = "alice" })
        task:on_done(function() print(task) end)
        uv.run()
        %s]]):format(server.origin, rest))
      assert.are.same({ 0, "webpubsub task: close_user_connections, done\n" }, { child.code, child.stdout })
    end
  end)

  it("however many tasks can go on, everything else has its turn", function()
    local host, turns, other = busy_host(100), 0, uv.new_idle()
    local busy = luv_world.attach(host)
    other:start(function()
      turns = turns + 1
      if not host:is_busy() then other:close() end
    end)
    uv.run()
    busy:close()
    assert.are.equal(100, host.polls)
    assert.is_true(turns >= 50, turns)
  end)

  it("a callback may detach it, and then nothing more is driven", function()
    server:script({ default = steps.reply({ status = 503 }) })
    local patient, other = new_client({ retry = { delay = 1 } }), new_client({ retry = { delay = 0.1 } })
    local task = patient:close_user_connections_async({ user = "alice" })
    other:close_user_connections_async({ user = "alice", context = { retries = 1 } })
      :on_done(function() attached:close() end)
    local started = core.now()
    uv.run()
    assert.is_true(core.now() - started < 0.7) -- and not as long as the other waits
    assert.is_false(task:done())
    task:cancel()
    webpubsub.gather({ task })
  end)

  it("a coroutine that is closed while it awaits is nobody's loss", function()
    if not coroutine.close then return end -- luacheck: ignore 143 (Lua 5.4 has it)
    local waiting = coroutine.create(function() client:close_user_connections_async({ user = "alice" }):await() end)
    coroutine.resume(waiting)
    coroutine.close(waiting) -- luacheck: ignore 143
    uv.run()
    assert.are.equal(0, client:pending())
  end)

  it("tasks from before it are driven as well", function()
    attached:close()
    local task = client:close_user_connections_async({ user = "alice" })
    attached = client:attach_luv()
    uv.run()
    assert.is_true(task:done())
  end)
end)

describe("a tick loop", function()
  it("is not held up by calls", function()
    local client, tasks, longest, ticks = new_client(), {}, 0, 0
    for index = 1, 50 do tasks[index] = client:close_user_connections_async({ user = "user-" .. index }) end
    while client:pending() > 0 do
      local before = core.now()
      client:poll(0)
      longest = math.max(longest, core.now() - before)
      ticks = ticks + 1
      cqueues.sleep(TICK)
    end
    assert.is_true(ticks >= FEWEST_TICKS, ticks)
    assert.is_true(longest < DELAY / 2, longest)
    for _, task in ipairs(tasks) do assert.are.equal(204, task:await().status) end
  end)

  it("shares its tasks with whichever client polls", function()
    local first, second = new_client(), new_client()
    local task = first:close_user_connections_async({ user = "alice" })
    local other = second:close_user_connections_async({ user = "bob" })
    while not (task:done() and other:done()) do second:poll(1) end
    assert.are.same({ 0, 0 }, { first:pending(), second:pending() })
  end)

  it("goes on with the tasks of a client that was collected, be it that another polls that has none", function()
    local task = new_client():close_user_connections_async({ user = "alice" })
    for _ = 1, 2 do collectgarbage() end
    local other, give_up = new_client(), core.now() + 10 * DELAY
    while not task:done() and core.now() < give_up do other:poll(TICK) end
    assert.is_true(task:done())
  end)
end)
