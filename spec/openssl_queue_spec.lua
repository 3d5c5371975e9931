-- OpenSSL's queue of errors belongs to the host, whose own calls are judged by it: it is left as it was found.

local process = require("spec.support.process")

-- With an OpenSSL that can do nothing, everything that we ask of it fails, and leaves errors in its queue.
local NOTHING = [[
openssl_conf = init
[init]
providers = providers
[providers]
null = null
[null]
activate = 1
]]

local SOURCE = [[
  local native = require("spec_native")
  local calls = require("spec.support.calls")
  local core = require("webpubsub.core")

  local function queue_after(action, ...)
    native.openssl_errors()
    local ok, err = pcall(action, ...)
    local from_none = native.openssl_errors()
    native.fail_openssl()
    native.fail_openssl()
    pcall(action, ...)
    print(from_none, native.openssl_errors(), ok and "fine" or tostring(err))
  end

  queue_after(calls.client)
  queue_after(function() -- without a key, so that the id is the first thing to fail
    return calls.sending("service_status", nil, { credential = function() end })
  end)
  queue_after(core.random)
]]

describe("OpenSSL's queue of errors", function()
  it("is left as it was by what works", function()
    assert.are.equal(("0\t2\tfine\n"):rep(3), process.run_lua(SOURCE).stdout)
  end)

  it("is left as it was by what fails, which is told", function()
    local path = os.tmpname()
    local file = assert(io.open(path, "w"))
    file:write(NOTHING)
    file:close()
    local result = process.run_lua(SOURCE, { env = { OPENSSL_CONF = path } })
    os.remove(path)
    local lines = {}
    for line in result.stdout:gmatch("[^\n]+") do lines[#lines + 1] = line end
    assert.are.equal(3, #lines, result.stderr)
    for _, line in ipairs(lines) do assert.are.equal("0\t2\t", line:match("^%d+\t%d+\t"), line) end
    assert.is_truthy(lines[1]:find("OpenSSL, as it is configured, cannot sign with the key (", 1, true), lines[1])
    assert.is_truthy(lines[2]:find("OpenSSL has no random bytes for a request id", 1, true), lines[2])
    assert.is_truthy(lines[3]:find("OpenSSL has no random bytes", 1, true), lines[3])
  end)
end)
