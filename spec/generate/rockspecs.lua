-- Makes the rockspecs: three rocks, each for the release and for the source tree. None of them lists files: what a rock
-- builds and installs is what the Makefile does.

local core = require("webpubsub.core")
local project = require("spec.support.project")

local rockspecs = {}

local REVISION = 1

-- A dependency on another of them.
local function same_version(name, version) return ("%s == %s"):format(name, version) end

local rocks = {
  {
    name = "webpubsub",
    summary = "Azure Web PubSub for Lua: the server side of the data plane",
    detailed = [[
    Signs, sends and decodes the requests with which an application closes, groups, permits and messages the WebSocket
    connections that Azure Web PubSub holds for it. A C core over OpenSSL and libcurl; no other rock is needed. The
    program and the emulator are rocks of their own: webpubsub-cli and webpubsub-emulator.]],
    dependencies = function() return { "lua >= 5.1, < 5.6" } end,
    part = "library",
    native = true,
  },
  {
    name = "webpubsub-cli",
    summary = "The program webpubsub: Azure Web PubSub from the command line, with a prompt",
    detailed = [[
    A sub-command for every operation of the data plane, lists of users, and a prompt. The prompt completes and keeps a
    history where the rocks luv and readline are installed, and reads plain lines where they are not.]],
    dependencies = function(version)
      return { "lua >= 5.1, < 5.6", same_version("webpubsub", version), "argparse >= 0.7", "lua-cjson >= 2.1" }
    end,
    part = "cli",
  },
  {
    name = "webpubsub-emulator",
    summary = "A local emulator of the Azure Web PubSub data plane",
    detailed = [[
    Serves the REST API and the WebSockets of Azure Web PubSub on this machine, for development and tests. Clients may
    run on any Lua; the emulator itself runs on Lua 5.4.]],
    dependencies = function()
      return { "lua >= 5.4, < 5.5", "argparse >= 0.7", "cqueues >= 20200726", "http >= 0.4", "lua-cjson >= 2.1",
        "luaossl >= 20200709" }
    end,
    part = "emulator",
    program = '  install = { bin = { ["webpubsub-emulator"] = "lua/webpubsub/emulator/main.lua" } },\n',
  },
}

-- The archive is looked for in the folder where LuaRocks runs; in a source rock it stands beside the rockspec. Whoever
-- publishes it elsewhere writes its address here.
local function source(version)
  if version == "scm-1" then
    return '{ url = "git+file://." } -- for `luarocks make` in the source tree'
  end
  local release = "webpubsub-" .. core.version
  return ("{ url = %q, dir = %q } -- as `make release` makes it"):format(release .. ".tar.gz", release)
end

local OFFLINE = [[
-- Debian's packages of these are no rocks, so LuaRocks would fetch the rocks. LUAROCKS_CONFIG=rockspec/debian.lua tells
-- it that the packages are there.
]]

local function dependencies(list)
  local lines = {}
  for _, dependency in ipairs(list) do lines[#lines + 1] = ("  %q,\n"):format(dependency) end
  return (#list > 1 and OFFLINE or "") .. "dependencies = {\n" .. table.concat(lines) .. "}\n"
end

-- Libraries, for headers are below a folder of the architecture in Debian, where LuaRocks does not look.
local EXTERNAL = [[
external_dependencies = {
  CRYPTO = { library = "crypto" },
  CURL = { library = "curl" },
  SSL = { library = "ssl" },
}
]]

local BUILDING = [[
  build_target = "build-rock",
  build_variables = {
    CFLAGS = "$(CFLAGS)",
    LIBFLAG = "$(LIBFLAG)",
    LUA_CFLAGS = "-I$(LUA_INCDIR)",
    CPPFLAGS = "-I$(CRYPTO_INCDIR) -I$(CURL_INCDIR)",
    LDFLAGS = "-L$(CRYPTO_LIBDIR) -L$(CURL_LIBDIR) -L$(SSL_LIBDIR)",
    BUILD = "build/rock",
  },
]]

local INSTALLING = [[
  install_target = "install-%s",
  install_variables = { SHARE = "$(LUADIR)", LIB = "$(LIBDIR)", BIN = "$(BINDIR)", BUILD = "build/rock" },
]]

local function text_of(rock, version)
  return table.concat {
    "-- Written by `make generate` from spec/generate/rockspecs.lua.\n",
    ("package = %q\nversion = %q\n"):format(rock.name, version),
    ("source = %s\n"):format(source(version)),
    ("description = {\n  summary = %q,\n  detailed = [[\n%s]],\n  license = \"MIT\",\n}\n"):format(rock.summary,
      rock.detailed),
    'supported_platforms = { "unix" }\n',
    dependencies(rock.dependencies(version)),
    rock.native and EXTERNAL or "",
    'build = {\n  type = "make",\n',
    rock.native and BUILDING or "  build_pass = false,\n",
    INSTALLING:format(rock.part),
    rock.program or "",
    "}\n",
  }
end

--- All rockspecs as they should be.
---@return { path: string, text: string }[]
function rockspecs.files()
  local files = {}
  for _, rock in ipairs(rocks) do
    for _, version in ipairs { ("%s-%d"):format(core.version, REVISION), "scm-1" } do
      files[#files + 1] = { path = ("rockspec/%s-%s.rockspec"):format(rock.name, version),
        text = text_of(rock, version) }
    end
  end
  return files
end

--- Those that are in their folder.
---@return string[] paths
function rockspecs.present()
  local pipe = assert(io.popen(("cd '%s' && ls rockspec/*.rockspec"):format(project.root)))
  local paths = {}
  for path in pipe:lines() do paths[#paths + 1] = path end
  pipe:close()
  return paths
end

return rockspecs
