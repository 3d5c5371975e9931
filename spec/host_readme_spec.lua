-- The code about loops in lua/webpubsub/host/README.md, as it stands, against the emulator.

local launch = require("webpubsub.emulator.launch")
local process = require("spec.support.process")
local program = require("spec.support.program")
local project = require("spec.support.project")
local readme = require("spec.support.readme")

local LUA_5_1 = _VERSION == "Lua 5.1" and not rawget(_G, "jit")

local page = project.read("lua/webpubsub/host/README.md")
local part = page:match("\n# Loops\n(.-)\n# Other hosts\n")

describe("the page about loops", function()
  local emulator
  setup(function() emulator = launch({ quiet = true }) end)
  teardown(function() emulator.stop() end)

  local function section(title)
    return readme.blocks("lua", part:match("\n## " .. title .. "\n(.*)"))[1]
  end

  for title, printed in pairs({ ["Tick loops"] = "alice closed\n", cqueues = "2\tnil\n", luv = "204\n",
    ["Another loop"] = "204 No Content (close_user_connections, 1 attempt, n ms)\n" }) do
    it("has code that runs: " .. title, function()
      if LUA_5_1 and title == "luv" then return end -- the page says so
      local result = process.run_lua(section(title), {
        env = program.environment({ WebPubSubConnectionString = emulator.connection_string }) })
      assert.are.same({ 0, printed, "" }, { result.code, (result.stdout:gsub("%d+ ms", "n ms")), result.stderr })
    end)
  end

  it("has no code that is not run", function()
    local _, count = part:gsub("\n```lua\n", "")
    assert.are.equal(4, count)
  end)
end)
