-- One operation for every line of a file, as `webpubsub … --users-from FILE` does it without a terminal.

local cjson = require("cjson")
local program = require("spec.support.program")
local scripted_server = require("spec.support.scripted_server")
local steps = require("spec.support.steps")

local reply = steps.reply
local DONE = reply({ status = 204 })

local server

setup(function() server = scripted_server.start() end)
teardown(function() server:stop() end)
before_each(function()
  server:reset()
  server:script({ default = DONE })
end)

local function run(words, stdin)
  local all = { "--endpoint", server.origin, "--key", "k", "--hub", "chat", "--retries", "0" }
  for _, word in ipairs(words) do all[#all + 1] = word end
  return program.run(all, { stdin = stdin })
end

local function close(words, stdin)
  table.insert(words, 1, "close-user-connections")
  return run(words, stdin)
end

-- The summary with its figures of time left out.
local function timeless(text)
  return (text:gsub("in [%d.]+ s %(%d+ a second%)", "in T"))
end

-- The users that were asked for, sorted.
local function users()
  local names = {}
  for _, request in ipairs(server:requests()) do names[#names + 1] = request.target:match("/users/([^/?]+)") end
  table.sort(names)
  return names
end

local function documents(text)
  local list = {}
  for line in text:gmatch("[^\n]+") do list[#list + 1] = cjson.decode(line) end
  return list
end

local function numbered(count)
  local lines = {}
  for index = 1, count do lines[index] = ("user%03d"):format(index) end
  return table.concat(lines, "\n") .. "\n", lines
end

describe("a list", function()
  it("comes from a file", function()
    local path = os.tmpname()
    finally(function() os.remove(path) end)
    local text, names = numbered(40)
    local file = assert(io.open(path, "w"))
    file:write(text)
    file:close()
    local result = close({ "--users-from", path })
    assert.are.same({ 0, "closed: 40 of 40, 0 failed, in T\n", "" },
      { result.code, timeless(result.stdout), result.stderr })
    assert.are.same(names, users())
  end)

  it("comes from standard input, line by line, whatever ends them", function()
    local result = close({ "--users-from", "-" }, "bob\n\n al ice \r\n\r\ncarol")
    assert.are.equal("closed: 3 of 3, 0 failed, in T\n", timeless(result.stdout))
    assert.are.same({ "al%20ice", "bob", "carol" }, users())
  end)

  it("may be empty", function()
    local result = close({ "--users-from", "-" }, "")
    assert.are.same({ 0, "closed: 0 of 0, 0 failed, in T\n" }, { result.code, timeless(result.stdout) })
  end)

  it("may be of groups or connections", function()
    assert.are.equal(0, run({ "close-group-connections", "--groups-from", "-" }, "g\n").code)
    assert.are.equal(0, run({ "close-connection", "--connections-from", "-", "--reason", "bye" }, "c\n").code)
    local requests = server:requests()
    assert.is_truthy(requests[1].target:find("/groups/g/:closeConnections", 1, true))
    assert.is_truthy(requests[2].target:find("/connections/c?api-version=2024-12-01&reason=bye", 1, true))
  end)

  it("is gone on with after the items that are skipped", function()
    local result = close({ "--users-from", "-", "--skip", "7" }, (numbered(9)))
    assert.are.equal("closed: 2 of 2, 0 failed, in T\n", timeless(result.stdout))
    assert.are.same({ "user008", "user009" }, users())
    assert.are.equal("closed: 0 of 0, 0 failed, in T\n",
      timeless(close({ "--users-from", "-", "--skip", "99" }, (numbered(9))).stdout))
  end)

  it("shares what else is given", function()
    run({ "send-to-user", "--users-from", "-", "--content", "hello", "--ttl", "9", "--request-id", "r" }, "a\nb\n")
    for _, request in ipairs(server:requests()) do
      assert.are.same({ "hello", "r" }, { request.body, request.headers:get("x-ms-client-request-id") })
      assert.is_truthy(request.target:find("messageTtlSeconds=9", 1, true))
    end
    assert.are.same({ "a", "b" }, users())
  end)
end)

describe("questions", function()
  it("are answered one a line", function()
    server:script({ reply({ status = 200 }), default = reply({ status = 404 }) })
    local result = run({ "user-exists", "--users-from", "-", "--concurrency", "1" }, "a\nbob\n")
    assert.are.same({ 0, "yes  a\nno   bob\nasked: 2 of 2, 0 failed, in T\n", "" },
      { result.code, timeless(result.stdout), result.stderr })
  end)
end)

describe("failures", function()
  it("are listed on standard error, with their places in the list", function()
    server:script({ default = reply({ status = 403 }) })
    local result = close({ "--users-from", "-", "--skip", "1" }, "a\nb\nc\n")
    assert.are.same({ 4, "closed: 0 of 2, 2 failed, in T\n" }, { result.code, timeless(result.stdout) })
    assert.is_truthy(result.stderr:find("item 2 (b): close_user_connections: ", 1, true), result.stderr)
    assert.is_truthy(result.stderr:find("item 3 (c): close_user_connections: ", 1, true))
  end)

  it("make the exit code, the highest of them", function()
    server:script({ default = reply({ status = 403 }) })
    assert.are.equal(4, close({ "--users-from", "-" }, "a\nb\n").code)
    server:script({ default = steps.close() })
    assert.are.equal(3, close({ "--users-from", "-" }, "a\nb\n").code)
    server:script({ steps.close(), default = reply({ status = 403 }) })
    assert.are.equal(4, close({ "--users-from", "-", "--concurrency", "1" }, "a\nb\n").code)
  end)

  it("can end it, and then it says how to go on", function()
    server:script({ DONE, DONE, reply({ status = 403 }), default = DONE })
    local result = close({ "--users-from", "-", "--concurrency", "1", "--stop-on-error", "--skip", "2" },
      (numbered(20)))
    assert.are.same({ 4, "closed: 2 of 3, 1 failed, in T\n" }, { result.code, timeless(result.stdout) })
    assert.is_truthy(result.stderr:find("\nstopped; to go on with the rest, repeat it with --skip 5\n", 1, true))
    assert.are.equal("user005", users()[3])
  end)
end)

describe("without a terminal", function()
  it("there is no progress bar", function()
    local result = close({ "--users-from", "-" }, (numbered(200)))
    assert.is_nil((result.stdout .. result.stderr):find("[\r\27]"))
  end)

  it("programs get a document for each result, and one for all", function()
    server:script({ reply({ status = 204 }), default = reply({ status = 403 }) })
    local result = close({ "--json", "--users-from", "-", "--concurrency", "1" }, "a\nb\n")
    local printed, complaints = documents(result.stdout), documents(result.stderr)
    assert.are.same({ 2, 1 }, { #printed, #complaints })
    assert.are.same({ 1, "a", 204 }, { printed[1].index, printed[1].user, printed[1].status })
    local summary = printed[2].summary
    assert.are.same({ "close_user_connections", 2, 1, 1, false }, { summary.operation, summary.total,
      summary.succeeded, summary.failed, summary.interrupted })
    assert.are.same({ 2, "b", "service" }, { complaints[1].index, complaints[1].user, complaints[1].error.kind })
  end)

  it("programs get answers as booleans", function()
    server:script({ default = reply({ status = 404 }) })
    assert.is_false(documents(run({ "user-exists", "--json", "--users-from", "-" }, "a\n").stdout)[1].exists)
  end)
end)
