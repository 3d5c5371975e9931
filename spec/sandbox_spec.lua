-- Hosts with a sandbox, such as Luanti with mod security: the library is loaded by a trusted mod, and afterwards the
-- globals are the sandbox's, without `require`, `package`, `debug` and `io`.

local process = require("spec.support.process")
local project = require("spec.support.project")
local scripted_server = require("spec.support.scripted_server")
local steps = require("spec.support.steps")

-- What a sandbox may take away.
local TAKEN = { "require", "package", "debug", "io", "dofile", "loadfile", "load", "loadstring", "setfenv", "getfenv",
  "collectgarbage", "newproxy" }

local SANDBOXED = [[
  local origin, taken = ...
  local write = io.write
  local webpubsub = require("webpubsub")
  for name in taken:gmatch("%a+") do _G[name] = nil end

  local client = webpubsub.new { endpoint = origin, key = "k", hub = "chat", proxy = false }
  write(tostring(client:close_user_connections({ user = "alice" }).status), " ")
  local task = client:close_user_connections_async { user = "bob" }
  while not task:done() do client:poll(0.01) end
  write(tostring(task:result().status), " ")
  local ok, err = pcall(client.close_user_connections, client, { user = "" })
  write(tostring(ok), " ", tostring(err.code), " ")
  local events = webpubsub.events.new {
    hub = "chat", keys = { "k" }, origins = { "contoso.webpubsub.azure.com" }, user_event = {},
  }
  write(tostring((events:handle("GET", {}))), "\n")
]]

describe("in a sandbox", function()
  local server

  setup(function()
    server = scripted_server.start()
    server:script({ default = steps.reply({ status = 204 }) })
  end)
  teardown(function() server:stop() end)

  it("the library works once it is loaded", function()
    local result = process.run_lua(SANDBOXED, { arguments = { server.origin, table.concat(TAKEN, " ") } })
    assert.are.same({ "204 204 false empty 405\n", "" }, { result.stdout, result.stderr })
  end)

  it("its guide says how to load it", function()
    local guide = project.read("lua/webpubsub/host/README.md")
    local recipe = guide:match("## Luanti\n.-```lua\n(.-)```")
    local source = [[
      local real, print_real = { require = require, package = package, debug = debug, io = io }, print
      local origin = ...
      core = {
        request_insecure_environment = function() return real end,
        register_globalstep = function(step) STEP = step end,
        register_chatcommand = function(_, command) COMMAND = command end,
        log = function(_, text) print_real(text) DONE = true end,
        settings = { get = function() return "Endpoint=" .. origin .. ";AccessKey=k;Version=1.0;" end },
      }
      require, package = nil, nil
      ]] .. recipe .. [[
      assert(require == nil and package == nil)
      COMMAND.func("admin", "alice")
      while not DONE do STEP(0.1) end]]
    local result = process.run_lua(source, { arguments = { server.origin } })
    assert.is_truthy(result.stdout:find("204 No Content", 1, true), result.stdout .. result.stderr)
  end)
end)
