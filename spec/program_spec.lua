-- Tokens from the Azure CLI and the Azure Developer CLI, which here are shell scripts.

local calls = require("spec.support.calls")
local core = require("webpubsub.core")
local process = require("spec.support.process")
local project = require("spec.support.project")

local WALL = os.time()

local folder

setup(function()
  local pipe = io.popen("mktemp -d")
  folder = pipe:read("*l")
  pipe:close()
end)
teardown(function() os.execute("rm -rf " .. folder) end)

-- Makes `az` that script.
local function install(script, name)
  local path = folder .. "/" .. (name or "az")
  local file = assert(io.open(path, "wb"))
  file:write("#!/bin/sh\n", script)
  file:close()
  os.execute("chmod +x " .. path)
end

-- Runs Lua code in a process whose PATH begins with the folder; returns what it prints. `fetch(own, request)` is there.
local HEAD = [[
local core = require "webpubsub.core"
local source = require("webpubsub.credential." .. kind).source(options)
local transport = { now = core.now, wall = os.time, sleep = function() os.execute "sleep 0.01" end }
local function fetch(seconds, claims)
  return source:fetch { transport = transport, seconds = seconds or 10, claims = claims }
end
]]

local function run(code, options, kind, path)
  local given = ("local kind, options = %q, %s\n"):format(kind or "azure_cli", options or "nil")
  local result = process.run_lua(given .. HEAD .. code, { directory = project.root, timeout = 20,
    env = { PATH = (path or folder) .. ":" .. os.getenv("PATH"), TZ = "Europe/Berlin" } })
  assert.are.equal("", result.stderr)
  return result.stdout
end

local PRINT = 'print(fetch())'

describe("the Azure CLI", function()
  it("is asked for the scope, and the tenant, without a shell", function()
    install([[
      printf '%s\n' "$@" >"$(dirname "$0")/arguments"
      echo '{"accessToken":"cli-token","expiresOn":"1999-01-01 00:00:00.000000","expires_on":]] .. WALL + 3600 .. "}'")
    assert.are.equal(("cli-token %d 0\n"):format(WALL + 3600),
      run('print(("%s %d %d"):format(fetch()))', '{ tenant = "contoso.com" }'))
    local file = assert(io.open(folder .. "/arguments"))
    assert.are.equal("account\nget-access-token\n--output\njson\n--scope\nhttps://webpubsub.azure.com/.default\n"
      .. "--tenant\ncontoso.com\n", file:read("*a"))
    file:close()
  end)

  it("of older versions tells the end in local time", function()
    install([[echo '{"accessToken":"t","expiresOn":"2096-07-01 12:00:00.000000"}']])
    assert.are.equal("true\n", run([[
      local _, expires = fetch()
      print(expires == os.time { year = 2096, month = 7, day = 1, hour = 12 })]]))
  end)

  it("that fails says why, in the first line of what it complained about", function()
    install("echo 'ERROR: Please run '\"'az login'\"' to setup account.' >&2; echo more >&2; exit 1")
    assert.are.equal("nil\tprogram\taz has failed: Please run 'az login' to setup account.\n", run(PRINT))
    install("kill -9 $$")
    assert.are.equal("nil\tprogram\taz has failed\n", run(PRINT))
  end)

  it("that writes something else is told so, and never what", function()
    for _, output in ipairs({ "5ecr3t", '{"accessToken":5}', "", '{"accessToken":"5ecr3t","expires_on":"soon"}',
      '{"accessToken":"5ecr3t"}', '{"accessToken":"5ecr3t","expires_on":1}',
      '{"accessToken":"5ecr3t","expiresOn":"2001-01-01 00:00:00"}', '{"accessToken":"5ecr3t t","expires_on":9e9}' }) do
      install("echo '" .. output .. "'")
      local said = run(PRINT)
      assert.is_truthy(said:find("^nil\tmalformed\t"), said)
      assert.is_nil(said:find("5ecr3t", 1, true))
    end
  end)

  it("is ended when its time is over, with all it has started", function()
    install("(sleep 30; touch " .. folder .. "/survived) & sleep 30")
    local started = core.now()
    assert.are.equal("nil\ttimeout\taz did not end within 0.3 s\n", run(PRINT, "{ timeout = 0.3 }"))
    assert.is_true(core.now() - started < 5)
    local pipe = io.popen("ps -eo args | grep '[s]leep 30'")
    assert.are.equal("", pipe:read("*a"))
    pipe:close()
  end)

  it("is not waited for by what it leaves behind with its output open", function()
    install("sleep 5 & echo '{\"accessToken\":\"t\",\"expires_on\":" .. WALL + 60 .. "}'")
    local started = core.now()
    assert.is_truthy(run(PRINT):find("^t\t"))
    assert.is_true(core.now() - started < 3)
  end)

  it("writes no more than fits", function()
    install("head -c 1000000 /dev/zero")
    assert.are.equal("nil\tprogram\taz has written more than 262144 bytes\n", run(PRINT))
    install("yes complaint | head -c 100000 >&2; exit 1")
    assert.are.equal("nil\tprogram\taz has failed: complaint\n", run(PRINT))
  end)

  it("inherits neither descriptors nor a terminal", function()
    install([[
      ls /proc/self/fd | tr '\n' ' ' >&2
      [ "$(readlink /proc/self/fd/0)" = /dev/null ] || echo terminal >&2
      exit 1]])
    local said = run('local kept = {} for index = 1, 20 do kept[index] = io.open "/dev/null" end print(fetch())')
    assert.are.equal("nil\tprogram\taz has failed: 0 1 2 3\n", said) -- 3 is ls's own
  end)

  it("is none where it is not installed, nor one in the folder here", function()
    install("echo here")
    assert.are.equal("nil\tnot_installed\taz is not installed, or not in PATH\n", run(PRINT, nil, nil, "."))
  end)

  it("cannot answer a challenge", function()
    assert.are.equal("nil\tclaims\tthe service asks for more claims, which the Azure CLI cannot: sign in again "
      .. "(az login)\n", run('print(fetch(1, "{}"))'))
  end)

  it("takes no tenant or scope that could be an option of it", function()
    local azure_cli = require("webpubsub.credential.azure_cli")
    local cases = { tenant = { "--debug", "a b", "a/b" }, scope = { "-x/.default", "https://x", "a b/.default" } }
    for option, wrong in pairs(cases) do
      for _, value in ipairs(wrong) do
        local err = calls.refusal(azure_cli.source, { [option] = value })
        assert.are.same({ "argument", option }, { err.kind, err.argument })
      end
    end
  end)
end)

describe("the Azure Developer CLI", function()
  it("is asked in its own words, and tells the end in UTC", function()
    install([[
      printf '%s ' "$@" >"$(dirname "$0")/arguments"
      echo '{"token":"azd-token","expiresOn":"2096-07-01T12:00:00Z"}']], "azd")
    assert.are.equal("azd-token 3991982400\n", run('print(("%s %d"):format(fetch()))', '{ tenant = "t" }',
      "azure_developer_cli"))
    local file = assert(io.open(folder .. "/arguments"))
    assert.are.equal("auth token --output json --scope https://webpubsub.azure.com/.default --tenant-id t ",
      file:read("*a"))
    file:close()
  end)
end)
