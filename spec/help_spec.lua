-- The help at a prompt, made from the operations table.

local core = require("webpubsub.core")
local help = require("webpubsub.help")
local process = require("spec.support.process")

local function has(text, part)
  assert.is_truthy(text:find(part, 1, true), ("%q is not in:\n%s"):format(part, text))
end

describe("the help on everything", function()
  local text = help.text()

  it("names every operation with its sentence, one a line", function()
    for _, operation in ipairs(core.operations()) do
      assert.is_truthy(("\n" .. text .. "\n"):find("\n  " .. operation.name .. " +" .. operation.doc:gsub("%p", "%%%0")
        .. "\n"), operation.name)
    end
  end)

  it("says which version it is of and how to begin", function()
    has(text, core.version)
    has(text, core.api_version)
    has(text, "webpubsub.new {")
    has(text, "client:close_user_connections {")
  end)
end)

describe("the help on one operation", function()
  for _, operation in ipairs(core.operations()) do
    it("tells about " .. operation.name, function()
      local text = help.text(operation.name)
      assert.are.equal(1, text:find(operation.doc, 1, true))
      has(text, "client:" .. operation.name .. " {")
      has(text, ("%s %s, answered with %d."):format(operation.method, operation.path, operation.success))
      for _, parameter in ipairs(operation.parameters) do
        has(text, parameter.name)
        has(text, (parameter.required and "required: " or "") .. parameter.doc)
        has(text, parameter.type)
      end
    end)
  end

  it("tells about every option of the context, and about no other", function()
    local text = help.text("service_status")
    local listed = text:match("for this call alone:\n(.-)\n  }")
    local client = core.client({ endpoint = "https://a.example", key = "k", hub = "h" })
    for name in (listed .. "\n"):gmatch("      (%S+) [^\n]*\n") do
      local _, err = pcall(core.prepare, client, "service_status", { context = { [name] = io.stdout } })
      assert.are.same({ "type", name }, { err.code, err.argument })
    end
    for _, name in ipairs({ "timeout", "attempt_timeout", "retries", "retry", "headers", "request_id", "cancel",
      "no_throw", "classify", "policies" }) do
      has(listed, "      " .. name .. " ")
    end
  end)
end)

describe("the help on what does not exist", function()
  it("names what was probably meant", function()
    assert.are.equal('There is no help on "close_user_connection"; did you mean "close_user_connections"?',
      help.text("close_user_connection"))
    assert.are.equal('There is no help on "remove_connection_from_all_group"; did you mean '
      .. '"remove_connection_from_all_groups"?', help.text("remove_connection_from_all_group"))
  end)

  it("names nothing where nothing is near", function()
    assert.are.equal('There is no help on "xyzzy".', help.text("xyzzy"))
    assert.are.equal('There is no help on "42".', help.text(42))
    assert.are.equal('There is no help on "".', help.text(""))
  end)
end)

describe("the help on other subjects", function()
  it("is named by the help on everything", function()
    local text = help.text()
    for _, subject in ipairs({ "new", "context", "retry", "credential", "errors", "each", "client_access_url", "events",
      "tasks" }) do
      has(text, subject)
      assert.is_nil(help.text(subject):find("There is no help", 1, true))
    end
  end)

  local places = { new = "new", context = "context", retry = "retry", client_access_url = "client_access_url",
    each = "each", events = "events.new" }
  for subject, place in pairs(places) do
    it("has every option of " .. place .. " with its default", function()
      local text = help.text(subject)
      for _, option in ipairs(core.options(place)) do
        local line = text:match("\n    " .. option.name .. " +([^\n]*)")
        assert.is_truthy(line, option.name)
        if option.default then has(line, "(" .. option.default:gsub("`", "") .. ")") end
        if option.world then has(line, "only " .. option.world) end
        if option.unit == "s" then has(line, "seconds ") end
      end
    end)
  end

  it("has every credential with its options", function()
    local text = help.text("credential")
    for kind in pairs(require("webpubsub").credential) do has(text, kind) end
    for _, kind in ipairs({ "client_secret", "client_certificate", "workload_identity", "managed_identity", "azure_cli",
      "default" }) do
      local section = text:match("\n  webpubsub%.credential%." .. kind .. " {\n(.-)\n  }")
      for _, option in ipairs(core.options(kind)) do has(section, "    " .. option.name .. " ") end
    end
  end)

  it("has every kind of error and every code, with what to do", function()
    local text = help.text("errors")
    for _, row in ipairs(core.codes()) do
      has(text, (row.code or row.kind) .. " ")
      has(text, (row.meaning:gsub("`", "")))
      if row.advice then has(text, (row.advice:gsub("`", ""))) end
    end
  end)

  it("has every method of a task", function()
    local text = help.text("tasks")
    for _, method in ipairs({ "done", "result", "await", "on_done", "cancel" }) do
      has(text, "task:" .. method .. "(")
    end
  end)

  it("suggests a subject as it suggests an operation", function()
    assert.are.equal('There is no help on "error"; did you mean "errors"?', help.text("error"))
  end)
end)

describe("help.print", function()
  it("prints the text", function()
    local result = process.run_lua('local h = require "webpubsub".help h "user_exists" h()')
    assert.are.equal(help.text("user_exists") .. "\n" .. help.text() .. "\n", result.stdout)
  end)
end)
