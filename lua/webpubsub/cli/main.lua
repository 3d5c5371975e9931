#!/usr/bin/env lua
-- The program `webpubsub`. `make install` puts it into PREFIX/bin and names its Lua in the first line.

-- Modules installed beside bin/ are found wherever PREFIX is, after what the interpreter finds by itself.
local prefix = arg[0]:match "^(.*)/bin/[^/]*$"
if prefix then
  local version = _VERSION:match "%d%.%d$"
  package.path = ("%s;%s/share/lua/%s/?.lua;%s/share/lua/%s/?/init.lua"):format(
    package.path, prefix, version, prefix, version)
  package.cpath = ("%s;%s/lib/lua/%s/?.so"):format(package.cpath, prefix, version)
end

-- An interpreter that ends with an error has exit code 1, which here means "no".
local BROKEN, INTERRUPTED = 70, 130

local ok, code = xpcall(function()
  require("webpubsub.cli.descriptors").occupy() -- before anything is opened
  return require("webpubsub.cli").run(arg)
end, debug.traceback)
if not ok then
  local why = tostring(code)
  code = why:find("interrupted!", 1, true) and INTERRUPTED or BROKEN
  if code == BROKEN then io.stderr:write("webpubsub: ", why, "\n") end
end
os.exit(code, true)
