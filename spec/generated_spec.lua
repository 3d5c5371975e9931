-- What is made from the table of operations is what the table says now, and what is written beside it is complete.

local annotations = require("spec.generate.annotations")
local core = require("webpubsub.core")
local project = require("spec.support.project")
local readme = require("spec.generate.readme")
local reference = require("spec.generate.reference")

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

  it("has been run since the reference changed", function()
    assert.is_true(reference.text() == project.read(reference.path), reference.path .. " is stale")
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

  it("know everything that the module has, and nothing else", function()
    local fields, described = {}, {}
    for name in pairs(require("webpubsub")) do fields[#fields + 1] = name end
    local text = annotations.text()
    for name in text:match("%-%-%-@class webpubsub  .-\nlocal webpubsub"):gmatch("%-%-%-@field ([%w_]+)") do
      described[#described + 1] = name
    end
    for name in text:gmatch("\nfunction webpubsub%.([%w_]+)%(") do described[#described + 1] = name end
    assert.are.same(sorted(fields), sorted(described))
  end)

  it("are what editors find under the module's name, and programs do not", function()
    assert.is_truthy(annotations.text():find("^%-%-%-@meta webpubsub\n"))
    assert.are.equal("webpubsub.lua", annotations.path:match("[^/]*$"))
    for _, path in ipairs(project.files("lua/webpubsub")) do
      assert.is_true(path == annotations.path or not path:find("/webpubsub%.lua$"), path .. " would hide the module")
    end
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

describe("the reference", function()
  local text = reference.text()

  local function names(name)
    assert.is_truthy(text:find("`" .. name, 1, true), name .. " is not in " .. reference.path)
  end

  it("has every option, operation, parameter, method and error code", function()
    for _, place in ipairs({ "new", "context", "retry", "client_access_url", "each", "events.new", "connect",
      "user_event", "mqtt", "rejection", "property" }) do
      for _, option in ipairs(core.options(place)) do names(option.name) end
    end
    for _, operation in ipairs(core.operations()) do
      names("client:" .. operation.name .. " { … }")
      names(operation.method .. " " .. operation.path)
      for _, parameter in ipairs(operation.parameters) do names(parameter.name) end
    end
    for name in annotations.text():gmatch("\nfunction ([%w_.:]+)%(") do
      names((name:gsub("_async$", " { … }")))
    end
    for _, row in ipairs(core.codes()) do
      if row.code then names(row.code) end
    end
  end)

  it("has every class of the annotations that has fields", function()
    for name, after in annotations.text():gmatch("\n%-%-%-@class webpubsub%.([%w_.]+)[^\n]*\n([^\n]*)") do
      if after:find("@field") and not text:find("\n### " .. name .. "\n", 1, true) then
        local operation = name:gsub("%u", function(letter) return "_" .. letter:lower() end):sub(2)
        names("client:" .. operation .. " { … }")
      end
    end
  end)

  it("leads to sections that are there", function()
    local anchors = {}
    for title in text:gmatch("\n#+ ([^\n]*)") do
      anchors[title:lower():gsub("[^%w%- ]", ""):gsub(" ", "-")] = true
    end
    for anchor in text:gmatch("%(#([%w%-]+)%)") do assert.is_true(anchors[anchor], anchor) end
  end)
end)
