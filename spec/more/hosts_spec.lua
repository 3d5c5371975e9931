-- The examples of lua/webpubsub/host/README.md in the programs they are for, against the emulator: each closes the
-- connections of a user of its own.

local installed = require("spec.support.installed")
local launch = require("webpubsub.emulator.launch")
local nginx = require("spec.support.nginx")
local process = require("spec.support.process")
local project = require("spec.support.project")
local shell = require("spec.support.shell")
local socket = require("socket")
local wait = require("spec.support.wait")

local START_SECONDS, END_SECONDS = 15, 10
local COMPILE_SECONDS = 120
local CLOSED = "204 No Content (close_user_connections, 1 attempt"

local GUIDE = project.read("lua/webpubsub/host/README.md")

-- The example of a host.
local function example(host)
  return assert(GUIDE:match("## " .. host .. "\n.-```lua\n(.-)```"), "the guide has no example for " .. host)
end

describe("the guide's example for", function()
  local emulator, directory, child

  setup(function()
    emulator = launch()
    for _, lua in ipairs { "jit", "5.3" } do
      installed.run({ "make", "-C", project.root, "-s", "build", "LUA=" .. lua },
        { env = { MAKEFLAGS = false, MAKELEVEL = false }, timeout = COMPILE_SECONDS })
    end
  end)
  teardown(function() emulator.stop() end)
  before_each(function() directory = installed.directory() end)
  after_each(function()
    if child then os.execute("kill " .. child .. " 2>/dev/null") end
    child = nil
    installed.run({ "rm", "-rf", directory })
  end)

  -- Writes a file of the host's.
  local function write(name, text)
    local file = assert(io.open(directory .. "/" .. name, "wb"))
    assert(file:write((text:gsub("%$directory", directory))))
    file:close()
  end

  local function output()
    local file = io.open(directory .. "/output")
    local text = file and file:read("*a") or ""
    if file then file:close() end
    return text
  end

  -- Starts a program with the library as it is built for a Lua.
  local function start(lua, argv)
    local words = {
      "env", ("LUA_PATH=%slua/?.lua;%slua/?/init.lua;%s/?.lua;;"):format(project.root, project.root, directory),
      ("LUA_CPATH=%sbuild/%s/?.so;;"):format(project.root, lua),
      "WebPubSubConnectionString=" .. emulator.connection_string, "XDG_RUNTIME_DIR=" .. directory, "HOME=" .. directory,
    }
    for _, word in ipairs(argv) do words[#words + 1] = word end
    local pipe = io.popen(("cd %s && { PATH=$PATH:/usr/sbin %s </dev/null >output 2>&1 & echo $!; }"):format(
      shell.quote(directory), shell.join(words)))
    child = assert(tonumber(pipe:read("*l")))
    pipe:close()
  end

  local function is_running()
    return process.run({ "kill", "-0", tostring(child) }).code == 0
  end

  local function assert_closed(user, text)
    nginx.contains(text, CLOSED)
    local file = assert(io.open(emulator.log_path))
    local log = file:read("*a")
    file:close()
    nginx.contains(log, "close user " .. user .. ":")
  end

  -- Waits until the program prints the response and ends by itself.
  local function assert_closes(user)
    wait.until_true(function() return not is_running() end, START_SECONDS, "it to end; its output: " .. output())
    assert_closed(user, output())
  end

  -- Asks a server for the example's page, then ends it with the signal that ends it in good order.
  local function assert_serves(user, port)
    local answer = wait.until_true(function()
      if not is_running() then error("it ended: " .. output()) end
      local client = socket.connect("127.0.0.1", port)
      if not client then return nil end
      client:settimeout(START_SECONDS)
      client:send(("GET /logout?%s HTTP/1.0\r\nHost: localhost\r\n\r\n"):format(user))
      local text = client:receive("*a")
      client:close()
      return text
    end, START_SECONDS, "it to answer; its output: " .. output())
    assert.is_truthy(answer:find("^HTTP/1.%d 200"), answer .. output())
    assert_closed(user, answer)
    os.execute("kill -TERM " .. child)
    wait.until_true(function() return not is_running() end, END_SECONDS, "it to end; its output: " .. output())
  end

  it("Neovim", function()
    write("init.lua", example("Neovim"))
    start("5.1", { "nvim", "--headless", "-u", "NONE", "-c", "luafile init.lua", "-c", "Logout neovim", "-c",
      "lua vim.wait(9000, function() return vim.fn.execute('messages'):find('204') ~= nil end, 20)", "-c", "qa" })
    assert_closes("neovim")
  end)

  it("Prosody", function()
    write("mod_example.lua", example("Prosody") .. [[
      module:hook_global("server-started", function() module:fire_event("user-deleted", { username = "prosody" }) end)
      local log = module.log
      function module:log(level, ...)
        log(self, level, ...)
        prosody.shutdown("done")
      end]])
    write("prosody.cfg.lua", [[
      run_as_root = true
      pidfile, data_path, certificates = "$directory/pid", "$directory", "$directory"
      plugin_paths = { "$directory" }
      modules_enabled = { "example" }
      modules_disabled = { "s2s", "c2s", "http", "offline", "posix" }
      log = { info = "*console" }
      VirtualHost "localhost"]])
    start("5.4", { "prosody", "-F", "--config", directory .. "/prosody.cfg.lua" })
    assert_closes("prosody")
  end)

  it("Tarantool", function()
    write("example.lua", example("Tarantool") .. [[
      fiber.create(function()
        print(logout("tarantool"))
        os.exit(0)
      end)]])
    start("5.1", { "tarantool", "example.lua" })
    assert_closes("tarantool")
  end)

  it("HAProxy", function()
    local port = nginx.free_port()
    write("example.lua", example("HAProxy"))
    write("haproxy.cfg", ([[
global
  lua-load $directory/example.lua
defaults
  mode http
  timeout connect 5s
  timeout client 5s
  timeout server 5s
frontend web
  bind 127.0.0.1:%d
  http-request use-service lua.logout
]]):format(port))
    start("5.3", { "haproxy", "-f", "haproxy.cfg" })
    assert_serves("haproxy", port)
  end)

  it("LÖVE", function()
    write("conf.lua", [[
      function love.conf(t)
        t.modules.window, t.modules.graphics, t.modules.audio, t.modules.joystick = false, false, false, false
      end]])
    write("main.lua", (example("LÖVE"):gsub('"alice"', '"love"')) .. [[
      local print_it = print
      function print(text)
        print_it(text)
        love.event.quit()
      end
      love.keypressed()]])
    start("5.1", { "love", "." })
    assert_closes("love")
  end)

  it("Knot Resolver", function()
    write("kresd.conf", ("net.listen('127.0.0.1', %d, { kind = 'dns' })\n"):format(nginx.free_port())
      .. "cache.open(10 * MB, 'lmdb://$directory/cache')\n" .. example("Knot Resolver") .. [[
      function print(text)
        io.stderr:write(text, "\n")
        quit()
      end
      logout("knot")]])
    start("5.1", { "kresd", "-n", "-c", "kresd.conf", "." })
    assert_closes("knot")
  end)

  it("Apache mod_lua", function()
    local port = nginx.free_port()
    write("example.lua", example("Apache mod_lua"))
    write("apache.conf", ([[
ServerRoot $directory
ServerName localhost
PidFile $directory/pid
Listen 127.0.0.1:%d
LoadModule mpm_event_module /usr/lib/apache2/modules/mod_mpm_event.so
LoadModule authz_core_module /usr/lib/apache2/modules/mod_authz_core.so
LoadModule lua_module /usr/lib/apache2/modules/mod_lua.so
ErrorLog $directory/error.log
Mutex pthread
LuaScope server
LuaMapHandler /logout $directory/example.lua
]]):format(port))
    start("5.3", { "apache2", "-d", directory, "-f", directory .. "/apache.conf", "-DFOREGROUND" })
    assert_serves("apache", port)
  end)

  it("lighttpd mod_magnet", function()
    local port = nginx.free_port()
    write("example.lua", example("lighttpd mod_magnet"))
    write("webpubsub_client.lua", [[
      return require("webpubsub").new {
        connection_string = os.getenv "WebPubSubConnectionString", hub = "chat", errors = "return",
      }]])
    write("lighttpd.conf", ([[
server.port = %d
server.bind = "127.0.0.1"
server.document-root = "$directory"
server.modules = ( "mod_magnet" )
server.errorlog = "$directory/error.log"
magnet.attract-raw-url-to = ( "$directory/example.lua" )
]]):format(port))
    start("5.4", { "lighttpd", "-D", "-f", "lighttpd.conf" })
    assert_serves("lighttpd", port)
  end)
end)
