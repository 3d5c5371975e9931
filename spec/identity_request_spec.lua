-- Requests for tokens of Entra ID, field by field.

local calls = require("spec.support.calls")
local core = require("webpubsub.core")
local identities = require("spec.support.identities")

local CP1 = '{"access_token":{"xms_cc":{"values":["cp1"]}}}'
local JWT_BEARER = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

local function sent_by(identity, claims)
  return identities.sent(assert(identity:prepare(calls.WALL, claims)))
end

local function temporary(text)
  local path = os.tmpname()
  local file = assert(io.open(path, "wb"))
  file:write(text)
  file:close()
  return path
end

describe("a request of Entra ID", function()
  it("with a client secret is a form", function()
    local sent = sent_by(identities.new())
    assert.are.same({ "POST", "https://login.microsoftonline.com/contoso.onmicrosoft.com/oauth2/v2.0/token",
      "/contoso.onmicrosoft.com/oauth2/v2.0/token" }, { sent.method, sent.url, sent.target })
    assert.are.same({ "Accept: application/json", "Content-Type: application/x-www-form-urlencoded" }, sent.headers)
    assert.are.equal("grant_type=client_credentials&client_id=app-id&scope=https%3A%2F%2Fwebpubsub.azure.com%2F.default"
      .. "&client_secret=a%26b%3Dc%20d%25%C3%A9&claims=%7B%22access_token%22%3A%7B%22xms_cc%22%3A%7B%22values%22%3A%5B"
      .. "%22cp1%22%5D%7D%7D%7D", sent.body)
  end)

  it("with a federated token has the text of its file, read anew for each", function()
    local path = temporary("first.token\n")
    local identity = identities.new({ source = "assertion", secret = false, token_file = path })
    assert.are.same({ { "grant_type", "client_credentials" }, { "client_id", "app-id" },
      { "scope", "https://webpubsub.azure.com/.default" }, { "client_assertion_type", JWT_BEARER },
      { "client_assertion", "first.token" }, { "claims", CP1 } }, identities.form(sent_by(identity).body))
    local file = assert(io.open(path, "wb"))
    file:write("second.token")
    file:close()
    assert.are.equal("second.token", identities.field(sent_by(identity).body, "client_assertion"))
    os.remove(path)
    local call, code, message = identity:prepare(calls.WALL)
    assert.are.same({ nil, "file", "the file of the federated token cannot be read: No such file or directory" },
      { call, code, message })
  end)

  it("refuses files that are none, too long, or hold nothing", function()
    local identity = identities.new({ source = "assertion", secret = false, token_file = "/dev/zero" })
    assert.is_truthy(select(3, identity:prepare(calls.WALL)):find("not a regular file", 1, true))
    local path = temporary(("x"):rep(65537))
    identity = identities.new({ source = "assertion", secret = false, token_file = path })
    assert.is_truthy(select(3, identity:prepare(calls.WALL)):find("more than 65536 bytes", 1, true))
    os.remove(path)
    path = temporary(" \n")
    identity = identities.new({ source = "assertion", secret = false, token_file = path })
    assert.are.equal("the assertion is empty or has control bytes", select(3, identity:prepare(calls.WALL)))
    os.remove(path)
  end)

  it("goes to another cloud, for another scope", function()
    local sent = sent_by(identities.new({ place = "login.microsoftonline.us", place_name = "AZURE_AUTHORITY_HOST",
      scope = "https://webpubsub.azure.us/.default" }))
    assert.are.equal("https://login.microsoftonline.us/contoso.onmicrosoft.com/oauth2/v2.0/token", sent.url)
    assert.are.equal("https://webpubsub.azure.us/.default", identities.field(sent.body, "scope"))
  end)

  it("merges the claims of a challenge with this client's capabilities", function()
    local identity = identities.new()
    for given, merged in pairs({
      ['{}'] = CP1,
      [' {"id_token" : {"a":1}}'] = ' {"access_token":{"xms_cc":{"values":["cp1"]}},"id_token" : {"a":1}}',
      ['{"access_token":{}}'] = CP1,
      ['{"access_token":{"nbf":{"essential":true,"value":"1604106651"}}}'] =
        '{"access_token":{"xms_cc":{"values":["cp1"]},"nbf":{"essential":true,"value":"1604106651"}}}',
      ['{"access_token":{"xms_cc":{"values":["cp1","x"]}}}'] = '{"access_token":{"xms_cc":{"values":["cp1","x"]}}}',
    }) do
      assert.are.equal(merged, identities.field(sent_by(identity, given).body, "claims"))
    end
    for _, given in ipairs({ "", "[]", "null", '{"access_token":null}', '{"access_token":{}', '{"a":1}x',
      '{"access_token":{},"access_token":{}}' }) do
      local _, code = identity:prepare(calls.WALL, given)
      assert.are.equal("claims", code, given)
    end
  end)
end)

describe("a request of a managed identity", function()
  local RESOURCE = "resource=https%3A%2F%2Fwebpubsub.azure.com"

  it("of App Service has its secret in a header, and keeps the slash of its endpoint", function()
    local sent = sent_by(identities.managed("app_service", { place = "http://169.254.129.3:8081/msi/token",
      secret = "the-header" }))
    assert.are.same({ "GET", "http://169.254.129.3:8081/msi/token?api-version=2019-08-01&" .. RESOURCE,
      "/msi/token?api-version=2019-08-01&" .. RESOURCE }, { sent.method, sent.url, sent.target })
    assert.are.same({ "Accept: application/json", "X-IDENTITY-HEADER: the-header" }, sent.headers)
    assert.is_nil(sent.body)
    sent = sent_by(identities.managed("app_service", { place = "http://100.64.1.2:80/MSI/token/", secret = "h" }))
    assert.are.equal("http://100.64.1.2/MSI/token/?api-version=2019-08-01&" .. RESOURCE, sent.url)
  end)

  it("has a path, even where its endpoint has none", function()
    local sent = sent_by(identities.managed("app_service", { place = "http://localhost:1", secret = "h" }))
    assert.are.equal("/?api-version=2019-08-01&" .. RESOURCE, sent.target)
    assert.are.equal("http://localhost:1/?api-version=2019-08-01&" .. RESOURCE, sent.url)
    assert.are.equal("/", sent_by(identities.managed("cloud_shell", { place = "http://localhost:1" })).target)
  end)

  it("of a virtual machine says Metadata", function()
    local sent = sent_by(identities.managed("imds"))
    assert.are.equal("http://169.254.169.254/metadata/identity/oauth2/token?api-version=2018-02-01&" .. RESOURCE,
      sent.url)
    assert.are.same({ "Accept: application/json", "Metadata: true" }, sent.headers)
  end)

  it("of Azure Arc, ML, Cloud Shell and Service Fabric has what each wants", function()
    local sent = sent_by(identities.managed("arc", { place = "http://localhost:40342/metadata/identity/oauth2/token" }))
    assert.are.equal("http://localhost:40342/metadata/identity/oauth2/token?api-version=2020-06-01&" .. RESOURCE,
      sent.url)
    assert.are.same({ "Accept: application/json", "Metadata: true" }, sent.headers)
    sent = sent_by(identities.managed("azure_ml", { place = "http://10.0.0.4/msi/token", secret = "s",
      client_id = "c" }))
    assert.are.equal("http://10.0.0.4/msi/token?api-version=2017-09-01&" .. RESOURCE .. "&clientid=c", sent.url)
    assert.are.same({ "Accept: application/json", "secret: s" }, sent.headers)
    sent = sent_by(identities.managed("cloud_shell", { place = "http://localhost:50342/oauth2/token" }))
    assert.are.same({ "POST", "http://localhost:50342/oauth2/token", RESOURCE }, { sent.method, sent.url, sent.body })
    assert.are.same({ "Accept: application/json", "Metadata: true", "Content-Type: application/x-www-form-urlencoded" },
      sent.headers)
    sent = sent_by(identities.managed("service_fabric", { place = "https://localhost:2377/x", secret = "s" }))
    assert.are.equal("https://localhost:2377/x?api-version=2019-07-01-preview&" .. RESOURCE, sent.url)
    assert.are.same({ "Accept: application/json", "secret: s" }, sent.headers)
  end)

  it("names one identity of several as its source wants it", function()
    local names = {
      app_service = { client_id = "client_id", object_id = "principal_id", resource_id = "mi_res_id" },
      imds = { client_id = "client_id", object_id = "object_id", resource_id = "msi_res_id" },
    }
    for source, parameters in pairs(names) do
      for option, parameter in pairs(parameters) do
        local sent = sent_by(identities.managed(source, { place = "http://169.254.1.1/t", [option] = "/a/b",
          secret = "s" }))
        assert.is_truthy(sent.url:find("&" .. parameter .. "=%2Fa%2Fb", 1, true), sent.url)
      end
    end
    for _, source in ipairs({ "arc", "cloud_shell", "service_fabric" }) do
      local err = calls.refusal(identities.managed, source, { place = "http://localhost/t", client_id = "c" })
      assert.are.same({ "unsupported", "client_id" }, { err.code, err.argument })
    end
    local err = calls.refusal(identities.managed, "imds", { client_id = "c", object_id = "o" })
    assert.are.equal("object_id", err.argument)
  end)

  it("leaves Metadata out to see whether anybody is there", function()
    local sent = identities.sent(identities.managed("imds"):probe(1))
    assert.are.same({ "Accept: application/json" }, sent.headers)
  end)
end)

describe("an identity", function()
  it("refuses tenants that would change the path, and other wrong parts, before any request", function()
    for _, tenant in ipairs({ "", ".", "..", "a/b", "a b", "a?b", "a%2e", "contoso\0", "..%2f" }) do
      local err = calls.refusal(identities.new, { tenant = tenant })
      assert.are.same({ "argument", "tenant" }, { err.kind, err.argument }, tenant)
    end
    for _, wrong in ipairs({ { client_id = false }, { client_id = "" }, { client_id = "a b" }, { secret = false },
      { secret = "" }, { scope = "https://x" }, { scope = "/.default" }, { scope = "a b/.default" } }) do
      local err = calls.refusal(identities.new, wrong)
      assert.are.equal("argument", err.kind)
      assert.are.equal(next(wrong), err.argument)
    end
    local err = calls.refusal(identities.managed, "app_service", { place = "http://127.0.0.1/", secret = "a\r\nb" })
    assert.are.equal("secret", err.argument)
  end)

  it("asks over plain http nearby only", function()
    local function is_taken(source, place)
      local fields = { place = place, place_name = "authority", secret = "s" }
      if source == "client_secret" then return (pcall(identities.new, fields)) end
      return (pcall(identities.managed, source, fields))
    end
    for _, near in ipairs({ "http://localhost:1", "http://127.0.0.1", "http://127.255.0.1", "http://[::1]:80",
      "http://169.254.169.254", "http://[fe80::1]" }) do
      assert.is_true(is_taken("client_secret", near), near)
      assert.is_true(is_taken("app_service", near), near)
      assert.is_true(is_taken("imds", near), near)
    end
    for _, private in ipairs({ "http://10.0.0.1", "http://172.16.0.1", "http://172.31.255.255:8081/msi/token",
      "http://192.168.1.1", "http://100.64.0.1", "http://100.127.255.255", "http://[fd00::1]" }) do
      assert.is_false(is_taken("client_secret", private), private)
      assert.is_false(is_taken("imds", private), private)
      assert.is_true(is_taken("app_service", private), private)
      assert.is_true(is_taken("cloud_shell", private), private)
    end
    for _, far in ipairs({ "http://example.com", "http://8.8.8.8", "http://172.32.0.1", "http://172.15.0.1",
      "http://100.128.0.1", "http://100.63.0.1", "http://169.253.0.1", "http://10.example.com", "http://010.0.0.1",
      "http://10.0.0.256", "http://10.0.0", "http://10.0.0.1.2", "http://192.169.1.1" }) do
      assert.is_false(is_taken("client_secret", far), far)
      assert.is_false(is_taken("app_service", far), far)
    end
    assert.is_true(is_taken("client_secret", "https://example.com"))
  end)

  it("is reached without a proxy where it is near", function()
    assert.are.same({ "https://login.microsoftonline.com", false }, { identities.new():origin() })
    assert.are.same({ "http://127.0.0.1:8", true }, { identities.new({ place = "http://127.0.0.1:8" }):origin() })
    assert.are.same({ "http://169.254.169.254", true }, { identities.managed("imds"):origin() })
    assert.are.same({ "http://10.1.2.3", true },
      { identities.managed("app_service", { place = "http://10.1.2.3/t", secret = "s" }):origin() })
  end)

  it("has no secret in what is printed of it", function()
    assert.are.equal("webpubsub identity (Entra ID)", tostring(identities.new()))
    assert.is_false(getmetatable(identities.new()))
    local err = calls.refusal(core.identity, identities.parts({ secret = "5ecr3t", tenant = ".." }), "credential.test")
    assert.is_nil(calls.everything_said(err):find("5ecr3t", 1, true))
  end)
end)
