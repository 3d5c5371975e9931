-- The program `webpubsub` at a terminal: what is seen while it runs, and Ctrl-C.

local program = require("spec.support.program")
local scripted_server = require("spec.support.scripted_server")
local steps = require("spec.support.steps")
local terminal = require("spec.support.terminal")

if not terminal.available() then
  describe("the program at a terminal", function()
    pending("is not tested: tmux is missing (apt-get install tmux)")
  end)
  return
end

local ANSWER_SECONDS = 0.1
local COUNT = 1000
local SHORT = 160 -- as many items take a second

local server, screen, list_path

setup(function()
  list_path = os.tmpname()
  local file = assert(io.open(list_path, "w"))
  for index = 1, COUNT do file:write("user", index, "\n") end
  file:close()
end)
teardown(function() os.remove(list_path) end)
before_each(function()
  server = scripted_server.start() -- its own, for a program that is ended may live a moment longer
  server:script({ default = { steps.delay(ANSWER_SECONDS), steps.reply({ status = 204 }) } })
end)
after_each(function()
  if screen then screen:close() end
  screen = nil
  server:stop()
end)

local function open(words)
  local all = { "--endpoint", server.origin, "--key", "k", "--hub", "chat", "--retries", "0" }
  for _, word in ipairs(words) do all[#all + 1] = word end
  screen = terminal.open(program.argv(all), program.environment())
end

local function close_users(...)
  open({ "close-user-connections", "--users-from", list_path, ... })
end

local BAR = "%[[#-]+%]  (%d+) of (%d+)  %d+/s  %d+:%d%d left  (%d+) failed"

local function wait_for_progress()
  return screen:wait_until(function(text)
    local done, total, failed = text:match(BAR)
    return done and tonumber(done) > 0 and { tonumber(done), tonumber(total), tonumber(failed) }
  end, "the progress bar")
end

describe("a long run", function()
  it("shows how far it has come, on one line that is gone at the end", function()
    close_users("--skip", tostring(COUNT - SHORT))
    local first = wait_for_progress()
    assert.are.equal(SHORT, first[2])
    screen:wait_until(function(text)
      local done = tonumber((text:match(BAR)))
      local _, bars = text:gsub("%[[#-]+%]", "")
      assert.is_true(bars <= 1)
      return done and done > first[1]
    end, "progress")
    local code, text = screen:wait_for_end()
    assert.are.equal(0, code)
    assert.is_truthy(text:find("^closed: 160 of 160, 0 failed, in %d+%.%d s %(%d+ a second%)\n%[ended with 0%]$"),
      text)
  end)

  it("lists failures above that line", function()
    server:script({ steps.reply({ status = 403 }),
      default = { steps.delay(ANSWER_SECONDS), steps.reply({ status = 204 }) } })
    close_users()
    screen:wait_until(function(text)
      return text:find("^item (%d+) %(user%1%): close_user_connections: [^\n]*\n%[[#-]+%] .* 1 failed$")
    end, "the failure above the bar")
  end)

  it("sums up at Ctrl-C and says how to go on", function()
    close_users("--skip", "3")
    wait_for_progress()
    screen:press("C-c")
    local code, text = screen:wait_for_end()
    assert.are.equal(130, code)
    local succeeded, begun = text:match("closed: (%d+) of (%d+), 0 failed, in ")
    succeeded, begun = tonumber(succeeded), tonumber(begun)
    assert.is_true(succeeded > 0 and begun < COUNT - 3, text)
    local skip = tonumber(text:match("\ninterrupted; to go on with the rest, repeat it with %-%-skip (%d+)"))
    assert.is_true(skip >= 3 and skip <= succeeded + 3, text)
  end)

  it("says how many will be done twice because they stand behind one that has no answer yet", function()
    server:script({ steps.silence(), default = { steps.delay(ANSWER_SECONDS), steps.reply({ status = 204 }) } })
    close_users()
    screen:wait_until(function(text) return tonumber(text:match(BAR) or 0) > 40 end, "more than all of the first")
    screen:press("C-c")
    local code, text = screen:wait_for_end()
    assert.are.equal(130, code)
    local skip, twice = text:match("\ninterrupted; to go on with the rest, repeat it with %-%-skip (%d+) "
      .. "%((%d+) behind it are done already, and will be done again%)\n")
    local succeeded = text:match("closed: (%d+) of %d+, 0 failed, in ")
    assert.are.equal(tonumber(succeeded), tonumber(skip) + tonumber(twice), text)
    assert.is_true(tonumber(skip) < 16 and tonumber(twice) > 0, text)
  end)

  it("counts what comes from a pipe without knowing its end", function()
    local words = { "--endpoint", server.origin, "--key", "k", "--hub", "chat", "user-exists", "--users-from", "-" }
    screen = terminal.open({ "sh", "-c", 'list=$1; shift; cat "$list" | "$@" >/dev/null', "sh", list_path,
      (table.unpack or unpack)(program.argv(words)) }, program.environment()) -- luacheck: ignore 113 143
    screen:wait_until(function(text) return text:find("^%d+ done  %d+/s  0 failed$") end, "the count")
  end)
end)

describe("Ctrl-C", function()
  it("ends a call that waits, without a word", function()
    server:script({ default = steps.silence() })
    open({ "close-user-connections", "alice" })
    screen:wait_until(function() return #server:requests() == 1 end, "the request")
    screen:press("C-c")
    local code, text = screen:wait_for_end()
    assert.are.equal(130, code)
    assert.are.equal("^C[ended with 130]", text)
  end)

  it("ends the emulator in order", function()
    screen = terminal.open(program.argv({ "emulator", "--port", "0" }), program.environment())
    screen:wait_for("listening on http://127.0.0.1:")
    screen:press("C-c")
    assert.are.equal(0, (screen:wait_for_end()))
  end)
end)
