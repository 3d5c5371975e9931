-- Where a call waits: in which coroutines, for how long, what may resume them, and what is left of it.

local webpubsub = require("webpubsub")
local calls = require("spec.support.calls")
local core = require("webpubsub.core")
local cqueues = require("cqueues")
local curl = require("webpubsub.curl")
local plain = require("webpubsub.host.plain")
local scripted_server = require("spec.support.scripted_server")
local steps = require("spec.support.steps")
local uv = require("luv")

local DELAY = 0.3  -- seconds until the server answers
local LIMIT = 0.2  -- a call's timeout that a function of the program's outlasts
local LATE = 5     -- seconds within which everything must be over
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
  options.endpoint, options.hub = options.endpoint or server.origin, "chat"
  options.key = not options.credential and "k" or nil
  return webpubsub.new(options)
end

local function close(client, context)
  return client:close_user_connections({ user = "alice", context = context })
end

local function run_loop(action)
  local loop, started = cqueues.new(), core.now()
  loop:wrap(action)
  assert(loop:loop())
  return core.now() - started
end

-- The functions of the program's that may wait.
local function contexts(wait)
  return {
    per_call = { policies = { per_call = wait } }, per_attempt = { policies = { per_attempt = wait } },
    before_send = { policies = { before_send = wait } }, classify = { classify = wait },
  }
end

describe("a call whose policy or classifier waits", function()
  before_each(function() server:script({ default = steps.reply({ status = 204 }) }) end)

  for name in pairs(contexts(print)) do
    it("ends with its timeout in cqueues: " .. name, function()
      local client, err = new_client({ errors = "return" }), nil
      local loop, started = cqueues.new(), core.now()
      loop:wrap(function()
        local context = contexts(function() cqueues.sleep(LATE) end)[name]
        context.timeout = LIMIT
        err = select(2, close(client, context))
      end)
      while not err and core.now() - started < LATE do loop:step(0.05) end
      assert.are.same({ "timeout", "deadline" }, { err.kind, err.code })
      assert.is_true(core.now() - started < LATE / 2)
    end)

    it("ends with its timeout as a task that nobody resumes: " .. name, function()
      if not YIELDS_THROUGH_PCALL then return end
      local context = contexts(coroutine.yield)[name]
      context.timeout = LIMIT
      local client = new_client({ errors = "return" })
      local _, err = client:close_user_connections_async({ user = "alice", context = context }):await()
      assert.are.same({ "timeout", "deadline", 0 }, { err.kind, err.code, client:pending() })
    end)

    it("ends when it is cancelled: " .. name, function()
      local client, kind, entered = new_client({ errors = "return" }), nil, false
      local loop, started = cqueues.new(), core.now()
      loop:wrap(function()
        local context = contexts(function()
          entered = true
          cqueues.sleep(LATE)
        end)[name]
        context.cancel = function() return entered end
        kind = select(2, close(client, context)).kind
      end)
      while not kind and core.now() - started < LATE do loop:step(0.05) end
      assert.are.equal("cancelled", kind)
    end)
  end

  it("ends with its timeout while a credential function waits", function()
    if not YIELDS_THROUGH_PCALL then return end
    local client = new_client({ errors = "return", endpoint = "https://127.0.0.1:1", credential = coroutine.yield,
      timeout = LIMIT })
    local _, err = client:close_user_connections_async({ user = "alice" }):await()
    assert.are.same({ "timeout", "deadline" }, { err.kind, err.code })
  end)

  it("ends with its timeout while a transport of the program's own waits", function()
    local client, err = new_client({ errors = "return", timeout = LIMIT,
      transport = function() cqueues.sleep(LATE) end }), nil
    local loop, started = cqueues.new(), core.now()
    loop:wrap(function() err = select(2, close(client)) end)
    while not err and core.now() - started < LATE do loop:step(0.05) end
    assert.are.same({ "timeout", "deadline" }, { err.kind, err.code })
  end)
end)

describe("with a transport of the program's own", function()
  local function own_client(answer)
    return new_client({ retries = 0, transport = answer or function(request)
      return { status = request.url:find("/users/missing", 1, true) and 404 or 204 }
    end })
  end

  it("there are tasks, each and listings in the plain world", function()
    local client = own_client()
    local task = client:close_user_connections_async({ user = "alice" })
    assert.are.equal(204, task:await().status)
    assert.is_false((client:user_exists_async({ user = "missing" }):await()))
    assert.are.equal(3, client:each("close_user_connections", { "a", "b", "c" }, { concurrency = 2 }).succeeded)
    local listed = own_client(function() return { status = 200, body = '{"value":[{"connectionId":"c"}]}' } end)
    assert.are.equal("c", listed:list_connections_in_group({ group = "g" })().connection)
  end)

  it("each holds up nobody in cqueues", function()
    local client = own_client(function()
      cqueues.sleep(DELAY)
      return { status = 204 }
    end)
    local succeeded
    local seconds = run_loop(function()
      succeeded = client:each("close_user_connections", { "a", "b", "c", "d" }, { concurrency = 4 }).succeeded
    end)
    assert.are.equal(4, succeeded)
    assert.is_true(seconds < 3 * DELAY, seconds)
  end)

  it("a failure says what it is, and whether another attempt may help", function()
    local attempts = 0
    local client = new_client({ errors = "return", retry = { delay = 0, jitter = 0 }, transport = function()
      attempts = attempts + 1
      return nil, { code = "mine", message = "no way", retryable = false }
    end })
    local _, err = client:service_status()
    assert.are.same({ "mine", "no way", false, 1 }, { err.code, err.message, err.retryable, attempts })
    client = new_client({ errors = "return", retry = { delay = 0, jitter = 0 }, transport = function()
      attempts = attempts + 1
      return nil, { code = "mine" }
    end })
    _, err = client:service_status()
    assert.are.same({ "transport", "mine", true, 5 }, { err.kind, err.code, err.retryable, attempts })
  end)
end)

describe("in a coroutine of a loop", function()
  it("a call within a function of C waits in place", function()
    if not YIELDS_THROUGH_PCALL then return end
    local client, status = new_client(), nil
    run_loop(function()
      ("x"):gsub("x", function() status = close(client).status end)
    end)
    assert.are.equal(204, status)
  end)

  it("a call within pcall is refused on Lua 5.1, and told what to do", function()
    if YIELDS_THROUGH_PCALL then return end
    local client, err = new_client(), nil
    run_loop(function() err = select(2, pcall(close, client)) end)
    assert.are.same({ "argument", "unsupported" }, { err.kind, err.code })
    assert.is_truthy(err.message:find('errors = "return"', 1, true))
  end)

  it("a coroutine that somebody resumes while it waits goes on waiting", function()
    local client = new_client()
    local attached = client:attach_luv()
    local status
    local thread = coroutine.create(function() status = close(client).status end)
    for _ = 1, 3 do assert(coroutine.resume(thread)) end
    assert.are.equal("suspended", coroutine.status(thread))
    uv.run()
    attached:close()
    assert.are.equal(204, status)
  end)

  it("a plain call holds up nobody once luv is attached", function()
    local client = new_client()
    local attached = client:attach_luv()
    local timer, ticks, statuses = uv.new_timer(), 0, {}
    timer:start(10, 10, function() ticks = ticks + 1 end)
    for index = 1, 3 do
      coroutine.wrap(function()
        statuses[index] = close(client).status
        if index == 3 then timer:close() end
      end)()
    end
    uv.run()
    attached:close()
    assert.are.same({ 204, 204, 204 }, statuses)
    assert.is_true(ticks >= 5 and ticks < 60, ticks)
  end)

  it("a coroutine of luv's that nobody holds is not collected while it waits", function()
    local client, ended = new_client(), 0
    local attached = client:attach_luv()
    for _ = 1, 5 do
      coroutine.wrap(function()
        close(client)
        client:close_user_connections_async({ user = "alice" }):await()
        ended = ended + 1
      end)()
    end
    local timer = uv.new_timer()
    timer:start(1, 20, function() for _ = 1, 2 do collectgarbage() end end)
    while ended < 5 and uv.run("once") do client:timeout() end
    timer:close()
    uv.run()
    attached:close()
    assert.are.equal(5, ended)
    local host = core.extras(client).transport.host
    for _, place in ipairs(host.all) do assert.is_true(coroutine.status(place.thread) == "suspended") end
  end)

  it("a call that is cancelled is over soon, and its loop ends", function()
    local client, stop, kind = new_client({ errors = "return", timeout = 100,
      retry = { delay = 60, max_delay = 60 } }), false, nil
    server:script({ default = steps.reply({ status = 503 }) })
    local seconds = run_loop(function()
      cqueues.running():wrap(function()
        cqueues.sleep(DELAY)
        stop = true
      end)
      kind = select(2, close(client, { cancel = function() return stop end })).kind
    end)
    assert.are.equal("cancelled", kind)
    assert.is_true(seconds < LATE, seconds)
  end)
end)

describe("with thousands of tasks", function()
  it("a loop's other coroutines have their turn", function()
    local client, left, longest = new_client({ transport = function() return { status = 204 } end }), 3000, 0
    run_loop(function()
      cqueues.running():wrap(function()
        local before = core.now()
        while left > 0 do
          cqueues.sleep(0.001)
          longest, before = math.max(longest, core.now() - before), core.now()
        end
      end)
      for index = 1, 3000 do
        client:close_user_connections_async({ user = "u" .. index }):on_done(function() left = left - 1 end)
        if index % 20 == 0 then cqueues.sleep(0) end
      end
    end)
    assert.are.same({ 0, 0 }, { left, client:pending() })
    assert.is_true(longest < 0.25, longest)
  end)
end)

describe("what is left to do", function()
  it("is nothing when all is over: no time is due", function()
    server:script({ default = steps.reply({ status = 204 }) })
    local client = new_client()
    local task = client:close_user_connections_async({ user = "alice", context = { cancel = function() end } })
    task:await()
    assert.is_nil(client:timeout())
    local cancelled = client:close_user_connections_async({ user = "alice" })
    cancelled:cancel()
    webpubsub.gather({ cancelled })
    assert.is_nil(client:timeout())
    assert.are.same({ 0, 0 }, { client:pending(), curl.background():pending() })
  end)

  it("is counted whatever ends a task", function()
    server:script({ default = steps.reply({ status = 503 }) })
    local client = new_client({ retry = { delay = 60, max_delay = 60 }, timeout = 100 })
    local tasks = {}
    for index = 1, 3 do tasks[index] = client:close_user_connections_async({ user = "alice" }) end
    tasks[4] = client:close_user_connections_async({ user = "alice", context = { policies = { per_call = function()
      error("mine", 0)
    end } } })
    local give_up = core.now() + LATE
    while #server:requests() < 3 and core.now() < give_up do client:poll(0.01) end
    for _ = 1, 10 do client:poll(0.01) end
    for index = 1, 3 do tasks[index]:cancel() end
    local _, errors = webpubsub.gather(tasks)
    assert.are.same({ "cancelled", "cancelled", "cancelled", "mine" },
      { errors[1].kind, errors[2].kind, errors[3].kind, errors[4] })
    assert.are.same({ 0, nil }, { client:pending(), client:timeout() })
  end)
end)

describe("two copies of the library in one Lua state", function()
  it("disturb none of each other's tasks", function()
    local mine = {}
    for name, module in pairs(package.loaded) do
      if name:find("^webpubsub") then mine[name], package.loaded[name] = module, nil end
    end
    local other = require("webpubsub")
    for name, module in pairs(mine) do package.loaded[name] = module end
    assert.are_not.equal(webpubsub, other)
    local first = new_client()
    local second = other.new({ endpoint = server.origin, key = "k", hub = "chat" })
    local one, two = {}, {}
    for index = 1, 5 do
      one[index] = first:close_user_connections_async({ user = "a" })
      two[index] = second:close_user_connections_async({ user = "b" })
    end
    local give_up = core.now() + LATE
    while first:pending() > 0 and core.now() < give_up do first:poll(0.01) end
    while second:pending() > 0 and core.now() < give_up do second:poll(0.01) end
    assert.are.same({ 0, 0 }, { first:pending(), second:pending() })
    for index = 1, 5 do assert.are.same({ 204, 204 }, { one[index]:result().status, two[index]:result().status }) end
  end)
end)

describe("each", function()
  it("does not count the calls that a cancellation has withdrawn", function()
    server:script({ steps.reply({ status = 204 }), steps.reply({ status = 204 }), default = steps.silence() })
    local client, stop = new_client(), false
    local summary = client:each("close_user_connections", { "a", "b", "c", "d", "e", "f" }, { concurrency = 1,
      context = { cancel = function()
        stop = stop or #server:requests() >= 3
        return stop
      end } })
    assert.are.same({ true, 2 }, { summary.cancelled, summary.completed_through })
  end)

  it("takes what it calls from a wrong client for a mistake", function()
    assert.are.equal("argument", calls.refusal(new_client().each, {}, "service_status", {}).kind)
  end)
end)
