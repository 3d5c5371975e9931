package = "webpubsub"
version = "scm-1"
source = { url = "git+file://." }
description = {
  summary = "Azure Web PubSub for Lua: the server side of the data plane",
  detailed = [[
    Signs, sends and decodes the requests with which an application closes, groups, permits and messages the WebSocket
    connections that Azure Web PubSub holds for it. A C core over OpenSSL and libcurl.]],
  license = "MIT",
}
supported_platforms = { "linux" }
-- lua-cjson is needed as well, and not named here: Debian's package is no rock, and LuaRocks would fetch another one.
dependencies = { "lua >= 5.1, < 5.5" }
external_dependencies = {
  CRYPTO = { library = "crypto" },
  CURL = { library = "curl" },
}
build = {
  type = "builtin",
  modules = {
    ["webpubsub.core"] = {
      sources = {
        "csrc/buffer.c", "csrc/call.c", "csrc/endpoint.c", "csrc/headers.c", "csrc/http1.c", "csrc/jwt.c",
        "csrc/lua_access.c", "csrc/lua_args.c", "csrc/lua_call.c", "csrc/lua_client.c", "csrc/lua_core.c",
        "csrc/lua_http1.c", "csrc/lua_json.c", "csrc/lua_random.c", "csrc/lua_result.c", "csrc/operations.c",
        "csrc/request.c", "csrc/response.c",
      },
      defines = { "_POSIX_C_SOURCE=200809L" },
      libraries = { "crypto" },
      libdirs = { "$(CRYPTO_LIBDIR)" },
    },
    ["webpubsub.curl"] = {
      sources = {
        "csrc/buffer.c", "csrc/curl_background.c", "csrc/curl_engine.c", "csrc/curl_exchange.c",
        "csrc/curl_failure.c", "csrc/curl_handover.c", "csrc/curl_process.c", "csrc/curl_profile.c",
        "csrc/curl_request.c", "csrc/curl_thread.c", "csrc/lua_curl.c", "csrc/lua_curl_thread.c",
      },
      defines = { "_POSIX_C_SOURCE=200809L" },
      libraries = { "curl", "pthread" },
      libdirs = { "$(CURL_LIBDIR)" },
    },
    webpubsub = "lua/webpubsub/init.lua",
    ["webpubsub.access"] = "lua/webpubsub/access.lua",
    ["webpubsub.annotations"] = "lua/webpubsub/annotations.lua",
    ["webpubsub.cli"] = "lua/webpubsub/cli/init.lua",
    ["webpubsub.cli.arguments"] = "lua/webpubsub/cli/arguments.lua",
    ["webpubsub.cli.bulk"] = "lua/webpubsub/cli/bulk.lua",
    ["webpubsub.cli.emulator"] = "lua/webpubsub/cli/emulator.lua",
    ["webpubsub.cli.progress"] = "lua/webpubsub/cli/progress.lua",
    ["webpubsub.cli.repl"] = "lua/webpubsub/cli/repl/init.lua",
    ["webpubsub.cli.repl.completion"] = "lua/webpubsub/cli/repl/completion.lua",
    ["webpubsub.cli.repl.editor"] = "lua/webpubsub/cli/repl/editor.lua",
    ["webpubsub.cli.repl.evaluate"] = "lua/webpubsub/cli/repl/evaluate.lua",
    ["webpubsub.cli.repl.history"] = "lua/webpubsub/cli/repl/history.lua",
    ["webpubsub.cli.repl.interrupt"] = "lua/webpubsub/cli/repl/interrupt.lua",
    ["webpubsub.cli.repl.pretty"] = "lua/webpubsub/cli/repl/pretty.lua",
    ["webpubsub.cli.report"] = "lua/webpubsub/cli/report.lua",
    ["webpubsub.cli.settings"] = "lua/webpubsub/cli/settings.lua",
    ["webpubsub.cli.terminal"] = "lua/webpubsub/cli/terminal.lua",
    ["webpubsub.cli.webpubsub"] = "lua/webpubsub/cli/webpubsub.lua",
    ["webpubsub.client"] = "lua/webpubsub/client.lua",
    ["webpubsub.credential"] = "lua/webpubsub/credential.lua",
    ["webpubsub.defer"] = "lua/webpubsub/defer.lua",
    ["webpubsub.driver"] = "lua/webpubsub/driver.lua",
    ["webpubsub.each"] = "lua/webpubsub/each.lua",
    ["webpubsub.emulator"] = "lua/webpubsub/emulator/init.lua",
    ["webpubsub.emulator.auth"] = "lua/webpubsub/emulator/auth.lua",
    ["webpubsub.emulator.base64"] = "lua/webpubsub/emulator/base64.lua",
    ["webpubsub.emulator.connection"] = "lua/webpubsub/emulator/connection.lua",
    ["webpubsub.emulator.demo"] = "lua/webpubsub/emulator/demo.lua",
    ["webpubsub.emulator.filter"] = "lua/webpubsub/emulator/filter.lua",
    ["webpubsub.emulator.filter_functions"] = "lua/webpubsub/emulator/filter_functions.lua",
    ["webpubsub.emulator.gateway"] = "lua/webpubsub/emulator/gateway.lua",
    ["webpubsub.emulator.hub"] = "lua/webpubsub/emulator/hub.lua",
    ["webpubsub.emulator.json"] = "lua/webpubsub/emulator/json.lua",
    ["webpubsub.emulator.json_protocol"] = "lua/webpubsub/emulator/json_protocol.lua",
    ["webpubsub.emulator.launch"] = "lua/webpubsub/emulator/launch.lua",
    ["webpubsub.emulator.main"] = "lua/webpubsub/emulator/main.lua",
    ["webpubsub.emulator.operations"] = "lua/webpubsub/emulator/operations.lua",
    ["webpubsub.emulator.parameters"] = "lua/webpubsub/emulator/parameters.lua",
    ["webpubsub.emulator.path"] = "lua/webpubsub/emulator/path.lua",
    ["webpubsub.emulator.permissions"] = "lua/webpubsub/emulator/permissions.lua",
    ["webpubsub.emulator.request"] = "lua/webpubsub/emulator/request.lua",
    ["webpubsub.emulator.responses"] = "lua/webpubsub/emulator/responses.lua",
    ["webpubsub.emulator.rest"] = "lua/webpubsub/emulator/rest.lua",
    ["webpubsub.emulator.server"] = "lua/webpubsub/emulator/server.lua",
    ["webpubsub.emulator.tls"] = "lua/webpubsub/emulator/tls.lua",
    ["webpubsub.emulator.websocket"] = "lua/webpubsub/emulator/websocket.lua",
    ["webpubsub.events"] = "lua/webpubsub/events.lua",
    ["webpubsub.filter"] = "lua/webpubsub/filter.lua",
    ["webpubsub.help"] = "lua/webpubsub/help.lua",
    ["webpubsub.listing"] = "lua/webpubsub/listing.lua",
    ["webpubsub.loops"] = "lua/webpubsub/loops.lua",
    ["webpubsub.policies"] = "lua/webpubsub/policies.lua",
    ["webpubsub.results"] = "lua/webpubsub/results.lua",
    ["webpubsub.task"] = "lua/webpubsub/task.lua",
    ["webpubsub.transport.curl"] = "lua/webpubsub/transport/curl.lua",
    ["webpubsub.transport.custom"] = "lua/webpubsub/transport/custom.lua",
    ["webpubsub.transport.nginx"] = "lua/webpubsub/transport/nginx.lua",
  },
  install = {
    bin = { webpubsub = "lua/webpubsub/cli/webpubsub.lua" },
  },
}
