-- Lists that were edited elsewhere: what the program makes of them, and that nothing is closed under a name that nobody
-- typed.

local core = require("webpubsub.core")
local process = require("spec.support.process")
local program = require("spec.support.program")
local scripted_server = require("spec.support.scripted_server")
local shell = require("spec.support.shell")
local steps = require("spec.support.steps")
local wait = require("spec.support.wait")

local ARRIVAL_SECONDS = 5 -- within which what must happen has happened
local BOM = "\239\187\191"

local server

setup(function() server = scripted_server.start() end)
teardown(function() server:stop() end)
before_each(function()
  server:reset()
  server:script({ default = steps.reply({ status = 204 }) })
end)

local function words_for(...)
  return { "--endpoint", server.origin, "--key", "k", "--hub", "chat", "--retries", "0", "close-user-connections", ... }
end

-- The name of a file that holds the text.
local function file_of(text)
  local path = os.tmpname()
  finally(function() os.remove(path) end)
  local file = assert(io.open(path, "wb"))
  file:write(text)
  file:close()
  return path
end

local function run_on_file(text, ...)
  local path = file_of(text)
  local result = program.run(words_for("--users-from", path, ...))
  result.stderr = result.stderr:gsub(path:gsub("%p", "%%%0"), "LIST")
  return result
end

-- From a pipe, which cannot be read twice.
local function run_on_pipe(text, ...)
  local command = "cat " .. file_of(text) .. " | " .. shell.join(program.argv(words_for("--users-from", "-", ...)))
  return process.run({ "sh", "-c", command }, { env = program.environment() })
end

-- The users that were asked for, in the order of their names.
local function users()
  local names = {}
  for _, request in ipairs(server:requests()) do
    names[#names + 1] = request.target:match("/users/([^/?]+)"):gsub("%%(%x%x)", function(hex)
      return string.char(tonumber(hex, 16))
    end)
  end
  table.sort(names)
  return names
end

describe("a list", function()
  -- what it is, text, users
  local lists = {
    { "with a byte order mark", BOM .. "alice\nbob\n", { "alice", "bob" } },
    { "made of two that have one", "alice\n" .. BOM .. "bob\n", { "alice", "bob" } },
    { "with nothing but a byte order mark", BOM, {} },
    { "with CR LF", "alice\r\nbob\r\n", { "alice", "bob" } },
    { "with CR LF made twice", "alice\r\r\nbob", { "alice", "bob" } },
    { "with blanks at the ends", " alice\t\n\tal ice  \r\n", { "al ice", "alice" } },
    { "with lines of blanks", "alice\n  \n\t\r\n\n", { "alice" } },
    { "in many scripts", "caf\195\169\n\230\188\162\n", { "caf\195\169", "\230\188\162" } },
    { "with joiners within a name", "a\226\128\140b\n", { "a\226\128\140b" } },
    { "with a name of 1024 characters", ("\230\188\162"):rep(1024) .. "\n", { ("\230\188\162"):rep(1024) } },
  }
  for _, case in ipairs(lists) do
    it(case[1] .. " is understood", function()
      for _, run in ipairs({ run_on_file, run_on_pipe }) do
        server:reset()
        server:script({ default = steps.reply({ status = 204 }) })
        local result = run(case[2])
        assert.are.same({ 0, "" }, { result.code, result.stderr })
        assert.are.same(case[3], users())
      end
    end)
  end

  -- what it is, text, what is said
  local wrong = {
    { "in UTF-16", "\255\254a\0\n\0", "LIST:1: this is UTF-16; save the file as UTF-8" },
    { "in UTF-16, the other way round", "\254\255\0a\0\n", "LIST:1: this is UTF-16; save the file as UTF-8" },
    { "in UTF-16 without a mark", "a\0\n\0", "LIST:1: there is a NUL byte in the line; if the file is UTF-16" },
    { "with a NUL", "alice\nbob\0smith\n", "LIST:2: there is a NUL byte in the line" },
    { "in Latin-1", "alice\n\ncaf\233\n", "LIST:3: the line is not UTF-8 (byte \\xe9); save the file as UTF-8" },
    { "of an old Macintosh", "alice\rbob\rcarol", "LIST:1: there is a control character in the line (\\x0d)" },
    { "with an escape sequence", "alice\27[2J\n", "LIST:1: there is a control character in the line (\\x1b)" },
    { "with a C1 control", "alice\194\155\n", "LIST:1: there is a control character in the line (\\u{9b})" },
    { "with a bidirectional override", "\226\128\174alice\n",
      "LIST:1: there is a control character in the line (\\u{202e})" },
    { "with a blank that does not break", "alice\194\160\n",
      "LIST:1: the value begins or ends with U+00A0, which cannot be seen" },
    { "with a blank of no width", "\226\128\139alice\n",
      "LIST:1: the value begins or ends with U+200B, which cannot be seen" },
    { "with a line that has no end", ("x"):rep(200000),
      "LIST:1: the line has more than 4096 bytes, which no name has" },
    { "with a long line", "alice\n" .. ("x"):rep(4097) .. "\nbob\n",
      "LIST:2: the line has more than 4096 bytes, which no name has" },
    { "with a name the library refuses", "alice\n..\n", "LIST:2: user must not be or contain a dot segment" },
  }
  for _, case in ipairs(wrong) do
    it(case[1] .. " is refused before anything is sent", function()
      local result = run_on_file(case[2])
      assert.are.same({ 2, "" }, { result.code, result.stdout })
      assert.are.equal("webpubsub: " .. case[3], result.stderr:sub(1, #case[3] + 11))
      assert.are.same({}, users())
    end)
  end

  it("has all that is wrong with it told, up to ten lines", function()
    local result = run_on_file("alice\na\0\n..\nb\255\n")
    assert.are.equal(2, result.code)
    for _, place in ipairs({ "LIST:2: ", "LIST:3: ", "LIST:4: " }) do
      assert.is_truthy(result.stderr:find("webpubsub: " .. place, 1, true), result.stderr)
    end
    result = run_on_file(("\1\n"):rep(1000))
    local _, lines = result.stderr:gsub("\n", "")
    assert.are.equal(11, lines)
    assert.is_truthy(result.stderr:find("\nwebpubsub: and 990 more lines\n$"), result.stderr)
  end)

  it("that is none is refused", function()
    -- path, what is said
    local none = {
      { "/", "the list cannot be read: /: Is a directory" },
      { "/nowhere", "/nowhere: No such file or directory" },
      { "/dev/zero", "/dev/zero:1: the line has more than 4096 bytes, which no name has" },
    }
    for _, case in ipairs(none) do
      local result = program.run(words_for("--users-from", case[1]))
      assert.are.same({ 2, "", "webpubsub: " .. case[2] .. "\n" }, { result.code, result.stdout, result.stderr })
    end
    local argv = shell.join(program.argv(words_for("--users-from", "-")))
    for _, redirection in ipairs({ " </", " <&-" }) do
      local result = process.run({ "sh", "-c", argv .. redirection }, { env = program.environment() })
      assert.are.same({ 2, "" }, { result.code, result.stdout })
      assert.is_truthy(result.stderr:find("the list cannot be read: standard input: ", 1, true), result.stderr)
    end
  end)

  it("from a pipe is followed up to what is wrong, and says how to go on", function()
    local result = run_on_pipe("alice\n\nbob\nca\0rol\ndave\n")
    assert.are.equal(2, result.code)
    assert.is_truthy(result.stdout:find("closed: 2 of 2, 0 failed, ", 1, true), result.stdout)
    assert.are.equal("webpubsub: standard input:4: there is a NUL byte in the line; if the file is UTF-16, save it as "
      .. "UTF-8\nstopped; to go on with the rest, repeat it with --skip 2\n", result.stderr)
    assert.are.same({ "alice", "bob" }, users())
  end)

  it("from a pipe is followed as it comes", function()
    local words = { "env" }
    for name, value in pairs(program.environment()) do
      if value then words[#words + 1] = name .. "=" .. value end
    end
    for _, word in ipairs(program.argv(words_for("--users-from", "-"))) do words[#words + 1] = word end
    local pipe = io.popen(shell.join(words) .. " >/dev/null", "w")
    pipe:write("alice\n")
    pipe:flush()
    wait.until_true(function() return #server:requests() == 1 end, ARRIVAL_SECONDS, "the first request")
    pipe:write("bob\n")
    pipe:close()
    assert.are.same({ "alice", "bob" }, users())
  end)

  it("with a mistake in what all have in common is not begun", function()
    local result = program.run({ "--endpoint", server.origin, "--key", "k", "--hub", "chat", "send-to-user",
      "--users-from", file_of("a\nb\n"), "hello", "--ttl", "301" })
    assert.are.same({ 2, "" }, { result.code, result.stdout })
    local _, lines = result.stderr:gsub("\n", "")
    assert.are.equal(1, lines)
    assert.is_truthy(result.stderr:find("--ttl must be from 0 to 300; it is 301", 1, true), result.stderr)
  end)
end)

describe("the parts of a list", function()
  local function closed_by(part, settings)
    server:reset()
    server:script({ default = steps.reply({ status = 204 }) })
    local names = {}
    for index = 1, 60 do names[index] = "user" .. index end
    local words = words_for("--users-from", file_of(table.concat(names, "\n")))
    for _, word in ipairs(part) do words[#words + 1] = word end
    local result = program.run(words, { settings = settings })
    assert.are.same({ 0, "" }, { result.code, result.stderr })
    return users()
  end

  it("are everybody together, and nobody twice", function()
    local seen, count = {}, 0
    for index = 1, 4 do
      for _, user in ipairs(closed_by({ "--shard", index .. "/4" })) do
        assert.is_nil(seen[user])
        seen[user] = true
        count = count + 1
      end
    end
    assert.are.equal(60, count)
  end)

  it("are the same by whatever names the machines have", function()
    local second = closed_by({ "--shard", "2/4" })
    assert.are.same(second, closed_by({ "--shards", "4" }, { JOB_COMPLETION_INDEX = "1" }))
    assert.are.same(second, closed_by({ "--shard", "env", "--shards", "4" }, { JOB_COMPLETION_INDEX = "1" }))
    assert.are.same(second, closed_by({ "--shard", "env" }, { SLURM_ARRAY_TASK_ID = "6", SLURM_ARRAY_TASK_COUNT = "4",
      SLURM_ARRAY_TASK_MIN = "5" }))
  end)

  it("are gone on with by themselves", function()
    local all = closed_by({ "--shard", "3/4" })
    assert.are.equal(#all - 5, #closed_by({ "--shard", "3/4", "--skip", "5" }))
  end)

  it("are told apart from mistakes", function()
    -- words, environment, what is said
    local wrong = {
      { { "--shard", "5/4" }, {}, "--shard: a shard is written I/N, such as 2/5" },
      { { "--shard", "env" }, {}, "--shard: neither JOB_COMPLETION_INDEX nor SLURM_ARRAY_TASK_ID is set" },
      { { "--shard", "env" }, { JOB_COMPLETION_INDEX = "1" }, "--shard: the number of shards is not known" },
      { { "--shards", "1" }, { JOB_COMPLETION_INDEX = "1" }, "JOB_COMPLETION_INDEX is 1, which is none of 1 shards" },
      { { "--shard", "1/2", "--shards", "2" }, {}, "--shards goes with --shard env" },
    }
    for _, case in ipairs(wrong) do
      local words = words_for("--users-from", "-")
      for _, word in ipairs(case[1]) do words[#words + 1] = word end
      local result = program.run(words, { settings = case[2], stdin = "" })
      assert.are.same({ 2, "" }, { result.code, result.stdout })
      assert.is_truthy(result.stderr:find(case[3], 1, true), result.stderr)
    end
  end)
end)

describe("a run with --state", function()
  local path

  before_each(function() path = os.tmpname() end) -- a file of nothing is as good as none
  after_each(function() os.remove(path) end)

  local function close(text, ...)
    server:reset()
    server:script({ default = steps.reply({ status = 204 }) })
    return run_on_file(text, "--state", path, ...)
  end

  local function assert_refused(why, ...)
    local result = close(...)
    assert.are.same({ 2, "" }, { result.code, result.stdout })
    assert.is_truthy(result.stderr:find(why, 1, true), result.stderr)
    assert.are.same({}, users())
  end

  it("goes on where the one before it ended, and does nothing when all is done", function()
    server:script({ steps.reply({ status = 204 }), steps.reply({ status = 204 }), steps.reply({ status = 403 }),
      default = steps.reply({ status = 204 }) })
    local first = run_on_file("a\n\nb\nc\nd\ne\n", "--state", path, "--concurrency", "1", "--stop-on-error")
    assert.are.equal(4, first.code)
    assert.is_truthy(first.stderr:find("\nstopped; to go on with the rest, repeat it\n", 1, true), first.stderr)
    assert.are.equal(0, close("a\nb\r\nc\nd\ne\n").code) -- the same names
    assert.are.same({ "d", "e" }, users())
    assert.are.equal(0, close("a\nb\nc\nd\ne\n").code)
    assert.are.same({}, users())
    assert.are.equal(0, close("a\nb\nc\nd\ne\nf\n").code) -- has grown
    assert.are.same({ "f" }, users())
  end)

  it("does again what was on its way, and not what was done behind it", function()
    local names = {}
    for index = 1, 100 do names[index] = ("user%03d"):format(index) end
    local text = table.concat(names, "\n")
    server:script({ steps.silence(), default = steps.reply({ status = 204 }) })
    local first = run_on_file(text, "--state", path, "--concurrency", "4", "--attempt-timeout", "5", "--timeout", "5",
      "--stop-on-error")
    assert.are.equal(3, first.code)
    -- As if it had been killed before the first was over.
    local head = "webpubsub run: close-user-connections --users-from\n"
    local file = assert(io.open(path, "r+b"))
    local counts = file:read("*a"):sub(#head + 1):match("^%d+ %d+")
    file:seek("set", 0)
    file:write(head, counts, " 001\n", ("%016d\n"):format(1))
    file:close()
    assert.are.equal(0, close(text).code)
    assert.are.same({ "user001" }, users())
  end)

  it("leaves nobody out when it is killed", function()
    local names = {}
    for index = 1, 300 do names[index] = "user" .. index end
    local text = table.concat(names, "\n")
    server:script({ default = { steps.delay(0.01), steps.reply({ status = 204 }) } })
    local argv = program.argv(words_for("--users-from", file_of(text), "--state", path, "--concurrency", "4"))
    local pipe = io.popen("env " .. shell.quote("LUA_PATH=" .. package.path) .. " " .. shell.quote("LUA_CPATH="
      .. package.cpath) .. " " .. shell.join(argv) .. " >/dev/null & echo $!")
    local pid = pipe:read("*l")
    wait.until_true(function() return #server:requests() > 40 end, ARRIVAL_SECONDS, "requests")
    process.run({ "kill", "-9", pid })
    pipe:close()
    local before, seen = users(), {}
    assert.is_true(#before < 300)
    local result = close(text)
    assert.are.equal(0, result.code)
    local after = users()
    for _, list in ipairs({ before, after }) do
      for _, user in ipairs(list) do seen[user] = true end
    end
    for _, name in ipairs(names) do assert.is_true(seen[name], name) end
    assert.is_true(#before + #after <= 300 + 4, #before .. " and " .. #after) -- what was on its way
  end)

  it("is refused with another list, another run, and what is no such file", function()
    assert.are.equal(0, close("a\nb\n").code)
    assert_refused("the list is not the one that " .. path .. " is about: its first 2 names have changed", "b\na\nc\n")
    assert_refused("the list is not the one that ", "a\n")
    assert_refused(path .. " is of another run: close-user-connections --users-from, not close-user-connections "
      .. "--users-from --shard 1/2", "a\nb\n", "--shard", "1/2")
    assert_refused("--skip and --state cannot be used together", "a\nb\n", "--skip", "1")
    local kept = assert(io.open(path, "rb"))
    local text = kept:read("*a")
    kept:close()
    local head = text:find("\n", 1, true)
    for _, cut in ipairs({ head, head + 20 }) do
      local file = io.open(path, "wb")
      file:write(text:sub(1, cut))
      file:close()
      assert_refused(path .. " is not complete", "a\nb\n")
    end
    local file = io.open(path, "wb")
    file:write("my diary")
    file:close()
    assert_refused(path .. " is not a file of --state", "a\nb\n")
    local result = run_on_file("a\n", "--state", "/")
    assert.are.same({ 2, "", "webpubsub: /: Is a directory\n" }, { result.code, result.stdout, result.stderr })
  end)

  it("is told where the file cannot be written any more", function()
    local state = require("webpubsub.cli.state")
    local kept = assert(state.open(path, "a run"))
    kept.file:close()
    kept.file = io.open(path, "rb")
    assert.are.equal(path .. ": Bad file descriptor", kept:begin("a"))
    assert.are.equal(path .. ": Bad file descriptor", kept:finish(1))
    kept.file:close()
  end)
end)

describe("parts run side by side", function()
  local has_parallel = process.run({ "sh", "-c", "command -v parallel" }).code == 0
  local COUNT = 200

  -- As the README has it.
  local function run_parts(directory, list, timeout)
    local words = { "parallel", "--will-cite" }
    if timeout then
      words[#words + 1] = "--timeout"
      words[#words + 1] = timeout
    end
    for _, word in ipairs(program.argv(words_for("--users-from", list, "--shard", "{}/4", "--state", "{}.state",
      "--concurrency", "4"))) do words[#words + 1] = word end
    local stdin = "1\n2\n3\n4\n"
    return process.run(words, { env = program.environment(), directory = directory, stdin = stdin, timeout = 30 })
  end

  local function missing_of(names)
    local seen, missing, twice = {}, 0, 0
    for _, user in ipairs(users()) do
      twice = twice + (seen[user] and 1 or 0)
      seen[user] = true
    end
    for _, name in ipairs(names) do missing = missing + (seen[name] and 0 or 1) end
    return missing, twice
  end

  it("by GNU parallel leave nobody out, and do nobody twice, also when they are killed and run again", function()
    if _VERSION ~= "Lua 5.4" then return end -- it takes its time, and is the same on each Lua
    if not has_parallel then
      pending("GNU parallel is missing (apt-get install parallel)")
      return
    end
    local names = {}
    for index = 1, COUNT do names[index] = "user" .. index end
    local list = file_of(table.concat(names, "\n"))
    local directory = process.run({ "mktemp", "-d" }).stdout:gsub("\n", "")
    finally(function() process.run({ "rm", "-rf", directory }) end)
    local answers = { default = steps.silence() }
    for index = 1, COUNT / 3 do answers[index] = steps.reply({ status = 204 }) end
    server:script(answers)
    assert.are_not.equal(0, run_parts(directory, list, "2").code) -- killed on their way
    local missing = missing_of(names)
    assert.is_true(missing > 0 and missing < COUNT, missing)
    server:script({ default = steps.reply({ status = 204 }) })
    local result = run_parts(directory, list)
    assert.are.same({ 0, "" }, { result.code, result.stderr })
    local twice
    missing, twice = missing_of(names)
    assert.are.equal(0, missing)
    assert.is_true(twice <= 4 * 4, twice) -- what was on its way
    local done = #server:requests()
    assert.are.equal(0, run_parts(directory, list).code)
    assert.are.equal(done, #server:requests())
  end)
end)

it("every list has its option in the help, and the help says what is left out of a line", function()
  for _, operation in ipairs(core.operations()) do
    local help = program.run({ "help", (operation.name:gsub("_", "-")) }).stdout
    local is_listable = help:find("-from <file>", 1, true)
    assert.are.equal(is_listable ~= nil, help:find("blanks at both ends of a line", 1, true) ~= nil, operation.name)
  end
end)
