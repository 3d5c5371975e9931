--- Help at a prompt, from the operations table.

local core = require "webpubsub.core"
local operations = require "webpubsub.operations"

local help = {}

local context_lines = {
  { "timeout", "seconds for the whole call, waits included (60)" },
  { "attempt_timeout", "seconds for one attempt (15)" },
  { "retries", "attempts after the first (3)" },
  { "retry", "{ retries, delay, factor, jitter, max_delay, statuses }" },
  { "headers", "{ [name] = value }, sent along" },
  { "request_id", "the id that support can find the call by; a UUID by default" },
  { "cancel", "function() -> true to withdraw the call" },
  { "errors", "\"return\": failures come back as nil and the error; \"raise\": they are raised" },
  { "no_throw", "true: a service error is returned as the response, with response.error" },
  { "classify", "{ [status] = true | false | \"retry\" } or function(response) -> the same: is it an error?" },
  { "policies", "{ per_call, per_attempt, before_send }: functions that see and may change the request" },
}

local function overview()
  local lines = { "webpubsub " .. core.version .. ": Azure Web PubSub " .. core.api_version, "",
    "  local client = webpubsub.new { connection_string = \"Endpoint=...;AccessKey=...\", hub = \"chat\" }",
    "  client:close_user_connections { user = \"alice\", reason = \"signed in elsewhere\" }", "" }
  for _, operation in ipairs(core.operations()) do
    lines[#lines + 1] = ("  %-34s %s"):format(operation.name, operation.doc)
  end
  lines[#lines + 1] = ""
  lines[#lines + 1] = "webpubsub.help \"close_user_connections\" tells more about one of them."
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
  for _, entry in ipairs(context_lines) do
    lines[#lines + 1] = ("      %-18s %s"):format(entry[1], entry[2])
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
