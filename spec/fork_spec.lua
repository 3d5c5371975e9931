-- What a child process does with the calls that its parent had under way: nothing.

if not rawget(_G, "jit") then return end -- the one Lua here that can fork

local process = require("spec.support.process")
local scripted_server = require("spec.support.scripted_server")
local steps = require("spec.support.steps")

local OK = steps.reply({ status = 202 })

-- Defines fork(), wait() and a client of the server that is the first argument.
local HEAD = [[
  local ffi = require("ffi")
  ffi.cdef("int fork(void); int waitpid(int, int *, int);")
  local webpubsub = require("webpubsub")
  local client = webpubsub.new({ endpoint = (...), key = "k", hub = "chat", proxy = false, retry = { delay = 0.2 } })
  local function send(number, context)
    return client:send_to_all_async({ content = tostring(number), context = context })
  end
  local function ends(task)
    local ok, problem = pcall(task.await, task)
    return ok and "sent" or ("%s %s %s"):format(problem.kind, problem.code, tostring(problem.retryable))
  end
  local function in_child(action)
    io.stdout:flush()
    local pid = ffi.C.fork()
    if pid == 0 then
      action()
      os.exit(0, true)
    end
    ffi.C.waitpid(pid, nil, 0)
  end
]]

describe("after fork(), the child", function()
  local server

  setup(function() server = scripted_server.start() end)
  teardown(function() server:stop() end)
  before_each(function() server:reset() end)

  -- What the program prints, and the bodies the server got, in order.
  local function outcome(code)
    local child = process.run_lua(HEAD .. code, { arguments = { server.origin } })
    assert.are.same({ 0, "" }, { child.code, child.stderr })
    local bodies = {}
    for index, request in ipairs(server:requests()) do bodies[index] = request.body end
    table.sort(bodies)
    return child.stdout, table.concat(bodies, " ")
  end

  it("does not send what is in flight in its parent, however many times it forks", function()
    server:script({ default = { steps.delay(0.5), OK } })
    local printed, sent = outcome([[
      local tasks = { send(1), send(2) }
      for _ = 1, 4 do
        in_child(function()
          for _, task in ipairs(tasks) do print("child", ends(task)) end
        end)
      end
      for _, task in ipairs(tasks) do print("parent", ends(task)) end]])
    assert.are.equal(("child\ttransport forked false\n"):rep(8) .. ("parent\tsent\n"):rep(2), printed)
    assert.are.equal("1 2", sent)
  end)

  it("does not send what waits for its next attempt in its parent", function()
    server:script({ steps.reply({ status = 503 }), default = OK })
    local printed, sent = outcome([[
      local events = {}
      local task = send(1, { classify = function(response)
        events[#events + 1] = response.status
      end })
      while #events == 0 do client:poll(0.05) end
      in_child(function() print("child", ends(task)) end)
      print("parent", ends(task))]])
    assert.are.equal("child\ttransport forked false\nparent\tsent\n", printed)
    assert.are.equal("1 1", sent) -- the parent's two attempts
  end)

  it("does not send what was in a policy", function()
    server:script({ default = OK })
    local printed, sent = outcome([[
      for _, stage in ipairs({ "per_call", "per_attempt", "before_send" }) do
        local is_child = false
        local ok, problem = pcall(client.send_to_all, client, { content = stage, context = { policies = {
          [stage] = function()
            io.stdout:flush()
            local pid = ffi.C.fork()
            is_child = pid == 0
            if not is_child then ffi.C.waitpid(pid, nil, 0) end
          end,
        } } })
        print(stage, is_child and "child" or "parent", ok and "sent" or problem.code)
        if is_child then os.exit(0, true) end
      end]])
    assert.are.equal("per_call\tchild\tforked\nper_call\tparent\tsent\nper_attempt\tchild\tforked\n"
      .. "per_attempt\tparent\tsent\nbefore_send\tchild\tforked\nbefore_send\tparent\tsent\n", printed)
    assert.are.equal("before_send per_attempt per_call", sent)
  end)

  it("does not go on with many calls that its parent goes on with", function()
    server:script({ default = { steps.delay(0.2), OK } })
    local printed, sent = outcome([[
      local items, pid = {}, nil
      for index = 1, 6 do items[index] = { content = tostring(index) } end
      local summary = client:each("send_to_all", items, { concurrency = 2, context = { cancel = function()
        if not pid and client:pending() == 2 then
          io.stdout:flush()
          pid = ffi.C.fork()
        end
      end } })
      if pid ~= 0 then ffi.C.waitpid(pid, nil, 0) end
      print(pid == 0 and "child" or "parent", summary.total, summary.succeeded, summary.failures[1]
        and summary.failures[1].error.code)
      if pid == 0 then os.exit(0, true) end]])
    assert.are.equal("child\t2\t0\tforked\nparent\t6\t6\tnil\n", printed)
    assert.are.equal("1 2 3 4 5 6", sent)
  end)

  it("sends what it begins itself", function()
    server:script({ default = OK })
    local printed, sent = outcome([[
      print("parent", ends(send(1)))
      in_child(function() print("child", ends(send(2))) end)
      print("parent", ends(send(3)))]])
    assert.are.equal("parent\tsent\nchild\tsent\nparent\tsent\n", printed)
    assert.are.equal("1 2 3", sent)
  end)
end)
