-- The tools the other specs stand on: if one of them lies, so does every spec that uses it.

local socket = require("socket")
local certs = require("spec.support.certs")
local companion = require("spec.support.companion")
local headers = require("spec.support.headers")
local process = require("spec.support.process")
local shell = require("spec.support.shell")
local wait = require("spec.support.wait")
local wire = require("spec.support.wire")

local TIMEOUT_SECONDS = 5

local function every_byte()
  local bytes = {}
  for code = 0, 255 do bytes[#bytes + 1] = string.char(code) end
  return table.concat(bytes)
end

local function exists(path)
  local file = io.open(path)
  if file then file:close() end
  return file ~= nil
end

local function refuses_connections(port)
  local client, problem = socket.connect("127.0.0.1", port)
  if client then client:close() end
  return problem == "connection refused"
end

describe("wait.until_true", function()
  it("returns what the condition returned", function()
    local calls = 0
    local value = wait.until_true(function()
      calls = calls + 1
      return calls == 3 and "third"
    end, TIMEOUT_SECONDS, "the third call")
    assert.are.equal("third", value)
  end)

  it("raises at the deadline and says what it waited for", function()
    local started = socket.gettime()
    assert.error_matches(function()
      wait.until_true(function() return false end, 0.05, "the moon")
    end, "timed out after 0.05 s waiting for the moon")
    assert.is_true(socket.gettime() - started >= 0.05)
  end)
end)

describe("wire", function()
  local function round_trip(value)
    local message = wire.pack(value)
    local line, rest = message:match("^(%d+)\n(.*)$")
    return select(2, wire.read(function() return line end, function(count) return rest:sub(1, count) end))
  end

  it("carries every byte and nested tables", function()
    local value = { text = every_byte(), list = { 1, 2.5, { true, false } }, ["\r\n\""] = -1 }
    assert.are.same(value, round_trip(value))
  end)

  it("reports the end of the stream", function()
    local ok, problem = wire.read(function() return nil, "closed" end)
    assert.is_false(ok)
    assert.are.equal("closed", problem)
  end)

  it("refuses what it cannot carry", function()
    assert.error_matches(function() wire.pack({ print }) end, "a function cannot be sent")
  end)
end)

describe("headers", function()
  local list = headers.wrap({
    { name = "Accept", value = "a" }, { name = "CONNECTION", value = "Keep-Alive, Upgrade" },
    { name = "accept", value = "b" },
  })

  it("are found in any case, all of them in order", function()
    assert.are.equal("a", list:get("ACCEPT"))
    assert.are.same({ "a", "b" }, list:all("Accept"))
    assert.is_nil(list:get("Acc"))
  end)

  it("are searched for tokens, not for substrings", function()
    assert.is_true(list:has_token("Connection", "upgrade"))
    assert.is_false(list:has_token("Connection", "keep"))
  end)
end)

describe("process", function()
  it("returns the exit code, the output and the error output", function()
    local result = process.run({ "sh", "-c", "echo out; echo err >&2; exit 7" })
    assert.are.same({ code = 7, stdout = "out\n", stderr = "err\n" }, result)
  end)

  it("passes arguments and standard input literally", function()
    local nasty = "it's $HOME `x` \\ \"y\"\n*"
    assert.are.equal(nasty, process.run({ "printf", "%s", nasty }).stdout)
    assert.are.equal(every_byte(), process.run({ "cat" }, { stdin = every_byte() }).stdout)
    assert.are.equal("", process.run({ "cat" }).stdout)
    assert.error_matches(function() shell.quote("a\0b") end, "NUL")
  end)

  it("sets and removes environment variables", function()
    local result = process.run({ "sh", "-c", "echo \"$GREETING-${HOME-none}\"" },
      { env = { GREETING = "a b'c", HOME = false } })
    assert.are.equal("a b'c-none\n", result.stdout)
  end)

  it("runs in a directory", function()
    assert.are.equal("/\n", process.run({ "pwd" }, { directory = "/" }).stdout)
  end)

  it("reports a death by signal", function()
    assert.are.equal(128 + 9, process.run({ "sh", "-c", "kill -KILL $$" }).code)
  end)

  it("raises when the time is up, with the output so far", function()
    assert.error_matches(function()
      process.run({ "sh", "-c", "echo begun; exec sleep 60" }, { timeout = 0.2 })
    end, "did not end within 0.2 s\nstdout: begun")
  end)

  it("runs Lua in the interpreter of the specs, with their search paths", function()
    local result = process.run_lua([[
      local wait = require("spec.support.wait")
      print(_VERSION, type(jit), type(wait), ...)
      os.exit(3)
    ]], { arguments = { "first" } })
    assert.are.equal(table.concat({ _VERSION, type(rawget(_G, "jit")), "table", "first\n" }, "\t"), result.stdout)
    assert.are.equal(3, result.code)
  end)
end)

describe("companion", function()
  it("says what the process printed when it does not start", function()
    assert.error_matches(function()
      companion.start({ "sh", "-c", "echo cannot; exit 1" }, { ready = "ready" })
    end, "did not start; its output: cannot\n")
  end)

  it("gives up on a process that never gets ready, and ends it", function()
    assert.error_matches(function()
      companion.start({ "sh", "-c", "echo hm; exec sleep 60" }, { ready = "ready", timeout = 0.1 })
    end, "timed out after 0.1 s waiting for it to start; its output: hm\n")
  end)

  it("does not outlive the process that started it, even one that is killed", function()
    local result = process.run_lua([[
      local scripted_server = require("spec.support.scripted_server")
      local certs = require("spec.support.certs")
      local server = scripted_server.start({ tls = certs.valid })
      io.write(server.port, " ", certs.directory)
      io.flush()
      os.execute("kill -KILL $PPID")
    ]])
    assert.are.equal(128 + 9, result.code)
    local port, directory = result.stdout:match("^(%d+) (%S+)$")
    wait.until_true(function() return refuses_connections(tonumber(port)) end, TIMEOUT_SECONDS, "the server to end")
    wait.until_true(function() return not exists(directory .. "/ca.pem") end, TIMEOUT_SECONDS, "the files to go")
  end)
end)

describe("certs", function()
  -- Returns what openssl finds wrong with an identity, or "OK".
  local function verdict(identity, ...)
    local argv = { "openssl", "verify", "-CAfile", certs.ca.cert }
    for _, argument in ipairs({ ... }) do argv[#argv + 1] = argument end
    argv[#argv + 1] = identity.cert
    local result = process.run(argv)
    return result.code == 0 and "OK" or result.stderr
  end

  it("differ in just what their names say", function()
    assert.are.equal("OK", verdict(certs.valid, "-verify_hostname", "localhost"))
    assert.are.equal("OK", verdict(certs.valid, "-verify_ip", "127.0.0.1"))
    assert.are.equal("OK", verdict(certs.wrong_name))
    assert.matches("hostname mismatch", verdict(certs.wrong_name, "-verify_hostname", "localhost"))
    assert.matches("IP address mismatch", verdict(certs.wrong_name, "-verify_ip", "127.0.0.1"))
    assert.matches("certificate has expired", verdict(certs.expired))
    assert.matches("certificate is not yet valid", verdict(certs.not_yet_valid))
    assert.matches("unable to get local issuer", verdict(certs.unknown_ca))
    assert.matches("self%-signed certificate", verdict(certs.self_signed))
    assert.are.equal("OK", verdict(certs.client))
  end)

  it("include a client key that needs its password", function()
    local function open_with(password)
      return process.run({ "openssl", "pkey", "-in", certs.client_encrypted.key, "-noout",
        "-passin", "pass:" .. password }).code
    end
    assert.are.equal(0, open_with(certs.client_encrypted.password))
    assert.are_not.equal(0, open_with("wrong"))
  end)
end)
