-- The rocks: what stands in their rockspecs, and that LuaRocks builds, packs and installs them without a network.

if _VERSION ~= "Lua 5.4" then
  return -- LuaRocks builds for the Lua it runs on; once is enough, and takes its time
end

local core = require("webpubsub.core")
local installed = require("spec.support.installed")
local process = require("spec.support.process")
local project = require("spec.support.project")
local rockspecs = require("spec.generate.rockspecs")

local VERSION = installed.version
local RELEASE = core.version .. "-1"
local COMPILE_SECONDS = 120
local NOWHERE = "file:///nonexistent" -- the server of rocks

-- Modules that a rock does without where they are missing.
local OPTIONAL = { ["webpubsub-cli"] = { luv = true, readline = true } }
-- Modules by the rock they come with, where that is called otherwise.
local ROCK_OF = { cjson = "lua-cjson", openssl = "luaossl" }

local function load_rockspec(path)
  local rockspec = {}
  local source = project.read(path)
  local chunk = setfenv and setfenv(loadstring(source), rockspec) -- luacheck: ignore 113 (Lua 5.1)
    or load(source, "=" .. path, "t", rockspec)
  chunk()
  return rockspec
end

local function luarocks(directory, ...)
  return installed.run({ "luarocks", "--lua-version", VERSION, ... }, {
    directory = directory, timeout = COMPILE_SECONDS,
    env = { MAKEFLAGS = false, MAKELEVEL = false, LUA_PATH = false, LUA_CPATH = false,
      LUAROCKS_CONFIG = project.root .. "rockspec/debian.lua" },
  })
end

describe("the rockspecs", function()
  it("are as make generate writes them", function()
    local expected = {}
    for _, file in ipairs(rockspecs.files()) do
      expected[#expected + 1] = file.path
      assert.is_true(file.text == project.read(file.path), file.path .. " is stale")
    end
    table.sort(expected)
    assert.are.same(expected, rockspecs.present())
  end)

  it("name every other rock that their modules need", function()
    for _, folder in ipairs { "cli", "emulator" } do
      local rock = "webpubsub-" .. folder
      local declared = {}
      for _, dependency in ipairs(load_rockspec(("rockspec/%s-scm-1.rockspec"):format(rock)).dependencies) do
        declared[dependency:match("^%S+")] = true
      end
      for _, path in ipairs(installed.files(project.root .. "lua/webpubsub/" .. folder, "-name", "*.lua",
        "!", "-name", "demo.lua")) do
        local text = project.read(("lua/webpubsub/%s/%s"):format(folder, path))
        for module in text:gmatch("%f[%w_]require%s*%(?%s*\"([%w_.]+)\"") do
          local first = module:match("^[^.]+")
          local own = module:find("^webpubsub%." .. folder .. "%f[%W]")
          assert(own or declared[ROCK_OF[first] or first] or (OPTIONAL[rock] or {})[first],
            ("%s requires %s, which %s does not declare"):format(path, module, rock))
        end
      end
    end
  end)

  it("let the library do without the other two", function()
    for _, path in ipairs(installed.files(project.root .. "lua/webpubsub", "-name", "*.lua", "!", "-path", "./cli/*",
      "!", "-path", "./emulator/*")) do
      local text = project.read("lua/webpubsub/" .. path)
      assert.is_nil(text:find("\"webpubsub%.cli%f[%W]") or text:find("\"webpubsub%.emulator%f[%W]"), path)
    end
  end)
end)

if VERSION == "5.5" then return end -- which Debian's LuaRocks does not know

describe("LuaRocks", function()
  local directory

  setup(function() directory = installed.directory() end)
  teardown(function() installed.run({ "rm", "-rf", directory }) end)

  -- A copy of what is released, for LuaRocks builds in place. A source rock is a zip of a rockspec and the archive.
  local source
  local function lay_out()
    if source then return end
    local name = "webpubsub-" .. core.version
    source = directory .. "/" .. name
    installed.run({ "mkdir", source })
    installed.run({ "cp", "-r", "Makefile", ".ci", "csrc", "lua", "rockspec", "spec", source },
      { directory = project.root })
    installed.run({ "tar", "-czf", name .. ".tar.gz", name }, { directory = directory })
    for _, rock in ipairs { "webpubsub", "webpubsub-cli", "webpubsub-emulator" } do
      local rockspec = ("%s-%s.rockspec"):format(rock, RELEASE)
      installed.run({ "cp", source .. "/rockspec/" .. rockspec, directory })
      installed.run({ "zip", "-q", ("%s-%s.src.rock"):format(rock, RELEASE), rockspec, name .. ".tar.gz" },
        { directory = directory })
    end
  end

  local function modules(tree)
    return installed.files(("%s/share/lua/%s"):format(tree, VERSION))
  end

  it("makes the library from the source tree, and it needs nothing else", function()
    lay_out()
    local tree = directory .. "/made"
    luarocks(source, "make", "--tree", tree, "--server", NOWHERE, "rockspec/webpubsub-scm-1.rockspec",
      "CFLAGS=-O0 -fPIC")
    installed.assert_loadable(tree)
    assert.are.same({}, installed.files(tree, "-path", "*/share/*", "(", "-path", "*/cli/*", "-o", "-path",
      "*/emulator/*", ")"))
    assert.are.same({}, installed.files(tree, "-path", "*/bin/*"))
  end)

  it("installs the three source rocks, packs what it installed, and installs that elsewhere", function()
    lay_out()
    local tree, other = directory .. "/installed", directory .. "/other"
    local rocks = { "webpubsub", "webpubsub-cli" }
    if VERSION == "5.4" then rocks[#rocks + 1] = "webpubsub-emulator" end
    for _, rock in ipairs(rocks) do
      luarocks(directory, "install", "--tree", tree, "--server", NOWHERE,
        ("%s-%s.src.rock"):format(rock, RELEASE), "CFLAGS=-O0 -fPIC")
    end
    for _, rock in ipairs(rocks) do luarocks(directory, "pack", "--tree", tree, rock) end
    for _, packed in ipairs(installed.files(directory, "-maxdepth", "1", "-name", "*.rock", "!", "-name",
      "*.src.rock")) do
      luarocks(directory, "install", "--tree", other, "--server", NOWHERE, packed)
    end
    assert.are.same(modules(tree), modules(other))
    for _, root in ipairs { tree, other } do
      installed.assert_loadable(root)
      installed.assert_helps(root .. "/bin/webpubsub", "close-user-connections")
      if VERSION == "5.4" then
        installed.assert_helps(root .. "/bin/webpubsub-emulator", "--exit-on-eof")
      else
        local result = process.run({ root .. "/bin/webpubsub", "emulator" })
        assert.are.equal(2, result.code)
        assert.is_truthy(result.stderr:find("webpubsub-emulator", 1, true), result.stderr)
      end
    end
    -- the three together are what make install puts there; without the emulator they are less
    local expected = {}
    for _, path in ipairs(installed.files(project.root .. "lua", "-name", "*.lua", "!", "-name", "demo.lua")) do
      if VERSION == "5.4" or not path:find("^%./webpubsub/emulator/") then expected[#expected + 1] = path end
    end
    assert.are.same(expected, modules(tree))
  end)
end)
