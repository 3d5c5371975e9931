-- What make installs: every file, in its place, and it works from there.

local installed = require("spec.support.installed")
local project = require("spec.support.project")

local VERSION = installed.version
local COMPILE_SECONDS = 120

local function make(target, ...)
  local build = os.getenv("WEBPUBSUB_BUILD") or ""
  local flavour = build:match("/[%d.]+%-(%w+)$") or ""
  return installed.run({ "make", "-C", project.root, target, "LUA=" .. installed.lua, "FLAVOUR=" .. flavour, ... },
    { env = { MAKEFLAGS = false, MAKELEVEL = false }, timeout = COMPILE_SECONDS })
end

describe("packaging", function()
  local directory

  before_each(function() directory = installed.directory() end)
  after_each(function() installed.run({ "rm", "-rf", directory }) end)

  it("make install puts every file where Lua looks for it", function()
    make("install", "DESTDIR=" .. directory, "PREFIX=/usr")

    local expected = {
      "./usr/bin/webpubsub 755",
      "./usr/share/man/man1/webpubsub.1 644",
      "./usr/share/bash-completion/completions/webpubsub 644",
      "./usr/share/zsh/site-functions/_webpubsub 644",
      "./usr/share/fish/vendor_completions.d/webpubsub.fish 644",
      ("./usr/lib/lua/%s/webpubsub/core.so 755"):format(VERSION),
      ("./usr/lib/lua/%s/webpubsub/curl.so 755"):format(VERSION),
    }
    for _, path in ipairs(installed.files(project.root .. "lua", "-name", "*.lua", "!", "-name", "demo.lua")) do
      expected[#expected + 1] = ("./usr/share/lua/%s/%s 644"):format(VERSION, path:match("^%./(.*)$"))
    end
    table.sort(expected)
    assert.are.same(expected, installed.files(directory, "-printf", "%p %m\n"))
    installed.assert_loadable(directory .. "/usr")
    installed.assert_helps(directory .. "/usr/bin/webpubsub", "close-user-connections")
  end)

  it("make uninstall removes all that make install put there, and nothing else", function()
    local neighbour = ("%s/usr/share/lua/%s/webpubsubs.lua"):format(directory, VERSION)
    make("install", "DESTDIR=" .. directory, "PREFIX=/usr")
    installed.run({ "touch", neighbour })
    make("uninstall", "DESTDIR=" .. directory, "PREFIX=/usr")
    assert.are.same({ neighbour:gsub("^" .. directory, ".") .. "" }, installed.files(directory))
  end)

  it("a PREFIX that Lua does not search is said, with the two variables to set", function()
    local said = make("install", "PREFIX=" .. directory)
    local paths = {}
    for name, value in said:gmatch("export ([%u_]+)='([^']*)'") do paths[name] = value end
    installed.assert_loadable(directory, paths)
  end)
end)
