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

os.exit(require("webpubsub.cli").run(arg), true)
