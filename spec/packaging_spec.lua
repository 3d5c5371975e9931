-- What is installed, by make and by LuaRocks: every file, in its place, and it works from there.

local process = require("spec.support.process")
local project = require("spec.support.project")
local shell = require("spec.support.shell")

local VERSION = _VERSION:match("%d+%.%d+")
local LUA = rawget(_G, "jit") and "jit" or VERSION
local COMPILE_SECONDS = 120

local function run(argv, options)
  local result = process.run(argv, options)
  assert.are.equal(0, result.code, shell.join(argv) .. "\n" .. result.stdout .. result.stderr)
  return result.stdout
end

local function lines(text)
  local list = {}
  for line in text:gmatch("[^\n]+") do list[#list + 1] = line end
  table.sort(list)
  return list
end

local function files(directory, ...)
  return lines(run({ "find", ".", "-type", "f", ... }, { directory = directory }))
end

-- Makes a client in a new process that finds the library below `root` only.
local function assert_loadable(root)
  local share, lib = root .. "/share/lua/" .. VERSION, root .. "/lib/lua/" .. VERSION
  local source = [[
    local lib = ...
    local webpubsub = require("webpubsub")
    print(webpubsub.new({ endpoint = "https://contoso.webpubsub.azure.com", key = "k", hub = "chat" }))
    for line in io.lines("/proc/self/maps") do
      local object = line:match("%S+/webpubsub/%w+%.so$")
      assert(not object or object:find(lib, 1, true) == 1, object) -- for LUA_CPATH leads to others, too
    end
  ]]
  local result = process.run_lua(source, { directory = root, arguments = { lib },
    env = { LUA_PATH = share .. "/?.lua;" .. share .. "/?/init.lua", LUA_CPATH = lib .. "/?.so;" .. package.cpath } })
  assert.are.same({ "webpubsub client of hub chat at https://contoso.webpubsub.azure.com\n", "" },
    { result.stdout, result.stderr })
end

-- Runs the program, which finds the library by itself.
local function assert_runs(root)
  local help = run({ root .. "/bin/webpubsub", "--help" },
    { directory = root, env = { LUA_PATH = false, LUA_CPATH = false } })
  assert.is_truthy(help:find("close-user-connections", 1, true), help)
end

describe("packaging", function()
  local directory

  before_each(function() directory = run({ "mktemp", "-d" }):gsub("\n$", "") end)
  after_each(function() run({ "rm", "-rf", directory }) end)

  it("make install puts every file where Lua looks for it", function()
    local build = os.getenv("WEBPUBSUB_BUILD") or ""
    run({ "make", "-C", project.root, "install", "DESTDIR=" .. directory, "PREFIX=/usr", "LUA=" .. LUA,
      "FLAVOUR=" .. (build:match("/[%d.]+%-(%w+)$") or "") },
      { env = { MAKEFLAGS = false, MAKELEVEL = false }, timeout = COMPILE_SECONDS })

    local expected = {
      "./usr/bin/webpubsub 755",
      "./usr/share/man/man1/webpubsub.1 644",
      "./usr/share/bash-completion/completions/webpubsub 644",
      "./usr/share/zsh/site-functions/_webpubsub 644",
      "./usr/share/fish/vendor_completions.d/webpubsub.fish 644",
      ("./usr/lib/lua/%s/webpubsub/core.so 755"):format(VERSION),
      ("./usr/lib/lua/%s/webpubsub/curl.so 755"):format(VERSION),
    }
    for _, path in ipairs(files(project.root .. "lua", "-name", "*.lua", "!", "-name", "demo.lua")) do
      expected[#expected + 1] = ("./usr/share/lua/%s/%s 644"):format(VERSION, path:match("^%./(.*)$"))
    end
    table.sort(expected)
    assert.are.same(expected, files(directory, "-printf", "%p %m\n"))
    assert_loadable(directory .. "/usr")
    assert_runs(directory .. "/usr")
  end)

  describe("the rockspec", function()
    local PATH = "rockspec/webpubsub-scm-1.rockspec"
    local rockspec = {}

    setup(function()
      local source = project.read(PATH)
      local chunk = setfenv and setfenv(loadstring(source), rockspec) -- luacheck: ignore 113 (Lua 5.1)
        or load(source, "=" .. PATH, "t", rockspec)
      chunk()
    end)

    it("lists every Lua module under its name", function()
      local expected, listed = {}, {}
      for _, path in ipairs(files(project.root .. "lua", "-name", "*.lua")) do
        path = path:match("^%./(.*)$")
        expected[path:gsub("%.lua$", ""):gsub("/init$", ""):gsub("/", ".")] = "lua/" .. path
      end
      for name, module in pairs(rockspec.build.modules) do
        if type(module) == "string" then listed[name] = module end
      end
      assert.are.same(expected, listed)
    end)

    it("lists every C file", function()
      local expected, listed = {}, {}
      for _, path in ipairs(files(project.root .. "csrc", "-name", "*.c")) do
        expected["csrc/" .. path:match("^%./(.*)$")] = true
      end
      for _, module in pairs(rockspec.build.modules) do
        for _, path in ipairs(type(module) == "table" and module.sources or {}) do listed[path] = true end
      end
      assert.are.same(expected, listed)
    end)

    it("is all that LuaRocks needs", function()
      if process.run({ "sh", "-c", "command -v luarocks" }).code ~= 0 then
        pending("the command luarocks is missing")
        return
      end
      run({ "cp", "-r", "csrc", "lua", "rockspec", directory }, { directory = project.root }) -- it builds in place
      run({ "luarocks", "--lua-version", VERSION, "make", "--tree", directory .. "/tree", "CFLAGS=-O0 -fPIC" },
        { directory = directory, timeout = COMPILE_SECONDS })
      assert_loadable(directory .. "/tree")
      assert_runs(directory .. "/tree")
    end)
  end)
end)
