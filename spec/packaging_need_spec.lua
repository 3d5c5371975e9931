-- A machine without apt: make builds with what it has, or names what is missing in the words of the machine's own
-- package manager. Such a machine is a PATH of links to the programs of this one, less those that it lacks.

if _VERSION ~= "Lua 5.4" then
  return -- what a machine lacks does not depend on the Lua
end

local installed = require("spec.support.installed")
local process = require("spec.support.process")
local project = require("spec.support.project")

local LUA = installed.lua
local COMPILE_SECONDS = 120
local DEBIAN = { "apt", "apt-get", "apt-cache", "apt-config", "apt-mark", "dpkg", "dpkg-query", "dpkg-deb" }

local directory

-- A PATH with all programs of this machine but those of Debian's packages and those named; `added` are scripts by name.
local function path_without(lacking, added)
  local bin = directory .. "/bin"
  local script = [[
    mkdir "$0" && IFS=: && for folder in $PATH; do
      find "$folder/" -maxdepth 1 -exec ln -st "$0" {} + 2>/dev/null
    done
    cd "$0" && rm -f "$@"
  ]]
  local words = { "sh", "-c", script, bin }
  for _, list in ipairs { DEBIAN, lacking } do
    for _, name in ipairs(list) do words[#words + 1] = name end
  end
  installed.run(words)
  for name, text in pairs(added or {}) do
    installed.run({ "rm", "-f", bin .. "/" .. name })
    installed.run({ "sh", "-c", 'cat >"$0" && chmod 755 "$0"', bin .. "/" .. name }, { stdin = "#!/bin/sh\n" .. text })
  end
  return bin
end

local function make(path, ...)
  return process.run({ "make", "-C", project.root, "LUA=" .. LUA, "BUILD=" .. directory .. "/build", ... },
    { env = { PATH = path, MAKEFLAGS = false, MAKELEVEL = false }, timeout = COMPILE_SECONDS })
end

local function has(text, part)
  assert.is_truthy(text:find(part, 1, true), ("%q is not in:\n%s"):format(part, text))
end

local REAL_PKG_CONFIG = installed.run({ "sh", "-c", "command -v pkg-config" }):gsub("\n$", "")
-- One that knows only what Lua is called.
local BARE_PKG_CONFIG = 'case $* in *lua*) exec ' .. REAL_PKG_CONFIG .. ' "$@" ;; esac\nexit 1\n'
local LUALESS_PKG_CONFIG = 'case $* in *lua*) exit 1 ;; esac\nexec ' .. REAL_PKG_CONFIG .. ' "$@"\n'
-- LUA_VERSION_NUM as lua.h of 5.5 has it.
local LUA_H = [[
#define LUA_VERSION_MAJOR_N 5
#define LUA_VERSION_MINOR_N 5
#define LUA_VERSION_NUM (LUA_VERSION_MAJOR_N * 100 + LUA_VERSION_MINOR_N)
]]

describe("make without apt", function()
  before_each(function() directory = installed.directory() end)
  after_each(function() installed.run({ "rm", "-rf", directory }) end)

  it("builds", function()
    local result = make(path_without {}, "CFLAGS=-O0")
    assert.are.equal(0, result.code, result.stderr)
    has(result.stdout, ("Built for Lua %s in %s/build. Next: make install"):format(LUA, directory))
    assert.are.same({ "./build/webpubsub/core.so", "./build/webpubsub/curl.so" },
      installed.files(directory, "-name", "*.so"))
  end)

  it("names what is missing, for every package manager that it knows", function()
    local result = make(path_without { "pkg-config", "pkgconf" })
    assert.are_not.equal(0, result.code)
    has(result.stderr, "missing: pkg-config\n")
    for _, line in ipairs { "apt-get install pkg-config ", "apk add pkgconf ", "dnf install pkgconf-pkg-config ",
      "pacman -S pkgconf ", "brew install pkgconf " } do
      has(result.stderr, "  " .. line .. "\n")
    end
  end)

  for _, case in ipairs {
    { manager = "apk", says = "apk add curl-dev openssl-dev" },
    { manager = "dnf", says = "dnf install libcurl-devel openssl-devel" },
    { manager = "pacman", says = "pacman -S curl openssl" },
    { manager = "brew", says = "brew install curl openssl@3" },
  } do
    it(("speaks of %s where that is"):format(case.manager), function()
      local result = make(path_without({}, { ["pkg-config"] = BARE_PKG_CONFIG, [case.manager] = "" }))
      assert.are_not.equal(0, result.code)
      has(result.stderr, "missing: the headers of libcurl\nmissing: the headers of openssl\n")
      has(result.stderr, "They come with:\n  " .. case.says .. " \nmake")
    end)
  end

  it("names the Lua whose headers are missing", function()
    local result = make(path_without({ "lua", "lua5.3" }, { ["pkg-config"] = LUALESS_PKG_CONFIG, apk = "" }), "LUA=5.3")
    assert.are_not.equal(0, result.code)
    has(result.stderr, "missing: the headers of Lua 5.3\nThey come with:\n  apk add lua5.3-dev \n")
  end)

  it("names the compiler", function()
    local result = make(path_without { "cc" }, "CC=cc")
    assert.are_not.equal(0, result.code)
    has(result.stderr, "missing: a C compiler (cc)\n")
  end)

  it("does not install for the tests, and says what they need", function()
    local result = make(path_without {}, "test")
    assert.are_not.equal(0, result.code)
    has(result.stderr, "This installs packages on Debian only, and this machine has no dpkg.")
    has(result.stderr, "lua-busted")
  end)

  it("takes a Lua that was built from source, with its headers beside it", function()
    local root = directory .. "/opt"
    installed.run({ "mkdir", "-p", root .. "/bin", root .. "/include" })
    installed.run({ "cp", "/bin/true", root .. "/bin/lua5.5" })
    installed.run({ "sh", "-c", 'cat >"$0"', root .. "/include/lua.h" }, { stdin = LUA_H })
    local found = installed.run({ "sh", ".ci/find-lua", "5.5" }, { directory = project.root,
      env = { PATH = root .. "/bin:" .. os.getenv "PATH" } })
    assert.are.equal("5.5 lua5.5 " .. root .. "/include\n", found)
  end)
end)
