-- Every allocation of the bindings fails once, and all from then on: what was begun is given back, keys and tokens are
-- wiped, and the next use of the same objects works. `make torture` does the same to whole calls.

local process = require("spec.support.process")
local project = require("spec.support.project")

local COMPILE_SECONDS, RUN_SECONDS = 120, 60
local HOST = "build/torture/torture" -- it has Lua 5.4 in it

local function run(argv, timeout)
  return process.run(argv, { directory = project.root, timeout = timeout, env = { MAKEFLAGS = false, MAKELEVEL = false,
    LUA_PATH = package.path, LUA_CPATH = package.cpath } })
end

describe("running out of memory", function()
  it("leaks nothing, leaves no token behind, and spoils nothing for the next use", function()
    if _VERSION ~= "Lua 5.4" then return end
    local built = run({ "make", HOST }, COMPILE_SECONDS)
    assert.are.equal(0, built.code, built.stderr)
    local result = run({ HOST, "spec/torture/bindings.lua", "" }, RUN_SECONDS)
    assert.are.equal(0, result.code, result.stdout .. result.stderr)
    for _, manner in ipairs({ "once", "from then on" }) do
      assert.is_truthy(result.stdout:find(manner .. " failing: %d%d%d points, 0 bad"), result.stdout)
    end
  end)
end)
