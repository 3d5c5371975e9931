-- Several sources of tokens: the default chain, and one's own.

local azure = require("spec.support.azure")
local calls = require("spec.support.calls")
local certs = require("spec.support.certs")
local core = require("webpubsub.core")
local credential = require("webpubsub.credential")
local scripted_server = require("spec.support.scripted_server")
local steps = require("spec.support.steps")

local chain = credential.kinds.chain

describe("the default chain", function()
  local function fetch(own)
    local transport = { now = core.now, wall = os.time, sleep = function() end }
    return own:get({ transport = transport, seconds = 10, reach = function() error("nobody is to be reached") end })
  end

  it("lists every source with its reason", function()
    local _, code, message = fetch(azure.default({ AZURE_TENANT_ID = "..", AZURE_CLIENT_ID = "c",
      AZURE_CLIENT_SECRET = "s" }, { exclude = { "managed_identity", "azure_cli", "azure_developer_cli" } }))
    assert.are.equal("no_token", code)
    assert.are.equal("no source of tokens works here; environment: tenant must be the directory's id or one of its "
      .. "domains: letters, digits, '.' and '-'; workload_identity: token_file is missing; give it, or set "
      .. "AZURE_FEDERATED_TOKEN_FILE in the environment", message)
  end)

  it("is narrowed by AZURE_TOKEN_CREDENTIALS", function()
    local function names(value)
      local _, _, message = fetch(azure.default({ AZURE_TOKEN_CREDENTIALS = value },
        { exclude = { "managed_identity", "azure_cli", "azure_developer_cli" } }))
      local list = {}
      for name in message:gmatch("; ([%l_]+):") do list[#list + 1] = name end
      return table.concat(list, " ")
    end
    assert.are.equal("environment workload_identity", names("PROD"))
    assert.are.equal("environment", names("EnvironmentCredential"))
    assert.are.equal("workload_identity", names("workload_identity"))
    assert.are.equal("AZURE_TOKEN_CREDENTIALS",
      calls.refusal(azure.default, { AZURE_TOKEN_CREDENTIALS = "staging" }).argument)
  end)

  it("refuses to exclude what is no source, or everything", function()
    assert.are.equal("exclude", calls.refusal(azure.default, {}, { exclude = { "managed" } }).argument)
    assert.are.equal("exclude", calls.refusal(azure.default, { AZURE_TOKEN_CREDENTIALS = "azure_cli" },
      { exclude = { "azure_cli" } }).argument)
  end)
end)

describe("a chain", function()
  local service, source

  setup(function()
    service = scripted_server.start({ tls = certs.valid })
    source = scripted_server.start()
  end)
  teardown(function()
    service:stop()
    source:stop()
  end)
  before_each(function()
    service:reset()
    source:reset()
    service:script({ default = steps.reply({ status = 204 }) })
  end)

  local function call(own, context)
    return azure.client(service, own):close_user_connections({ user = "alice", context = context })
  end

  local function imds()
    return azure.managed_identity({}, nil, { imds = source.origin })
  end

  it("goes on until one works, and keeps that", function()
    source:script({ azure.refusal(400, "invalid_client"), azure.token("second", 1, ',"refresh_in":0'),
      azure.token("third") })
    local own = chain({ function() error("not here", 0) end, azure.client_secret(source), azure.client_secret(source) })
    call(own)
    call(own)
    assert.are.same({ "second", "third" }, azure.tokens(service))
    assert.are.equal(3, #source:requests())
  end)

  it("has each of its reasons in its error", function()
    source:script({ default = azure.refusal(400, "invalid_client", "wrong") })
    local err = calls.refusal(call, chain({ azure.client_secret(source), function() return nil, "no session" end }))
    assert.are.same({ "credential", "no_token", "no source of tokens works here; client_secret: Entra ID answered 400 "
      .. "Bad Request, invalid_client: wrong; function 2: the credential function gave no token: no session" },
      { err.kind, err.code, err.message })
  end)

  it("looks first whether there is a metadata service, for a second and without Metadata", function()
    source:script({ azure.refusal(400, "bad_request"), azure.token("from-imds") })
    call(chain({ imds() }))
    assert.are.same({ "from-imds" }, azure.tokens(service))
    assert.is_nil(source:requests()[1].headers:get("metadata"))
    assert.are.equal("true", source:requests()[2].headers:get("metadata"))
  end)

  it("waits no longer than a second for a metadata service that is not there", function()
    source:script({ default = steps.silence() })
    local started = core.now()
    call(chain({ imds(), function() return "fallback", os.time() + 3600 end }))
    assert.are.same({ "fallback" }, azure.tokens(service))
    assert.is_true(core.now() - started < 3)
    assert.are.equal(1, #source:requests())
  end)

  it("takes credentials and functions only, and at least one", function()
    for _, wrong in ipairs({ {}, { 5 }, { {} }, "x", { "managed_identity" } }) do
      local err = calls.refusal(chain, wrong)
      assert.are.same({ "argument", "credential" }, { err.kind, err.argument })
    end
  end)
end)
