-- The prompt `webpubsub repl` at a terminal: keys, history and Ctrl-C.

local process = require("spec.support.process")
local program = require("spec.support.program")
local scripted_server = require("spec.support.scripted_server")
local steps = require("spec.support.steps")
local terminal = require("spec.support.terminal")

if not terminal.available() then
  describe("the prompt at a terminal", function()
    pending("is not tested: tmux is missing (apt-get install tmux)")
  end)
  return
end

local KEY = "a-key-that-nobody-may-see"
local RED = "\27[31m"

local server, screen, state_folder

before_each(function()
  server = scripted_server.start() -- its own, for a program that is ended may live a moment longer
  server:script({ default = steps.reply({ status = 204 }) })
  state_folder = process.run({ "mktemp", "-d" }).stdout:match("[^\n]+")
end)
after_each(function()
  if screen then screen:close() end
  screen = nil
  server:stop()
  process.run({ "rm", "-rf", state_folder })
end)

local function open(settings)
  local environment = program.environment({ XDG_STATE_HOME = state_folder })
  for name, value in pairs(settings or {}) do environment[name] = value end
  local words = { "repl", "--endpoint", server.origin, "--key", KEY, "--hub", "chat", "--retries", "0" }
  screen = terminal.open(program.argv(words), environment)
  screen:wait_for("Ctrl-D leaves.\n>")
end

local function leave()
  screen:press("C-d")
  assert.are.equal(0, (screen:wait_for_end()))
end

-- Waits until the prompt stands below this text, ready for the next line.
local function wait_for_prompt_after(text)
  screen:wait_until(function(shown)
    local _, last = shown:find(text, 1, true)
    return last and shown:find("\n>$", last)
  end, ("the prompt after %q"):format(text))
end

local function history()
  local file = assert(io.open(state_folder .. "/webpubsub/history"))
  local text = file:read("*a")
  file:close()
  return text
end

describe("the prompt", function()
  it("says what it is, calls and leaves", function()
    open()
    screen:wait_for("webpubsub client of hub chat at " .. server.origin .. "\nhelp() tells more")
    screen:enter('client:close_user_connections { user = "alice" }')
    wait_for_prompt_after("204 No Content (close_user_connections, 1 attempt, ")
    leave()
    assert.are.equal("/api/hubs/chat/users/alice/:closeConnections?api-version=2024-12-01", server:requests()[1].target)
  end)

  it("completes methods, arguments and the context", function()
    open()
    screen:type("client:close_us")
    screen:press("Tab")
    screen:wait_for("> client:close_user_connections")
    screen:press("Tab", "Tab")
    screen:wait_for("client:close_user_connections_async")
    screen:type(" { re")
    screen:press("Tab")
    screen:wait_for("{ reason =")
    screen:type('"bye", us')
    screen:press("Tab")
    screen:wait_for('reason = "bye", user =')
    screen:type('"bob", context = { time')
    screen:press("Tab")
    screen:wait_for("context = { timeout =")
    screen:enter("5 } }")
    screen:wait_for("204 No Content")
    assert.are.equal("/api/hubs/chat/users/bob/:closeConnections?api-version=2024-12-01&reason=bye",
      server:requests()[1].target)
    leave()
  end)

  it("takes an entry of several lines, and completes in each", function()
    open()
    screen:enter("client:close_user_connections {")
    screen:wait_for("\n>>")
    screen:type("us")
    screen:press("Tab")
    screen:wait_for(">> user =")
    screen:enter('"alice",')
    screen:enter("}")
    screen:wait_for("204 No Content")
    leave()
  end)

  it("shows errors in red", function()
    open()
    screen:enter('client:close_user_connections { user = "" }')
    screen:wait_for("user must not be empty")
    assert.is_truthy(screen:screen(true):find(RED .. "webpubsub: close_user_connections: user must not", 1, true))
    leave()
  end)

  it("shows errors without colors where they are not wanted", function()
    open({ NO_COLOR = "1" })
    screen:enter('error("mine")')
    screen:wait_for("mine\n>")
    assert.is_nil(screen:screen(true):find(RED, 1, true))
    leave()
  end)
end)

describe("Ctrl-C", function()
  it("gives up the line, and an entry of several", function()
    open()
    for round = 1, 5 do
      screen:type("error('not run')")
      screen:wait_until(function(text) return text:find("'not run'%)$") end, "the line")
      screen:press("C-c")
      wait_for_prompt_after(("> error('not run')^C\n"):rep(round):sub(1, -2))
    end
    screen:enter("x = {")
    screen:wait_for(">>")
    screen:press("C-c")
    wait_for_prompt_after("^C\n> x = {")
    screen:enter('x, "is", "nothing"')
    screen:wait_for("\nnil     is      nothing")
    leave()
  end)

  it("gives up a search, which does not go on in the next line", function()
    open()
    screen:enter('error("not a" .. "gain")')
    wait_for_prompt_after("not again")
    screen:press("C-r")
    screen:type("err")
    screen:wait_for("`err': error(")
    screen:press("C-c")
    screen:wait_for("^C")
    wait_for_prompt_after("^C")
    screen:enter('"another"')
    wait_for_prompt_after('> "another"\nanother')
    leave()
  end)

  it("ends what runs, as often as one likes", function()
    open()
    for round = 1, 3 do
      screen:enter("while true do end")
      screen:wait_until(function(text)
        local _, loops = text:gsub("while true do end", "")
        return loops == round and not text:find("\n>$")
      end, "the loop")
      screen:press("C-c")
      screen:wait_until(function(text)
        local _, interruptions = text:gsub("\n[^\n]*interrupted!", "")
        return interruptions == round and text:find("\n>$")
      end, "the prompt")
    end
    screen:enter('"alive" .. "!"')
    screen:wait_for("alive!")
    leave()
  end)

  it("ends a call that waits", function()
    open()
    server:script({ steps.silence(), default = steps.reply({ status = 204 }) })
    screen:enter('client:close_user_connections { user = "alice" }')
    screen:wait_until(function() return #server:requests() == 1 end, "the request")
    screen:press("C-c")
    wait_for_prompt_after("interrupted!")
    screen:enter('client:close_user_connections { user = "alice" }')
    screen:wait_for("204 No Content")
    leave()
  end)
end)

describe("Ctrl-D", function()
  it("gives up an entry of several lines, and says what it lacks", function()
    open()
    screen:enter("client:close_user_connections {")
    screen:wait_for("\n>>")
    screen:press("C-d")
    wait_for_prompt_after("<eof>")
    screen:wait_for("prompt:1: ")
    leave()
  end)
end)

describe("the history", function()
  it("is there again in the next session, for its owner alone", function()
    open()
    screen:enter('"the first"')
    screen:enter('"the second"')
    screen:wait_for("\nthe second")
    leave()
    screen:close()
    assert.are.equal('"the first"\n"the second"\n', history())
    assert.are.equal("600 700\n", process.run({ "sh", "-c", 'cd "$1/webpubsub" && echo $(stat -c %a history .)', "sh",
      state_folder }).stdout)
    open()
    screen:press("Up", "Up")
    screen:wait_for('\n> "the first"')
    screen:press("Enter")
    screen:wait_for("\nthe first")
    leave()
  end)

  it("is made its owner's alone where it was not", function()
    process.run({ "sh", "-c", 'cd "$1" && mkdir webpubsub && echo 1 >webpubsub/history && chmod 644 webpubsub/history',
      "sh", state_folder })
    open()
    leave()
    assert.are.equal("600\n", process.run({ "stat", "-c", "%a", state_folder .. "/webpubsub/history" }).stdout)
  end)

  it("has no secrets and no line twice in a row", function()
    open()
    local secrets = { 'c = "Endpoint=http://h;AccessKey=hidden1"', 'c = "endpoint=http://h;accesskey = hidden2"',
      'pcall(client.set_key, client, "hidden3")', 'c = { key = "hidden4" }', 'c = { client_key_password = "hidden5" }' }
    for _, line in ipairs(secrets) do screen:enter(line) end
    for _ = 1, 2 do screen:enter('"har" .. "mless"') end
    screen:wait_for("harmless\n> \"har\" .. \"mless\"\nharmless")
    leave()
    assert.are.equal('"har" .. "mless"\n', history())
  end)

  it("does not grow without end", function()
    local file_name = state_folder .. "/webpubsub/history"
    process.run({ "sh", "-c", 'mkdir "$1/webpubsub" && seq 1500 >"$1/webpubsub/history"', "sh", state_folder })
    open()
    leave()
    assert.are.equal("501\n1500\n1000\n",
      process.run({ "sh", "-c", 'sed -n "1p;\\$p" "$1"; wc -l <"$1"', "sh", file_name }).stdout)
  end)
end)

describe("without the packages for editing", function()
  it("the prompt says which to install, and works", function()
    local file = assert(io.open(state_folder .. "/readline.lua", "w"))
    file:write('error("not installed")\n')
    file:close()
    open({ LUA_PATH = state_folder .. "/?.lua;" .. package.path })
    assert.is_truthy(screen:screen():find("apt-get install lua-readline lua-luv", 1, true))
    screen:enter('"it " .. "works"')
    screen:wait_for("it works")
    leave()
  end)
end)
