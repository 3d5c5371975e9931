-- What is made from the table of operations is what the table says now, and what is written beside it is complete.

local annotations = require("spec.generate.annotations")
local core = require("webpubsub.core")
local project = require("spec.support.project")
local readme = require("spec.generate.readme")

local function sorted(names)
  table.sort(names)
  return names
end

-- The names of the options that may stand there.
local function accepted(place)
  local names = {}
  for _, option in ipairs(core.options(place)) do names[#names + 1] = option.name end
  assert.is_true(#names > 0)
  return sorted(names)
end

-- The fields of a class of the annotations.
local function annotated(class)
  local names = {}
  local body = annotations.text():match("\n%-%-%-@class webpubsub%." .. class .. "%f[^%w][^\n]*\n(.-)\n\n")
  for name in body:gmatch("%-%-%-@field ([%w_]+)") do names[#names + 1] = name end
  return sorted(names)
end

describe("make generate", function()
  it("has been run since the annotations changed", function()
    assert.is_true(annotations.text() == project.read(annotations.path), annotations.path .. " is stale")
  end)

  it("has been run since the README's table of operations changed", function()
    local text = project.read(readme.path)
    assert.is_true(readme.text(text) == text, "the README's table of operations is stale")
  end)

  it("refuses a README without the table's markers", function()
    assert.has_error(function() readme.text("# No table\n") end,
      "README.md lacks the markers of the table of operations")
  end)
end)

describe("the annotations", function()
  it("know every option wherever it may stand, and no others", function()
    local classes = { new = "Options", context = "Context", retry = "Retry", client_access_url = "AccessArguments",
      each = "EachOptions", ["events.new"] = "events%.Options", connect = "events%.ConnectAnswer",
      user_event = "events%.UserAnswer", mqtt = "events%.MqttAnswer", rejection = "events%.MqttRejection",
      property = "events%.MqttUserProperty", client_secret = "ClientSecretOptions",
      client_certificate = "ClientCertificateOptions", workload_identity = "WorkloadIdentityOptions",
      managed_identity = "ManagedIdentityOptions", azure_cli = "ProgramOptions", default = "DefaultCredentialOptions" }
    for place, class in pairs(classes) do assert.are.same(accepted(place), annotated(class)) end
  end)

  it("know every method of the client, and no others", function()
    require("webpubsub.client")
    local methods, described = {}, {}
    for name in pairs(core.methods) do methods[#methods + 1] = name end
    for name in annotations.text():gmatch("\nfunction client:([%w_]+)%(") do described[#described + 1] = name end
    assert.are.same(sorted(methods), sorted(described))
  end)

  it("are Lua, though nobody loads them", function()
    assert.is_truthy((loadstring or load)(annotations.text())) -- luacheck: ignore 113
  end)

  it("mark what is required, and what may be left out", function()
    local text = annotations.text()
    assert.is_truthy(text:find("---@class webpubsub.CloseUserConnections\n---@field user string  the user's id\n"
      .. "---@field excluded? string[]  ", 1, true))
    assert.is_truthy(text:find("---@param arguments webpubsub.CloseUserConnections\n---@return webpubsub.Response "
      .. "response\nfunction client:close_user_connections(arguments) end\n", 1, true))
    assert.is_truthy(text:find("---@param arguments? webpubsub.CloseAllConnections\n", 1, true))
    assert.is_truthy(text:find('---@field permission "sendToGroup"|"joinLeaveGroup"  ', 1, true))
    assert.is_truthy(text:find("---@field ttl? integer  ", 1, true))
    assert.is_truthy(text:find("---@return boolean exists\n---@return webpubsub.Response response\n"
      .. "function client:user_exists(arguments) end\n", 1, true))
  end)
end)
