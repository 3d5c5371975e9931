-- The program with Entra ID in the place of a key.

local azure = require("spec.support.azure")
local certs = require("spec.support.certs")
local program = require("spec.support.program")
local scripted_server = require("spec.support.scripted_server")
local steps = require("spec.support.steps")

describe("the program with --auth", function()
  local service, source, folder

  setup(function()
    service = scripted_server.start({ tls = certs.valid })
    source = scripted_server.start()
    local pipe = io.popen("mktemp -d")
    folder = pipe:read("*l")
    pipe:close()
    local file = assert(io.open(folder .. "/az", "wb"))
    file:write('#!/bin/sh\necho \'{"accessToken":"from-az","expires_on":', tostring(os.time() + 3600), "}'\n")
    file:close()
    os.execute("chmod +x " .. folder .. "/az")
  end)
  teardown(function()
    service:stop()
    source:stop()
    os.execute("rm -rf " .. folder)
  end)
  before_each(function()
    service:reset()
    source:reset()
    service:script({ default = steps.reply({ status = 204 }) })
  end)

  local function run(words, settings)
    local argv = { "--endpoint", service.origin, "--ca-file", certs.ca.cert, "--hub", "chat" }
    for word in words:gmatch("%S+") do argv[#argv + 1] = word end
    return program.run(argv, { settings = settings })
  end

  it("calls with a token of whoever has signed in", function()
    local result = run("--auth cli close-all-connections", { PATH = folder .. ":" .. os.getenv("PATH") })
    assert.are.same({ 0, "closed: 204 No Content\n", "" }, { result.code, result.stdout, result.stderr })
    assert.are.same({ "from-az" }, azure.tokens(service))
  end)

  it("calls with a token of a managed identity", function()
    source:script({ azure.token("from-app-service") })
    local result = run("--auth managed-identity --client-id an-id close-all-connections",
      { IDENTITY_ENDPOINT = source.origin, IDENTITY_HEADER = "h" })
    assert.are.equal("closed: 204 No Content\n", result.stdout)
    assert.are.same({ "from-app-service" }, azure.tokens(service))
    assert.is_truthy(source:requests()[1].target:find("client_id=an-id", 1, true))
  end)

  it("exits with 3 where there is no token, and says why", function()
    local result = run("--auth cli close-all-connections", { PATH = "/nowhere:/usr/bin:/bin" })
    assert.are.same({ 3, "" }, { result.code, result.stdout })
    assert.is_truthy(result.stderr:find("az is not installed, or not in PATH", 1, true), result.stderr)
  end)

  it("knows connection strings without a key", function()
    source:script({ azure.token("t") })
    local result = program.run({ "--connection-string", "Endpoint=" .. service.origin .. ";AuthType=azure.msi",
      "--ca-file", certs.ca.cert, "--hub", "chat", "close-all-connections" },
      { settings = { IDENTITY_ENDPOINT = source.origin, IDENTITY_HEADER = "h" } })
    assert.are.equal("closed: 204 No Content\n", result.stdout)
  end)
end)
