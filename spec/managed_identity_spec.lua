-- Tokens from managed identities: which source is asked where, and what goes over the wire.

local azure = require("spec.support.azure")
local calls = require("spec.support.calls")
local certs = require("spec.support.certs")
local scripted_server = require("spec.support.scripted_server")
local steps = require("spec.support.steps")

local RESOURCE = "resource=https%3A%2F%2Fwebpubsub.azure.com"

describe("a managed identity", function()
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

  local function asked(index)
    local request = source:requests()[index or 1]
    local lines = {}
    for _, header in ipairs(request.headers) do
      if not ({ host = 1, ["user-agent"] = 1, connection = 1 })[header.name:lower()] then
        lines[#lines + 1] = header.name .. ": " .. header.value
      end
    end
    return { request.method, request.target, lines, request.body }
  end

  it("of App Service is asked at IDENTITY_ENDPOINT, with IDENTITY_HEADER", function()
    source:script({ azure.token("from-app-service") })
    assert.are.equal(204, call(azure.managed_identity({
      IDENTITY_ENDPOINT = source.origin .. "/msi/token/", IDENTITY_HEADER = "the-header" },
      { object_id = "an-id" })).status)
    assert.are.same({ "from-app-service" }, azure.tokens(service))
    assert.are.same({ "GET", "/msi/token/?api-version=2019-08-01&" .. RESOURCE .. "&principal_id=an-id",
      { "Accept: application/json", "X-IDENTITY-HEADER: the-header" }, "" }, asked())
  end)

  it("of a virtual machine is asked at its metadata service, when the environment says nothing", function()
    source:script({ azure.token("from-imds", 86400, ',"expires_on":"1","refresh_in":"43200"') })
    assert.are.equal(204, call(azure.managed_identity({ IDENTITY_ENDPOINT = " ", MSI_SECRET = "x" }, nil,
      { imds = source.origin })).status)
    assert.are.same({ "from-imds" }, azure.tokens(service))
    assert.are.same({ "GET", "/metadata/identity/oauth2/token?api-version=2018-02-01&" .. RESOURCE,
      { "Accept: application/json", "Metadata: true" }, "" }, asked())
  end)

  it("of a virtual machine is asked again while it is updated", function()
    source:script({ steps.reply({ status = 410, headers = { ["retry-after-ms"] = 1 } }),
      steps.reply({ status = 404 }), azure.token("at-last") })
    assert.are.equal(204, call(azure.managed_identity({}, nil, { imds = source.origin })).status)
    assert.are.equal(3, #source:requests())
  end)

  it("of Azure ML and Cloud Shell is asked at MSI_ENDPOINT", function()
    source:script({ azure.token("from-ml"), azure.token("from-shell") })
    call(azure.managed_identity({ MSI_ENDPOINT = source.origin .. "/ml", MSI_SECRET = "s",
      DEFAULT_IDENTITY_CLIENT_ID = "d" }))
    call(azure.managed_identity({ MSI_ENDPOINT = source.origin .. "/oauth2/token" }))
    assert.are.same({ "from-ml", "from-shell" }, azure.tokens(service))
    assert.are.same({ "GET", "/ml?api-version=2017-09-01&" .. RESOURCE .. "&clientid=d",
      { "Accept: application/json", "secret: s" }, "" }, asked(1))
    local shell = asked(2)
    assert.are.same({ "POST", "/oauth2/token", RESOURCE }, { shell[1], shell[2], shell[4] })
  end)

  it("of Azure Arc proves that it can read the file it is shown", function()
    local pipe = io.popen("mktemp -d")
    local folder = pipe:read("*l")
    pipe:close()
    local file = assert(io.open(folder .. "/a.key", "wb"))
    file:write("the-arc-key")
    file:close()
    source:script({ steps.reply({ status = 401,
      headers = { ["WWW-Authenticate"] = "Basic realm=" .. folder .. "/a.key" } }), azure.token("from-arc") })
    assert.are.equal(204, call(azure.managed_identity({ IDENTITY_ENDPOINT = source.origin .. "/arc",
      IMDS_ENDPOINT = "http://localhost:40342" }, nil, { arc_keys = folder })).status)
    assert.are.same({ "from-arc" }, azure.tokens(service))
    assert.are.same({ "GET", "/arc?api-version=2020-06-01&" .. RESOURCE,
      { "Accept: application/json", "Metadata: true" }, "" }, asked(1))
    assert.are.same({ "Accept: application/json", "Metadata: true", "Authorization: Basic the-arc-key" }, asked(2)[3])
    os.remove(folder .. "/a.key")
    os.remove(folder)
  end)

  it("of Azure Arc reads no file of the server's choice", function()
    source:script({ steps.reply({ status = 401, headers = { ["WWW-Authenticate"] = "Basic realm=/etc/shadow" } }) })
    local err = calls.refusal(call, azure.managed_identity({ IDENTITY_ENDPOINT = source.origin .. "/arc",
      IMDS_ENDPOINT = "http://localhost:40342" }))
    assert.are.same({ "credential", "arc_challenge", "Azure Arc names a key file that is not a .key file in "
      .. "/var/opt/azcmagent/tokens; it was not read" }, { err.kind, err.code, err.message })
    assert.are.equal(1, #source:requests())
    assert.are.equal(0, #service:requests())
  end)

  it("of Service Fabric is asked over TLS, of the one certificate whose thumbprint the environment has", function()
    local fabric = scripted_server.start({ tls = certs.self_signed })
    local pipe = io.popen("openssl x509 -noout -fingerprint -sha1 -in " .. certs.self_signed.cert)
    local thumbprint = pipe:read("*a"):match("=([%x:]+)"):gsub(":", "")
    pipe:close()
    local function ask(print_of_it)
      fabric:script({ default = azure.token("from-fabric") })
      return call(azure.managed_identity({ IDENTITY_ENDPOINT = fabric.origin .. "/t", IDENTITY_HEADER = "the-secret",
        IDENTITY_SERVER_THUMBPRINT = print_of_it }), { retries = 0, timeout = 5 })
    end
    for _, wrong in ipairs({ ("0"):rep(40), thumbprint:sub(1, 39) .. (thumbprint:sub(40) == "0" and "1" or "0") }) do
      local err = calls.refusal(ask, wrong)
      assert.are.same({ "credential", "certificate" }, { err.kind, err.code })
    end
    assert.are.equal(0, #fabric:requests())
    assert.are.equal(204, ask(thumbprint).status)
    assert.are.equal(204, ask(thumbprint:lower()).status)
    local request = fabric:requests()[1]
    assert.are.same({ "/t?api-version=2019-07-01-preview&" .. RESOURCE, "the-secret" },
      { request.target, request.headers:get("secret") })
    assert.are.equal("certificate", calls.refusal(ask, ("0"):rep(40)).code) -- whatever connections are kept
    local err = calls.refusal(azure.managed_identity, { IDENTITY_ENDPOINT = "http://localhost", IDENTITY_HEADER = "h",
      IDENTITY_SERVER_THUMBPRINT = thumbprint })
    assert.are.equal("IDENTITY_ENDPOINT", err.argument)
    err = calls.refusal(ask, "abc")
    assert.are.same({ "argument", "IDENTITY_SERVER_THUMBPRINT" }, { err.kind, err.argument })
    err = calls.refusal(function()
      return azure.client(service, azure.managed_identity({ IDENTITY_ENDPOINT = fabric.origin, IDENTITY_HEADER = "h",
        IDENTITY_SERVER_THUMBPRINT = thumbprint }), { transport = function() return { status = 204 } end })
        :close_user_connections({ user = "alice" })
    end)
    assert.is_truthy(err.message:find("a transport of one's own cannot check a thumbprint", 1, true), err.message)
    fabric:stop()
  end)

  it("in the default chain is the one of AZURE_CLIENT_ID, where its source takes an id", function()
    local function asked_for(variables, defaults)
      source:reset()
      source:script({ default = azure.token("t") })
      variables.AZURE_CLIENT_ID = "the-id"
      call(azure.default(variables, { exclude = { "azure_cli", "azure_developer_cli" } }, defaults))
      return source:requests()[#source:requests()].target:match("client_id=([^&]*)")
    end
    assert.are.equal("the-id", asked_for({ IDENTITY_ENDPOINT = source.origin, IDENTITY_HEADER = "h" }))
    assert.are.equal("the-id", asked_for({}, { imds = source.origin }))
    assert.is_nil(asked_for({ IDENTITY_ENDPOINT = source.origin, IMDS_ENDPOINT = "h" }))
  end)

  it("is asked without a proxy", function()
    source:script({ azure.token("direct") })
    local client = azure.client(service, azure.managed_identity({}, nil, { imds = source.origin }),
      { proxy = "http://127.0.0.1:1", allow_http = true, retries = 0 })
    local err = calls.refusal(client.close_user_connections, client, { user = "alice" })
    assert.are.equal("transport", err.kind) -- the service is behind the proxy, and the source was reached
    assert.are.equal(1, #source:requests())
  end)

  it("where there is none says so", function()
    source:script({ default = azure.refusal(400, "invalid_request", "Identity not found") })
    local err = calls.refusal(call, azure.managed_identity({}, nil, { imds = source.origin }))
    assert.are.same({ "credential", "invalid_request", "IMDS answered 400 Bad Request, invalid_request: Identity not "
      .. "found" }, { err.kind, err.code, err.message })
  end)

  it("is refused before any request where its endpoint is another machine's, or its id cannot be", function()
    local err = calls.refusal(azure.managed_identity, { IDENTITY_ENDPOINT = "http://example.com/",
      IDENTITY_HEADER = "h" })
    assert.are.same({ "argument", "IDENTITY_ENDPOINT" }, { err.kind, err.argument })
    err = calls.refusal(azure.managed_identity, { MSI_ENDPOINT = "http://8.8.8.8/" })
    assert.are.equal("MSI_ENDPOINT", err.argument)
    err = calls.refusal(azure.managed_identity, { IDENTITY_ENDPOINT = "http://localhost/", IMDS_ENDPOINT = "x" },
      { client_id = "c" })
    assert.are.same({ "unsupported", "client_id" }, { err.code, err.argument })
    err = calls.refusal(azure.managed_identity, {}, { client_ids = "c" })
    assert.are.same({ "unknown", "client_ids" }, { err.code, err.argument })
  end)
end)
