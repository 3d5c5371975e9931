-- make OPENRESTY=…: for a tree laid out as OpenResty's packages lay it out, with its own LuaJIT and OpenSSL. Here they
-- are Debian's, in that layout; the worker is Debian's NGINX.

if _VERSION ~= "Lua 5.1" then return end -- NGINX loads the build for Lua 5.1

local installed = require("spec.support.installed")
local nginx = require("spec.support.nginx")
local process = require("spec.support.process")
local project = require("spec.support.project")
local scripted_server = require("spec.support.scripted_server")
local steps = require("spec.support.steps")

local COMPILE_SECONDS = 120

local LAYOUT = [[
  set -e
  mkdir -p "$0/luajit/include" "$0/luajit/lib" "$0/openssl3/include" "$0/openssl3/lib"
  cp -r "$(pkg-config --variable=includedir luajit)" "$0/luajit/include/luajit-2.1"
  cp -rL /usr/include/openssl "$0/openssl3/include"
  cp -rL "/usr/include/$(cc -print-multiarch)/openssl" "$0/openssl3/include"
  ln -s "$(cc -print-file-name=libcrypto.so)" "$0/openssl3/lib/libcrypto.so"
]]

describe("make OPENRESTY", function()
  local root, without

  setup(function()
    root, without = installed.directory(), installed.directory()
    installed.run({ "sh", "-c", LAYOUT, root })
    installed.run({ "sh", "-c", 'printf "#!/bin/sh\nexit 1\n" >"$0/pkg-config" && chmod 755 "$0/pkg-config"', without })
  end)
  teardown(function() installed.run({ "rm", "-rf", root, without }) end)

  -- With a pkg-config that finds nothing.
  local function make(...)
    return process.run({ "make", "-C", project.root, "CFLAGS=-O0", "BUILD=" .. without .. "/build", ... }, {
      env = { PATH = without .. ":" .. os.getenv("PATH"), MAKEFLAGS = false, MAKELEVEL = false },
      timeout = COMPILE_SECONDS,
    })
  end

  local function assert_made(...)
    local result = make("OPENRESTY=" .. root, ...)
    assert.are.equal(0, result.code, result.stdout .. result.stderr)
    return result.stdout
  end

  it("takes its LuaJIT and its OpenSSL, and nothing of libcurl", function()
    local said = assert_made()
    nginx.contains(said, ("Next: make install LUA=jit OPENRESTY=%s\n"):format(root),
      root .. "/luajit/include/luajit-2.1", root .. "/openssl3/include")
    assert.are.same({ "./webpubsub/core.so" }, installed.files(without .. "/build", "-name", "*.so"))
    local dynamic = installed.run({ "readelf", "-d", without .. "/build/webpubsub/core.so" })
    nginx.contains(dynamic, "libcrypto.so", root .. "/openssl3/lib")
    assert.is_nil(dynamic:find("curl", 1, true))
  end)

  it("installs the library into its site/lualib, and runs in a worker from there", function()
    assert_made("install")
    local library = root .. "/site/lualib"
    local expected = { "./core.so" }
    for _, path in ipairs(installed.files(project.root .. "lua/webpubsub", "-name", "*.lua", "!", "-path", "./cli/*",
      "!", "-path", "./emulator/*")) do expected[#expected + 1] = path end
    table.sort(expected)
    assert.are.same(expected, installed.files(library .. "/webpubsub"))

    local server = scripted_server.start()
    server:script({ default = steps.reply({ status = 204 }) })
    local path, cpath = package.path, package.cpath
    package.path = ("%s/?.lua;%s/?/init.lua;%s?.lua;;"):format(library, library, project.root)
    package.cpath = library .. "/?.so;;"
    local started, web = pcall(nginx.start, {})
    package.path, package.cpath = path, cpath
    assert(started, web)
    local text = web:run(nginx.with_client(server.origin, "openresty", "", [[
      assert(close(client) == 204)
      local maps = io.open("/proc/self/maps"):read("*a")
      local found = package.searchpath("webpubsub", package.path)
      return found, maps:match("%S+webpubsub/core.so"), maps:find("curl") ~= nil]]))
    web:stop()
    server:stop()
    assert.are.equal(("%s/webpubsub/init.lua %s/webpubsub/core.so false"):format(library, library), text)
  end)

  it("uninstalls it", function()
    assert_made("install")
    assert_made("uninstall")
    assert.are.same({}, installed.files(root .. "/site"))
  end)

  it("says what is missing where no OpenResty is", function()
    local result = make("OPENRESTY=" .. without)
    assert.are_not.equal(0, result.code)
    nginx.contains(result.stderr, "missing: the headers of Lua jit\n", "missing: the headers of openssl\n")
  end)
end)
