--- Help at a prompt, from the tables of operations and options.

local core = require "webpubsub.core"
local operations = require "webpubsub.operations"

local help = {}

-- "seconds for one attempt (15)"
local function describe(option)
  local doc = (option.unit == "s" and "seconds " or option.unit and option.unit .. " " or "") .. option.doc
  return ((doc .. (option.default and " (" .. option.default .. ")" or "")):gsub("`", ""))
end

local function overview()
  local lines = { "webpubsub " .. core.version .. ": Azure Web PubSub " .. core.api_version, "",
    "  local client = webpubsub.new { connection_string = \"Endpoint=...;AccessKey=...\", hub = \"chat\" }",
    "  client:close_user_connections { user = \"alice\", reason = \"signed in elsewhere\" }", "" }
  for _, operation in ipairs(core.operations()) do
    lines[#lines + 1] = ("  %-34s %s"):format(operation.name, operation.doc)
  end
  lines[#lines + 1] = ""
  lines[#lines + 1] = "webpubsub.help \"close_user_connections\" tells more about one of them."
  lines[#lines + 1] = "A URL has at most 12 KiB (option max_url_bytes), of which a token leaves about 11 for arguments."
  lines[#lines + 1] = "Each has a twin, ..._async, that does not wait: it returns a task, to poll, await or cancel."
  return lines
end

local function details(operation)
  local lines = { operation.doc, "", "  client:" .. operation.name .. " {" }
  local function add(name, kind, doc)
    lines[#lines + 1] = ("    %-20s %-18s %s"):format(name, kind, doc)
  end
  for _, parameter in ipairs(operation.parameters) do
    add(parameter.name, parameter.type, (parameter.required and "required: " or "") .. parameter.doc)
  end
  add("context", "table", "for this call alone:")
  for _, option in ipairs(core.options("context")) do
    lines[#lines + 1] = ("      %-18s %s"):format(option.name, describe(option))
  end
  lines[#lines + 1] = "  }"
  lines[#lines + 1] = ""
  lines[#lines + 1] = ("%s %s, answered with %d."):format(operation.method, operation.path, operation.success)
  lines[#lines + 1] = ("client:%s_async { ... } does not wait: it returns a task."):format(operation.name)
  return lines
end

--- The help text on one operation, or on all of them.
---@param name string|nil  an operation's name
---@return string
function help.text(name)
  if name == nil then return table.concat(overview(), "\n") end
  local operation, hint = operations.find(name)
  if operation then return table.concat(details(operation), "\n") end
  return ("There is no operation \"%s\"%s"):format(tostring(name), hint ~= "" and hint or ".")
end

--- Prints it.
---@param name string|nil
function help.print(name)
  print(help.text(name))
end

return help
