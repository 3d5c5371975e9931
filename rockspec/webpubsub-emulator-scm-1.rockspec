-- Written by `make generate` from spec/generate/rockspecs.lua.
package = "webpubsub-emulator"
version = "scm-1"
source = { url = "git+file://." } -- for `luarocks make` in the source tree
description = {
  summary = "A local emulator of the Azure Web PubSub data plane",
  detailed = [[
    Serves the REST API and the WebSockets of Azure Web PubSub on this machine, for development and tests. Clients may
    run on any Lua; the emulator itself runs on Lua 5.4.]],
  license = "MIT",
}
supported_platforms = { "unix" }
-- Debian's packages of these are no rocks, so LuaRocks would fetch the rocks. LUAROCKS_CONFIG=rockspec/debian.lua tells
-- it that the packages are there.
dependencies = {
  "lua >= 5.4, < 5.5",
  "argparse >= 0.7",
  "cqueues >= 20200726",
  "http >= 0.4",
  "lua-cjson >= 2.1",
  "luaossl >= 20200709",
}
build = {
  type = "make",
  build_pass = false,
  install_target = "install-emulator",
  install_variables = { SHARE = "$(LUADIR)", LIB = "$(LIBDIR)", BIN = "$(BINDIR)", BUILD = "build/rock" },
  install = { bin = { ["webpubsub-emulator"] = "lua/webpubsub/emulator/main.lua" } },
}
