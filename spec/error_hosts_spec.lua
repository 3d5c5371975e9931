-- What a person reads where nobody catches an error: one line of text that says what is wrong. The hosts that show an
-- error object by itself are tried as they are, those that know strings only with webpubsub.text_errors.

local nginx = require("spec.support.nginx")
local process = require("spec.support.process")

local MISTAKE = [[
  local webpubsub = require "webpubsub"
  local client = webpubsub.new { endpoint = "https://contoso.webpubsub.azure.com", key = "k", hub = "chat" }
  local function mistake() client:close_user_connections { user = "" } end
]]
local TEXT = "webpubsub: close_user_connections: user must not be empty; "

-- The first line that the program of that source leaves on standard error; it must have failed.
local function complaint_of(source)
  local result = process.run_lua(MISTAKE .. source)
  assert.are_not.equal(0, result.code)
  return result.stderr:match("^[^\n]*")
end

local function assert_says(line, text)
  assert.is_truthy(line:find(text or TEXT, 1, true), line)
  assert.is_nil(line:find("table: ", 1, true) or line:find("(null)", 1, true) or line:find("unknown reason", 1, true))
end

describe("an error that nobody catches", function()
  it("is text in the interpreter itself", function()
    assert_says(complaint_of("mistake()"))
  end)

  it("is text at its prompt", function()
    for _, line in ipairs({ "mistake()", "client:each('x', {})", "client:close_user_conections {}" }) do
      local result = process.run({ process.interpreter(), "-i" }, { stdin = MISTAKE:gsub("%s*\n%s*", " ")
        :gsub("local ", "") .. "\n" .. line .. "\n", env = { LUA_PATH = package.path, LUA_CPATH = package.cpath } })
      assert_says(result.stdout .. result.stderr, "webpubsub: ")
    end
  end)

  it("is text where a module fails while it is loaded", function()
    assert_says(complaint_of([[package.preload.game = mistake
      require "game"]]))
  end)

  it("is itself where something catches it", function()
    for _, catch in ipairs({ "pcall(mistake)", "xpcall(mistake, function(err) return err end)",
      "pcall(require, 'game')", "coroutine.resume(coroutine.create(mistake))",
      "pcall(client.each, client, 'x', {})", "pcall(client.close_user_connections, client, { user = '' })" }) do
      local result = process.run_lua(MISTAKE .. "package.preload.game = mistake\n"
        .. "local ok, err = " .. catch .. " print(ok, type(err) == 'table' and err.kind or err)")
      assert_says(result.stdout, catch:find("require") and "false\t" or "false\targument\n")
    end
  end)

  it("is itself where a function of C may look at it", function()
    local result = process.run_lua(MISTAKE .. [[
      local ok, err = pcall(string.gsub, "x", "x", mistake)
      print(ok, err.kind)]])
    assert.are.equal("false\targument\n", result.stdout)
  end)

  it("is text in the interpreter with text_errors", function()
    assert_says(complaint_of("webpubsub.text_errors(mistake)()"))
  end)

  it("is text in luv's callbacks with text_errors", function()
    assert_says(complaint_of([[
      local uv = require "luv"
      uv.new_timer():start(0, 0, webpubsub.text_errors(mistake))
      uv.run()]]))
  end)

  it("is text where a task's callback raises it in luv's loop", function()
    assert_says(complaint_of([[
      local uv = require "luv"
      local own = webpubsub.new { endpoint = "https://contoso.webpubsub.azure.com", key = "k", hub = "chat",
        transport = function() coroutine.yield() end }
      own:attach_luv()
      local task = own:close_user_connections_async { user = "alice", context = { timeout = 0.01, retries = 0 } }
      task:on_done(mistake)
      uv.run()]]))
  end)

  it("is itself after cqueues' loop", function()
    local result = process.run_lua(MISTAKE .. [[
      local loop = require("cqueues").new()
      loop:wrap(mistake)
      local ok, err = loop:loop()
      io.write(tostring(ok), " ", err.kind, " ", tostring(err))]])
    assert.are.equal("false argument ", result.stdout:match("^false argument "))
    assert_says(result.stdout, ":3: " .. TEXT)
  end)

  it("is text in each phase of NGINX with text_errors", function()
    if not rawget(_G, "jit") then return end
    local web = nginx.start({ http = "init_worker_by_lua_block {" .. MISTAKE .. [[
        package.loaded.mistake = webpubsub.text_errors(mistake) }
      ]], server = [[
      location = /content { content_by_lua_block { require("mistake")() } }
      location = /access { access_by_lua_block { require("mistake")() } }
      location = /log { content_by_lua_block { ngx.say("x") } log_by_lua_block { require("mistake")() } }
      location = /timer { content_by_lua_block { ngx.timer.at(0, function() require("mistake")() end) ngx.say("x") } }
    ]] })
    finally(function() web:stop() end)
    for _, path in ipairs({ "/content", "/access", "/log", "/timer" }) do web:get(path) end
    web:quit()
    local count = 0
    for line in web:log():gmatch("[^\n]+") do
      if line:find("[error]", 1, true) then
        count = count + 1
        assert_says(line)
      end
    end
    assert.are.equal(4, count)
  end)
end)

describe("text_errors", function()
  local text_errors = require("webpubsub").text_errors

  it("passes on arguments, results and errors that are text", function()
    assert.are.same({ 1, nil, 3 }, { text_errors(function(...) return ... end)(1, nil, 3) })
    assert.are.same({ false, "as it is\nhere" }, { pcall(text_errors(function() error("as it is\nhere", 0) end)) })
  end)

  it("makes one line of two", function()
    local object = setmetatable({}, { __tostring = function() return "what it is\n  because: of that" end })
    assert.are.same({ false, "what it is because: of that" }, { pcall(text_errors(function() error(object) end)) })
  end)
end)
