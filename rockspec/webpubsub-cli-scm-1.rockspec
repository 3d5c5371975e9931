-- Written by `make generate` from spec/generate/rockspecs.lua.
package = "webpubsub-cli"
version = "scm-1"
source = { url = "git+file://." } -- for `luarocks make` in the source tree
description = {
  summary = "The program webpubsub: Azure Web PubSub from the command line, with a prompt",
  detailed = [[
    A sub-command for every operation of the data plane, lists of users, and a prompt. The prompt completes and keeps a
    history where the rocks luv and readline are installed, and reads plain lines where they are not.]],
  license = "MIT",
}
supported_platforms = { "unix" }
-- Debian's packages of these are no rocks, so LuaRocks would fetch the rocks. LUAROCKS_CONFIG=rockspec/debian.lua tells
-- it that the packages are there.
dependencies = {
  "lua >= 5.1, < 5.6",
  "webpubsub == scm-1",
  "argparse >= 0.7",
  "lua-cjson >= 2.1",
}
build = {
  type = "make",
  build_pass = false,
  install_target = "install-cli",
  install_variables = { SHARE = "$(LUADIR)", LIB = "$(LIBDIR)", BIN = "$(BINDIR)", BUILD = "build/rock" },
}
