-- The process around the engine: descriptors, signals, children, the environment.

local certs = require("spec.support.certs")
local process = require("spec.support.process")
local scripted_server = require("spec.support.scripted_server")
local shell = require("spec.support.shell")
local steps = require("spec.support.steps")
local wait = require("spec.support.wait")

local NO_CONTENT = steps.reply({ status = 204 })

local server, secure

setup(function()
  server = scripted_server.start()
  secure = scripted_server.start({ tls = certs.valid })
end)
teardown(function()
  server:stop()
  secure:stop()
end)
before_each(function()
  for _, each in ipairs({ server, secure }) do
    each:reset()
    each:script({ default = NO_CONTENT })
  end
end)

-- What the programs below begin with.
local PRELUDE = [[
  local curl = require("webpubsub.curl")
  local plain, secure, ca_file = ...
  local background = curl.background()

  local function profile(origin, options)
    local all = { origin = origin, proxy = false, ca_file = ca_file }
    for name, value in pairs(options or {}) do all[name] = value end
    return assert(curl.profile(all))
  end

  local function send(of_profile, body, seconds)
    local exchange = curl.start(of_profile, "POST", "/", "", body, seconds or 5, seconds or 5)
    while not exchange:step(1) do end
    return exchange:result()
  end

  local submitted = {} -- what is collected is cancelled

  local function submit(of_profile, body)
    submitted[#submitted + 1] = background:submit(of_profile, "POST", "/", "", body, 5, 5)
    return submitted[#submitted]
  end

  local function take(count)
    local results = {}
    while #results < count do
      background:wait(1)
      local exchange = background:next()
      if exchange then results[#results + 1] = { exchange:result() } end
    end
    return results
  end

  -- Takes all descriptors that are left but so many.
  local held = {}
  local function exhaust(left)
    local file = io.open("/dev/null")
    while file do
      held[#held + 1] = file
      file = io.open("/dev/null")
    end
    for _ = 1, left do table.remove(held):close() end
  end
]]

local function run(source, limit)
  local script = os.tmpname()
  local file = assert(io.open(script, "w"))
  assert(file:write(PRELUDE, source))
  file:close()
  -- without what the suite has open: the limit is for the program alone
  local child = process.run({ "bash", "-c", ('for path in /proc/$$/fd/*; do [ "${path##*/}" -le 2 ] || '
    .. 'eval "exec ${path##*/}>&-"; done; ulimit -n %d; exec %s'):format(limit or 256,
    shell.join({ process.interpreter(), script, server.origin, secure.origin, certs.ca.cert })) },
    { env = { LUA_PATH = package.path, LUA_CPATH = package.cpath } })
  os.remove(script)
  return child
end

local function prints(expected, source, limit)
  local child = run(source, limit)
  assert.are.same({ expected, "", 0 }, { child.stdout, child.stderr, child.code })
end

describe("a program that the host starts", function()
  it("inherits none of our connections", function()
    prints("204\t204\t204\t204\n0\n", [[
      -- The sockets among its descriptors that are no pipes between threads, by the numbers the system has for them.
      local function inherited()
        local list = io.popen("for f in /proc/self/fd/*; do readlink $f; done")
        local text, pipes, count = list:read("*a"), {}, 0
        list:close()
        for line in io.lines("/proc/net/unix") do
          for word in line:gmatch("%S+") do pipes[word] = true end
        end
        for number in text:gmatch("socket:%[(%d+)") do count = count + (pipes[number] and 0 or 1) end
        return count
      end
      local before = inherited() -- from those who run this
      local results = { (send(profile(plain))), (send(profile(secure))) }
      submit(profile(plain))
      submit(profile(secure))
      for _, result in ipairs(take(2)) do results[#results + 1] = result[1] end
      print(table.concat(results, "\t"))
      print(inherited() - before)
    ]])
  end)
end)

describe("without descriptors", function()
  local CLOSING = steps.reply({ status = 204, headers = { Connection = "close" } })

  it("a call says so", function()
    server:script({ CLOSING, CLOSING })
    local child = run([[
      local function show(_, kind, code, message) print(kind, code, message) end
      local of_plain, of_secure = profile(plain), profile(secure)
      submit(of_plain) -- so that the engines are there, and no connections
      take(1)
      send(of_plain)
      exhaust(0)
      show(send(of_plain))
      show(send(of_secure))
      submit(of_plain)
      submit(of_secure)
      for _, result in ipairs(take(2)) do show(result[1], result[2], result[3], result[4]) end
    ]], 200)
    assert.are.same({ "", 0 }, { child.stderr, child.code })
    local count = 0
    for line in child.stdout:gmatch("[^\n]+") do
      count = count + 1
      assert.is_truthy(line:find("transport\tdescriptors\t", 1, true), line)
      assert.is_truthy(line:find("no file descriptors left; raise the limit (ulimit -n)", 1, true), line)
    end
    assert.are.equal(4, count)
  end)

  -- Ten connections that the thread keeps.
  local TEN = [[
    local of_plain, of_secure, of_other = profile(plain), profile(secure), profile(plain, { idle_timeout = 1 })
    for _ = 1, 10 do submit(of_plain) end
    local good = 0
    for _, result in ipairs(take(10)) do good = good + (result[1] == 204 and 1 or 0) end
    print(good)
  ]]

  it("a call in place is given those of connections that nobody uses, whichever engine has them", function()
    server:script({ default = { steps.delay(0.1), NO_CONTENT } })
    prints("10\n204\n204\n", TEN .. [[
      exhaust(0)
      print((send(of_secure))) -- the thread's give way
      for _ = 1, 3 do send(profile(plain, { idle_timeout = 2 })) end
      exhaust(0)
      print((send(of_other))) -- its own do
    ]], 200)
  end)

  it("a call in the background is given those of connections that nobody uses", function()
    server:script({ default = { steps.delay(0.1), NO_CONTENT } })
    prints("10\n204\n204\n", TEN .. [[
      exhaust(0)
      submit(of_other)
      submit(of_secure)
      for _, result in ipairs(take(2)) do print(result[1]) end
    ]], 200)
  end)

  it("nothing is lost for later", function()
    server:script({ CLOSING, default = NO_CONTENT })
    prints("descriptors\n204\n204\n", [[
      local of_plain = profile(plain)
      send(of_plain)
      exhaust(0)
      print((select(3, send(of_plain))))
      for _ = 1, 5 do table.remove(held):close() end
      print((send(of_plain)))
      print((send(of_plain)))
    ]], 200)
  end)
end)

describe("a connection that breaks while it is written to", function()
  it("does not end the program", function()
    for _, each in ipairs({ server, secure }) do
      local script = { default = NO_CONTENT }
      for index = 1, 20 do
        script[2 * index - 1] = NO_CONTENT
        script[2 * index] = ({ steps.abort(), steps.close(), { NO_CONTENT, steps.abort() } })[index % 3 + 1]
      end
      each:script(script)
    end
    prints("done\n", [[
      local body = ("x"):rep(1000000)
      for _, origin in ipairs({ plain, secure }) do
        local of_profile = profile(origin)
        for _ = 1, 20 do
          send(of_profile, body)
          submit(of_profile, body)
          take(1)
        end
        assert(send(of_profile, body, 5) == 204 or send(of_profile, body, 5) == 204)
      end
      print("done")
    ]])
  end)
end)

describe("SSLKEYLOGFILE", function()
  it("is not obeyed", function()
    local path = os.tmpname()
    local child = process.run_lua(PRELUDE .. [[
      print((send(profile(secure))))
      submit(profile(secure))
      print(take(1)[1][1])
    ]], { arguments = { server.origin, secure.origin, certs.ca.cert }, env = { SSLKEYLOGFILE = path } })
    assert.are.same({ "204\n204\n", "" }, { child.stdout, child.stderr })
    local file = assert(io.open(path))
    assert.are.equal("", file:read("*a"))
    file:close()
    os.remove(path)
  end)
end)

if rawget(_G, "jit") then -- the one Lua here that can fork
  describe("a child process", function()
    it("says goodbye to nobody in its parent's name, and keeps none of its connections open", function()
      prints("204\t204\t204\t204\nchild\t204\t204\nparent\t204\t204\t204\t204\nold\n", [[
        local ffi = require("ffi")
        ffi.cdef("int fork(void); int waitpid(int, int *, int); int pause(void); int kill(int, int);")
        local of_plain, of_secure = profile(plain, { idle_timeout = 50 }), profile(secure, { idle_timeout = 50 })
        local function through_both()
          local results = { (send(of_plain)), (send(of_secure)) }
          submit(of_plain)
          submit(of_secure)
          for _, result in ipairs(take(2)) do results[#results + 1] = result[1] end
          return table.concat(results, "\t")
        end
        local function new_connection(of_profile)
          local exchange = curl.start(of_profile, "POST", "/", "", nil, 5, 5)
          while not exchange:step(1) do end
          return exchange:info().new_connection
        end
        print(through_both())
        io.stdout:flush()
        local pid = ffi.C.fork()
        if pid == 0 then
          print("child", (send(of_plain)), (send(of_secure)))
          os.exit(0, true)
        end
        ffi.C.waitpid(pid, nil, 0)
        print("parent", through_both())
        print(new_connection(of_plain) or new_connection(of_secure) or "old")
        io.stdout:flush()
      ]])
      assert.are.same({ 3, 3 }, { server:connections(), secure:connections() })
    end)

    it("does not keep its parent's connections open", function()
      local child = run([[
        local ffi = require("ffi")
        ffi.cdef("int fork(void); int pause(void); int kill(int, int); int waitpid(int, int *, int); int usleep(int);")
        send(profile(plain))
        submit(profile(plain))
        take(1)
        local pid = ffi.C.fork()
        if pid == 0 then
          ffi.C.pause()
          os.exit(0)
        end
        background, submitted, curl = nil, nil, nil
        io.stdout:write(pid, "\n")
      ]])
      local pid = tonumber(child.stdout:match("%d+"))
      assert.is_truthy(pid, child.stderr)
      wait.until_true(function() return server:open_connections() == 0 end, 5, "the connections to be closed")
      os.execute("kill " .. pid)
    end)
  end)
end
