--- Makes Debian's lua-http loadable from Lua 5.4.
--
-- Debian 12 ships lua-http and its pure-Lua dependencies for 5.1 to 5.3 only. They run on 5.4 unchanged, so their
-- share folders are appended to package.path, where a 5.4 version of any module still comes first.
-- Requiring this module is enough; it does nothing where lua-http is found anyway, and loads nothing.

local FALLBACK_FOLDERS = { "/usr/share/lua/5.3", "/usr/share/lua/5.2" }

-- A module of each Debian package the emulator uses.
local PACKAGES = {
  { module = "_cqueues", path = "cpath", package = "lua-cqueues" },
  { module = "_openssl", path = "cpath", package = "lua-luaossl" },
  { module = "cjson", path = "cpath", package = "lua-cjson" },
  { module = "lpeg", path = "cpath", package = "lua-lpeg" },
  { module = "http.server", path = "path", package = "lua-http" },
}

if _VERSION ~= "Lua 5.4" then
  error("the emulator needs Lua 5.4, this is " .. _VERSION .. ": run it with lua5.4", 0)
end

if not package.searchpath("http.server", package.path) then
  for _, folder in ipairs(FALLBACK_FOLDERS) do
    package.path = ("%s;%s/?.lua;%s/?/init.lua"):format(package.path, folder, folder)
  end
end

for _, entry in ipairs(PACKAGES) do
  if not package.searchpath(entry.module, package[entry.path]) then
    error(("the emulator needs the module %s of the Debian package %s: apt-get install %s"):format(
      entry.module, entry.package, entry.package), 0)
  end
end

return true
