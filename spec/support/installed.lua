--- What is installed somewhere: its files, and whether it works from there.

local assert = require("luassert")
local process = require("spec.support.process")
local shell = require("spec.support.shell")

local installed = {}

installed.version = _VERSION:match("%d+%.%d+")
--- LUA of the Makefile.
installed.lua = rawget(_G, "jit") and "jit" or installed.version

--- Runs a command that must succeed; returns what it printed.
---@param argv string[]
---@param options? process.Options
---@return string stdout
function installed.run(argv, options)
  local result = process.run(argv, options)
  if result.code ~= 0 then
    error(("%s\n%s%s"):format(shell.join(argv), result.stdout, result.stderr), 2)
  end
  return result.stdout
end

--- The files below a folder, sorted; further words are find's.
---@param directory string
---@return string[]
function installed.files(directory, ...)
  local list = {}
  for line in installed.run({ "find", ".", "-type", "f", ... }, { directory = directory }):gmatch("[^\n]+") do
    list[#list + 1] = line
  end
  table.sort(list)
  return list
end

--- A new folder.
---@return string
function installed.directory()
  return (installed.run({ "mktemp", "-d" }):gsub("\n$", ""))
end

--- Makes a client in a new process that finds the library below `root` only, or through the paths that are given.
---@param root string
---@param paths? { LUA_PATH: string, LUA_CPATH: string }
function installed.assert_loadable(root, paths)
  local share = ("%s/share/lua/%s"):format(root, installed.version)
  local lib = ("%s/lib/lua/%s"):format(root, installed.version)
  local source = [[
    local lib = ...
    local webpubsub = require("webpubsub")
    print(webpubsub.new({ endpoint = "https://contoso.webpubsub.azure.com", key = "k", hub = "chat" }))
    for line in io.lines("/proc/self/maps") do
      local object = line:match("%S+/webpubsub/%w+%.so$")
      assert(not object or object:find(lib, 1, true) == 1, object) -- for LUA_CPATH leads to others, too
    end
  ]]
  local result = process.run_lua(source, { directory = root, arguments = { lib }, env = paths or
    { LUA_PATH = share .. "/?.lua;" .. share .. "/?/init.lua", LUA_CPATH = lib .. "/?.so;" .. package.cpath } })
  assert.are.same({ "webpubsub client of hub chat at https://contoso.webpubsub.azure.com\n", "" },
    { result.stdout, result.stderr })
end

--- Runs a program that finds the library by itself, for its help.
---@param path string
---@param expected string  what stands in it
function installed.assert_helps(path, expected)
  local help = installed.run({ path, "--help" }, { directory = "/", env = { LUA_PATH = false, LUA_CPATH = false } })
  assert.is_truthy(help:find(expected, 1, true), help)
end

return installed
