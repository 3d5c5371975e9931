-- Written by `make generate` from spec/generate/rockspecs.lua.
package = "webpubsub"
version = "scm-1"
source = { url = "git+file://." } -- for `luarocks make` in the source tree
description = {
  summary = "Azure Web PubSub for Lua: the server side of the data plane",
  detailed = [[
    Signs, sends and decodes the requests with which an application closes, groups, permits and messages the WebSocket
    connections that Azure Web PubSub holds for it. A C core over OpenSSL and libcurl; no other rock is needed. The
    program and the emulator are rocks of their own: webpubsub-cli and webpubsub-emulator.]],
  license = "MIT",
}
supported_platforms = { "unix" }
dependencies = {
  "lua >= 5.1, < 5.6",
}
external_dependencies = {
  CRYPTO = { library = "crypto" },
  CURL = { library = "curl" },
  SSL = { library = "ssl" },
}
build = {
  type = "make",
  build_target = "build-rock",
  build_variables = {
    CFLAGS = "$(CFLAGS)",
    LIBFLAG = "$(LIBFLAG)",
    LUA_CFLAGS = "-I$(LUA_INCDIR)",
    CPPFLAGS = "-I$(CRYPTO_INCDIR) -I$(CURL_INCDIR)",
    LDFLAGS = "-L$(CRYPTO_LIBDIR) -L$(CURL_LIBDIR) -L$(SSL_LIBDIR)",
    BUILD = "build/rock",
  },
  install_target = "install-library",
  install_variables = { SHARE = "$(LUADIR)", LIB = "$(LIBDIR)", BIN = "$(BINDIR)", BUILD = "build/rock" },
}
