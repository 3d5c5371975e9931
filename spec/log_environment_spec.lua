-- WEBPUBSUB_LOG=debug prints what calls do, without a line of code.

local nginx = require("spec.support.nginx")
local process = require("spec.support.process")
local scripted_server = require("spec.support.scripted_server")
local steps = require("spec.support.steps")

local PROGRAM = [[
  local webpubsub = require "webpubsub"
  local client = webpubsub.new { endpoint = ..., key = "5ecr3t", hub = "chat", proxy = false, retry = { delay = 0 },
    log_ids = LOG_IDS }
  client:close_user_connections { user = "alice", reason = "because" }
]]

local function started(...)
  local server, script = scripted_server.start(), {}
  for index, status in ipairs({ ... }) do script[index] = steps.reply({ status = status }) end
  server:script(script)
  return server
end

local function run(value, log_ids)
  local server = started(503, 204)
  finally(function() server:stop() end)
  local source = PROGRAM:gsub("LOG_IDS", tostring(log_ids or false))
  return process.run_lua(source, { arguments = { server.origin }, env = { WEBPUBSUB_LOG = value or false } })
end

describe("WEBPUBSUB_LOG", function()
  it("prints nothing where it is not set, or empty", function()
    assert.are.same({ 0, "", "" }, (function(result) return { result.code, result.stdout, result.stderr } end)(run()))
    assert.are.equal("", run("").stderr)
  end)

  it("prints each step on standard error, one a line, without secrets and ids", function()
    local result = run("debug")
    assert.are.same({ 0, "" }, { result.code, result.stdout })
    local printed = {}
    for line in result.stderr:gmatch("([^\n]*)\n") do
      local id, step = line:match("^%d%d:%d%d:%d%d webpubsub: (%S+) close_user_connections, (.*)$")
      assert.is_truthy(id, line)
      printed[#printed + 1] = step:gsub("%d+ ms", "n ms")
    end
    assert.are.same({ "attempt 1: request POST", "attempt 1: response 503 after n ms",
      "attempt 1: next attempt in 0.0 s", "attempt 2: request POST", "attempt 2: response 204 after n ms" }, printed)
    for _, secret in ipairs({ "5ecr3t", "alice", "because", "Bearer" }) do
      assert.is_nil(result.stderr:find(secret, 1, true), secret)
    end
  end)

  it("prints ids where log_ids asks for them", function()
    assert.is_truthy(run("debug", true).stderr:find("; user alice\n", 1, true))
  end)

  it("that is something else is refused", function()
    local result = process.run_lua([[
      local ok, err = pcall(require("webpubsub").new, { endpoint = "https://a.example", key = "k", hub = "h" })
      print(err.kind, err.argument, err.message)]], { env = { WEBPUBSUB_LOG = "all" } })
    assert.are.equal('argument\tWEBPUBSUB_LOG\tWEBPUBSUB_LOG must be debug, or not be set; it is "all"\n',
      result.stdout)
  end)

  it("is told beside a logger of the program's", function()
    local server = started(204)
    finally(function() server:stop() end)
    local result = process.run_lua([[
      local count = 0
      local client = require("webpubsub").new { endpoint = ..., key = "k", hub = "h", proxy = false,
        logger = function(event) count = count + 1 end }
      client:close_all_connections()
      print(count)]], { arguments = { server.origin }, env = { WEBPUBSUB_LOG = "debug" } })
    assert.are.equal("2\n", result.stdout)
    assert.is_truthy(result.stderr:find("response 204", 1, true))
  end)

  it("prints in the error log of NGINX, whose configuration lets it through", function()
    if not rawget(_G, "jit") then return end
    local server = started(204)
    finally(function() server:stop() end)
    local web = nginx.start({ main = "env WEBPUBSUB_LOG=debug;", server = [[
      location = /close { content_by_lua_block {
        local client = require("webpubsub").new { endpoint = "]] .. server.origin .. [[", key = "k", hub = "h" }
        client:close_all_connections()
        ngx.say("closed")
      } } ]] })
    finally(function() web:stop() end)
    assert.are.equal("closed\n", (web:get("/close")))
    web:quit()
    assert.is_truthy(web:log():find("webpubsub: %S+ close_all_connections, attempt 1: response 204 after"))
  end)
end)
