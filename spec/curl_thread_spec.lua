local curl = require("webpubsub.curl")
local socket = require("socket")
local certs = require("spec.support.certs")
local exchange = require("spec.support.exchange")
local process = require("spec.support.process")
local scripted_server = require("spec.support.scripted_server")
local steps = require("spec.support.steps")
local support = require("spec.support.background")
local wait = require("spec.support.wait")

local profile, assert_fails = exchange.profile, exchange.assert_fails
local reply = steps.reply
local NO_CONTENT = reply({ status = 204 })

local submit, submit_all, take, take_all = support.submit, support.submit_all, support.take, support.take_all
local cancel_all = support.cancel_all
local LONG, ARRIVAL = support.LONG, support.ARRIVAL
local MAX_RUNNING = 100    -- of a profile, where nothing else is said
local MAX_PENDING = 100000 -- of the engine

local background = curl.background()
local server

setup(function() server = scripted_server.start() end)
teardown(function() server:stop() end)
before_each(function() server:reset() end)

-- Occupies the profile: nothing else of it runs until these are cancelled or out of time.
local function occupy(of_profile)
  server:script({ default = steps.silence() })
  return submit_all(MAX_RUNNING, of_profile, { target = "/occupying" })
end

local function wait_for_requests(count)
  wait.until_true(function() return #server:requests() == count end, ARRIVAL, count .. " requests to arrive")
end

describe("the background engine", function()
  after_each(support.assert_idle)

  it("is the same one for the whole Lua state", function()
    assert.is_true(rawequal(background, curl.background()))
  end)

  it("carries out what is submitted", function()
    server:script({ reply({ status = 200, reason = "Fine", headers = { ["X-A"] = "1" }, body = "body" }) })
    local submitted = submit(profile(server.origin), { target = "/a?b", headers = "X-Own: 1\r\n", body = "sent" })
    assert.are.equal(1, background:pending())
    assert.is_true(rawequal(submitted, take()))
    assert.is_true(submitted:done())
    assert.are.same({ reason = "Fine", new_connection = true }, submitted:info())
    local status, headers, body = submitted:result()
    assert.are.same({ 200, "body" }, { status, body })
    assert.is_truthy(headers:find("X-A: 1\r\n", 1, true))
    local request = server:requests()[1]
    assert.are.same({ "/a?b", "1", "sent" }, { request.target, request.headers:get("X-Own"), request.body })
  end)

  it("tells failures as the inline one does", function()
    local of_profile = profile(server.origin)
    server:script({ steps.close(), steps.silence() })
    submit(of_profile)
    assert_fails("transport", "closed", take():result())
    submit(of_profile, { seconds = 0.2 })
    assert_fails("timeout", "attempt_timeout", take():result())
    submit(profile("http://127.0.0.1:1"))
    assert_fails("transport", "connect", take():result())
  end)

  it("says of a kept connection that died unanswered that it was kept", function()
    local of_profile = profile(server.origin)
    server:script({ NO_CONTENT, steps.close(), steps.close(), default = NO_CONTENT })
    submit(of_profile)
    assert.are.equal(204, (take():result()))
    for _, stale in ipairs({ true, false }) do
      submit(of_profile)
      local _, kind, code, _, was_stale = take():result()
      assert.are.same({ "transport", "closed", stale }, { kind, code, was_stale })
    end
    assert.are.equal(3, #server:requests())
  end)

  it("refuses what could not be sent", function()
    local of_profile = profile(server.origin)
    for message, request in pairs({
      ["method must be"] = { method = "" },
      ["target must begin"] = { target = "elsewhere" },
      ["headers must be lines"] = { headers = "no colon\r\n" },
      ["seconds above 0"] = { seconds = 0 },
    }) do
      assert.error_matches(function() submit(of_profile, request) end, message)
      assert.are.equal(0, background:pending())
    end
    assert.has_error(function() background:submit({}, "GET", "/", "", nil, 1, 1) end)
    assert.has_error(function() background.submit({}, of_profile, "GET", "/", "", nil, 1, 1) end)
    assert.has_error(function() background:wait(0 / 0) end)
  end)

  it("keeps the profile of an exchange alive", function()
    server:script({ default = { steps.delay(0.1), NO_CONTENT } })
    local kept = submit(profile(server.origin))
    collectgarbage()
    collectgarbage()
    assert.is_true(rawequal(kept, take()))
    assert.are.equal(204, (kept:result()))
  end)

  it("runs a bounded number at once, over kept connections, and the others in their turn", function()
    local of_profile, rounds = profile(server.origin), 2.5
    server:script({ default = { steps.delay(0.05), NO_CONTENT } })
    for _ = 1, 2 do
      local held = submit_all(MAX_RUNNING * rounds, of_profile)
      local statuses = {}
      for _ = 1, #held do
        local status = take():result()
        statuses[status] = (statuses[status] or 0) + 1
      end
      assert.are.same({ [204] = #held }, statuses)
    end
    assert.is_true(server:connections() <= MAX_RUNNING, server:connections() .. " connections")
  end)

  it("has a limit to what waits", function()
    local of_profile = profile(server.origin)
    local list = occupy(of_profile)
    for index = MAX_RUNNING + 1, MAX_PENDING do list[index] = submit(of_profile) end
    assert.is_nil(background:next())
    local refused = submit(of_profile)
    assert.is_true(rawequal(refused, take()))
    assert.is_truthy(assert_fails("transport", "busy", refused:result()):find("too many calls are waiting", 1, true))
    list = nil -- luacheck: ignore
    support.forget()
    server:script({ default = NO_CONTENT })
    submit(of_profile)
    assert.are.equal(204, (take():result()))
  end)
end)

describe("the time of a background exchange", function()
  it("may end in the queue, which is told as such", function()
    local of_profile = profile(server.origin)
    local occupying = occupy(of_profile)
    local started = curl.now()
    submit(of_profile, { target = "/longer", patience = 0.6 })
    submit(of_profile, { target = "/shorter", patience = 0.3 })
    for _, seconds in ipairs({ 0.3, 0.6 }) do
      local message = assert_fails("timeout", "queue_timeout", take():result())
      assert.is_truthy(message:find(("no connection came free for it within %g s"):format(seconds), 1, true), message)
      local late = curl.now() - started - seconds
      assert.is_true(late >= 0 and late < 0.25, "late by " .. late)
    end
    cancel_all(occupying)
    for _, request in ipairs(server:requests()) do assert.are.equal("/occupying", request.target) end
  end)

  it("begins with its turn, and ends with that of its call at the latest", function()
    for _, case in ipairs({
      { seconds = 0.4, patience = 60, ends = 1.4 }, { seconds = 60, patience = 1.3, ends = 1.3 },
    }) do
      server:reset()
      local of_profile = profile(server.origin)
      local occupying = occupy(of_profile)
      local started = curl.now()
      local last = submit(of_profile, { target = "/last", seconds = case.seconds, patience = case.patience })
      wait.until_true(function() return curl.now() - started > 1 end, ARRIVAL, "a second to pass")
      cancel_all(occupying)
      assert.is_true(rawequal(last, take()))
      assert.is_truthy(assert_fails("timeout", "attempt_timeout", last:result()):find("no complete response", 1, true))
      local late = curl.now() - started - case.ends
      assert.is_true(late >= 0 and late < 0.4, "late by " .. late)
      assert.are.equal("/last", server:requests()[#server:requests()].target)
    end
  end)
end)

describe("the descriptor", function()
  local function is_readable(seconds)
    local pollable = { getfd = function() return background:fd() end, dirty = function() return false end }
    return #socket.select({ pollable }, nil, seconds) == 1
  end

  it("is readable while something is finished, and until that was told", function()
    local of_profile = profile(server.origin)
    server:script({ default = NO_CONTENT })
    local descriptor = background:fd()
    assert.is_nil(background:next())
    for _ = 1, 2 do
      assert.is_false(is_readable(0))
      submit(of_profile)
      submit(of_profile)
      wait.until_true(function() return #server:requests() % 2 == 0 and is_readable(0.1) end, ARRIVAL, "an answer")
      take()
      take()
      assert.is_true(is_readable(0))
      assert.is_nil(background:next())
    end
    assert.is_false(is_readable(0))
    assert.are.equal(descriptor, background:fd())
  end)

  it("can be waited for", function()
    server:script({ { steps.delay(0.2), NO_CONTENT } })
    local started = curl.now()
    assert.is_false(background:wait(0.05))
    assert.is_false(background:wait(0))
    assert.is_false(background:wait(-1))
    assert.is_true(curl.now() - started >= 0.05)
    submit(profile(server.origin))
    assert.is_true(background:wait(ARRIVAL))
    assert.is_true(background:wait(LONG)) -- at once
    assert.are.equal(204, (background:next():result()))
  end)

  it("is waited for until a signal comes", function()
    local started = curl.now()
    local child = process.run({ "timeout", "--preserve-status", "-s", "INT", "0.5", process.interpreter(), "-e",
      "while not require('webpubsub.curl').background():wait(9) do end" },
      { env = { LUA_PATH = package.path, LUA_CPATH = package.cpath, LUA_INIT = false } })
    assert.is_truthy(child.stderr:find("interrupted!", 1, true), child.stderr)
    assert.is_true(curl.now() - started < 3)
  end)
end)

describe("an exchange of the background engine", function()
  it("is not done before it comes out, or soon will", function()
    server:script({ { steps.delay(0.1), NO_CONTENT } })
    local submitted = submit(profile(server.origin))
    assert.is_false(submitted:done())
    assert.error_matches(function() submitted:result() end, "wait until background:next%(%) returns it")
    assert.error_matches(function() submitted:info() end, "not done")
    wait.until_true(function() return submitted:done() end, ARRIVAL, "the exchange to be done")
    assert.is_true(rawequal(submitted, take()))
    assert.are.equal(204, (submitted:result()))
    for _, method in ipairs({ "result", "info", "done" }) do
      assert.error_matches(function() submitted[method](submitted) end, "was taken already")
    end
    submitted:cancel()
  end)

  it("needs no steps", function()
    server:script({ NO_CONTENT })
    submit(profile(server.origin))
    local submitted = take()
    assert.error_matches(function() submitted:step(0) end, "background:next%(%) returns it when it is done")
  end)

  it("does not come out once its result was taken", function()
    server:script({ default = NO_CONTENT })
    local of_profile = profile(server.origin)
    local first = submit(of_profile)
    wait.until_true(function() return first:done() end, ARRIVAL, "the exchange to be done")
    assert.are.equal(204, (first:result()))
    assert.are.equal(0, background:pending())
    assert.is_false(background:wait(0))
    assert.is_nil(background:next())
  end)

  it("comes out as cancelled, wherever it was cancelled", function()
    local of_profile = profile(server.origin)
    local running = occupy(of_profile)
    wait_for_requests(MAX_RUNNING)

    local queued = submit(of_profile)
    queued:cancel()
    queued:cancel()
    assert.is_true(rawequal(queued, take()))
    assert_fails("cancelled", "cancelled", queued:result())
    assert.are.equal(MAX_RUNNING, background:pending())

    for _, one in ipairs(running) do one:cancel() end
    for _, one in ipairs(take_all(MAX_RUNNING)) do assert_fails("cancelled", "cancelled", one:result()) end
    wait.until_true(function() return server:open_connections() == 0 end, ARRIVAL, "the connections to be closed")

    server:script({ default = NO_CONTENT })
    local finished, taken = submit(of_profile), submit(of_profile)
    wait.until_true(function() return finished:done() and taken:done() end, ARRIVAL, "them to be done")
    finished:cancel()
    take_all(2)
    taken:cancel()
    assert_fails("cancelled", "cancelled", finished:result())
    assert_fails("cancelled", "cancelled", taken:result())
    assert.are.equal(MAX_RUNNING + 2, #server:requests())
  end)

  it("is cancelled when it is collected", function()
    local of_profile = profile(server.origin)
    local list = occupy(of_profile)
    wait_for_requests(MAX_RUNNING)
    list[#list + 1] = submit(of_profile)
    list[1]:cancel()
    list = nil -- luacheck: ignore
    support.forget()
    wait.until_true(function() return server:open_connections() == 0 end, ARRIVAL, "the connections to be closed")
    assert.are.equal(0, background:pending())
    assert.is_nil(background:next())
  end)
end)

describe("the background thread", function()
  it("starts with the first exchange, has a name and takes no signals", function()
    local child = process.run_lua([[
      local curl = require("webpubsub.curl")
      local pid = io.open("/proc/self/stat"):read("*n")
      local function list_threads()
        local listing = io.popen("cd /proc/" .. pid .. "/task && grep -l webpubsub */comm | cut -d/ -f1")
        local threads = {}
        for thread in listing:lines() do threads[#threads + 1] = thread end
        listing:close()
        return threads
      end
      local background = curl.background()
      background:fd()
      print(#list_threads())
      background:submit(curl.profile({ origin = (...), proxy = false }), "GET", "/", "", nil, 9, 9)
      background:wait(5)
      local threads = list_threads()
      print(#threads)
      for line in io.lines(("/proc/%d/task/%s/status"):format(pid, threads[1])) do
        local blocked = line:match("^SigBlk:%s*(%x+)")
        if blocked then print(blocked) end
      end
    ]], { arguments = { server.origin } })
    local before, after, blocked = child.stdout:match("^(%d)\n(%d)\n(%x+)\n$")
    assert.are.same({ "0", "1" }, { before, after }, child.stdout .. child.stderr)
    -- bits 31 and 32 are the C library's own; SIGKILL and SIGSTOP cannot be blocked
    assert.are.equal("fffffffe7ffbfeff", blocked)
  end)

  it("ends with its Lua state, whatever is found there in whichever order", function()
    local child = process.run_lua([[
      local curl = require("webpubsub.curl")
      local profile = curl.profile({ origin = (...), proxy = false })
      local background = curl.background()
      kept = {}
      for i = 1, 150 do kept[i] = background:submit(profile, "POST", "/", "", nil, 60, 60) end
      background:wait(0.1)
      -- an object whose finalizer uses them while the state is closing, whichever of them are gone by then
      local function last_words()
        for i = 1, 150 do
          for _, method in ipairs({ "done", "result", "cancel" }) do pcall(kept[i][method], kept[i]) end
        end
        for _, method in ipairs({ "next", "pending", "fd" }) do pcall(background[method], background) end
        pcall(background.wait, background, 0)
        pcall(background.submit, background, profile, "POST", "/", "", nil, 60, 60)
        pcall(curl.background)
        io.stdout:write("closed\n")
      end
      if newproxy then
        local object = newproxy(true)
        getmetatable(object).__gc = last_words
        kept.object = object
      else
        kept.object = setmetatable({}, { __gc = last_words })
      end
    ]], { arguments = { server.origin } })
    assert.are.same({ 0, "closed\n", "" }, { child.code, child.stdout, child.stderr })
  end)

  it("ends with its process, however that ends", function()
    local tls_server = scripted_server.start({ tls = certs.valid })
    for way, code in pairs({ ["return"] = 0, exit = 0, close = 0, error = 1, ["coroutine exit"] = 0,
      ["coroutine close"] = 0, ["coroutine error"] = 1, forgotten = 0 }) do
      for _, origin in ipairs({ server.origin, tls_server.origin }) do
        local child = process.run({ process.interpreter(), "spec/stress/exit.lua", origin, way, certs.ca.cert },
          { env = { LUA_PATH = package.path, LUA_CPATH = package.cpath } })
        assert.are.equal(code, child.code, way .. ": " .. child.stderr)
      end
    end
    tls_server:stop()
  end)

  it("does not wait for a name server at the end", function()
    local library = os.tmpname()
    local compiled = process.run({ "cc", "-shared", "-fPIC", "-x", "c", "-", "-o", library },
      { stdin = "unsigned sleep(unsigned); int getaddrinfo(void) { sleep(5); return -2; }" })
    assert.are.equal(0, compiled.code, compiled.stderr)
    for _, way in ipairs({ "close", "exit", "return" }) do
      local started = curl.now()
      local child = process.run({ process.interpreter(), "spec/stress/exit.lua", "http://name.invalid", way },
        { env = { LUA_PATH = package.path, LUA_CPATH = package.cpath,
          LD_PRELOAD = (os.getenv("LD_PRELOAD") or "") .. " " .. library } })
      assert.are.same({ 0, "" }, { child.code, child.stderr })
      assert.is_true(curl.now() - started < 3, way)
    end
    os.remove(library)
  end)
end)

if rawget(_G, "jit") then -- the one Lua here that can fork
  describe("a child process", function()
    it("has a background engine of its own, and those of its parent's exchanges that are done", function()
      server:script({ NO_CONTENT, { steps.delay(0.5), NO_CONTENT }, default = NO_CONTENT })
      local child = process.run_lua([[
        local ffi = require("ffi")
        ffi.cdef("int fork(void); int waitpid(int, int *, int);")
        local curl = require("webpubsub.curl")
        local profile = curl.profile({ origin = (...), proxy = false })
        local background = curl.background()
        local function submit(target) return background:submit(profile, "GET", target, "", nil, 5, 5) end
        local function take()
          while not background:wait(1) do end
          return background:next()
        end
        local function show(who, exchange) print(who, exchange:result()) end
        local finished = submit("/finished")
        while not finished:done() do end
        local running = submit("/running")
        io.stdout:flush()
        local pid = ffi.C.fork()
        if pid == 0 then
          print("child", background:pending(), running:done())
          assert(take() == finished and take() == running and not background:next())
          print("child", select(2, running:result()))
          print("child", (finished:result()))
          submit("/child")
          print("child", (take():result()))
          os.exit(0, true)
        end
        ffi.C.waitpid(pid, nil, 0)
        print("parent", background:pending())
        assert(take() == finished and take() == running)
        print("parent", (finished:result()), (running:result()))
        submit("/parent")
        local last = take()
        print("parent", last:info().new_connection, (last:result()))
      ]], { arguments = { server.origin } })
      local expected = "child\t2\ttrue\nchild\ttransport\tforked\t" .. server.origin:match("//(.*)") ..
        ": the exchange was started before fork() and belongs to the parent process\tfalse\nchild\t204\nchild\t204\n" ..
        "parent\t2\nparent\t204\t204\nparent\tfalse\t204\n"
      assert.are.same({ expected, "" }, { child.stdout, child.stderr })
    end)
  end)
end
