--- Help at a prompt, from the tables of operations, options and error codes.

local concat, ipairs, print, tostring = table.concat, ipairs, print, tostring

local core = require "webpubsub.core"
local operations = require "webpubsub.operations"

local help = {}

local TWIN = "client:%s_async { ... } does not wait: it returns a task; see webpubsub.help \"tasks\"."

-- "seconds for one attempt (15)"
local function describe(option)
  local doc = (option.unit == "s" and "seconds " or option.unit and option.unit .. " " or "") .. option.doc
  doc = doc .. (option.default and " (" .. option.default .. ")" or "")
  return ((doc .. (option.world and "; only " .. option.world or "")):gsub("`", ""))
end

-- "string or false", or the word that says more.
local function type_of(option)
  local plain = option.type ~= "" and option.type or "any"
  return option.annotation == "integer" and "integer" or plain
end

local function add_options(lines, place, indent)
  for _, option in ipairs(core.options(place)) do
    lines[#lines + 1] = ("%s%-20s %-18s %s"):format(indent, option.name, type_of(option), describe(option))
  end
end

-- ---------------------------------------------------------------- subjects

-- A table of options, with how it is given and what is to be known beside it.
local function options_of(place, head, foot)
  return function()
    local lines = { head[1], "", head[2] }
    add_options(lines, place, "    ")
    lines[#lines + 1] = head[3]
    for _, line in ipairs(foot or {}) do lines[#lines + 1] = line end
    return lines
  end
end

local subjects = {
  new = options_of("new", { "Makes a client. Nothing is sent.", "  webpubsub.new {", "  }" },
    { "", "It takes connection_string; or endpoint with key; or endpoint with credential.",
      "WEBPUBSUB_LOG=debug in the environment prints what calls do, without ids and secrets." }),
  context = options_of("context", { "What holds for one call alone, beside an operation's other arguments.",
    "  client:close_user_connections { user = \"alice\", context = {", "  } }" }),
  retry = options_of("retry", { "How attempts follow one another, for a client or one call.", "  retry = {", "  }" },
    { "", "0 retries: the request reaches the service at most once." }),
  client_access_url = options_of("client_access_url", {
    "A URL with which a WebSocket client connects, and the token that is in it.",
    "  local url, token = client:client_access_url {", "  }" }),
  each = options_of("each", { "Calls one operation for many items, several at a time, and returns a summary.",
    "  client:each(\"close_user_connections\", { \"alice\", \"bob\" }, {", "  })" },
    { "", "Items are tables of arguments, or strings for the one required argument; a list, or an iterator function.",
      "The summary: total, succeeded, failed, failures, completed_through, elapsed, rate, cancelled, interrupted." }),
  events = options_of("events.new", { "Handles the requests with which the service tells of its clients' events.",
    "  local handler = webpubsub.events.new {", "  }" },
    { "", "Inside NGINX: content_by_lua_block { handler:serve() }. Elsewhere:",
      "  local status, headers, body = handler:handle(method, headers, body)",
      "webpubsub.events.reject(status, message) is what a handler returns to refuse." }),
}

local CREDENTIALS = { "default", "managed_identity", "workload_identity", "client_certificate", "client_secret",
  "azure_cli" }

function subjects.credential()
  local lines = { "Entra ID in the place of a key: credential = webpubsub.credential.default(), or one of these.",
    "azure_developer_cli takes what azure_cli takes; chain takes a list, and uses the first that works." }
  for _, kind in ipairs(CREDENTIALS) do
    lines[#lines + 1] = ""
    lines[#lines + 1] = "  webpubsub.credential." .. kind .. " {"
    add_options(lines, kind, "    ")
    lines[#lines + 1] = "  }"
  end
  return lines
end

function subjects.errors()
  local lines = { "Failures are raised; with errors = \"return\" they come back as nil and the error.", "",
    "  local ok, err = pcall(client.close_user_connections, client, { user = \"alice\" })",
    "  err.kind, err.code, err.message, err.status, err.retryable, err.request_id, err.attempts, err.response",
    "  of an argument error also err.argument, and err.where: the line of the program that made the call" }
  for _, row in ipairs(core.codes()) do
    if not row.code then lines[#lines + 1] = "" end
    lines[#lines + 1] = ((row.code and "    %-18s %s%s" or "  %-20s %s%s"):format(row.code or row.kind, row.meaning,
      row.code and row.retryable and " (retried)" or ""):gsub("`", ""))
    if row.advice then lines[#lines + 1] = (" "):rep(25) .. row.advice:gsub("`", "") end
  end
  return lines
end

function subjects.tasks()
  return { "Each operation has a twin, ..._async, that does not wait: it returns a task.", "",
    "  local task = client:close_user_connections_async { user = \"alice\" }",
    "  client:poll(0)                 once a tick: lets tasks go on, never blocks; poll(1) waits at most a second",
    "  task:done()                    is it over?",
    "  task:result()                  of one that is over: what the method returns, or nil and its error",
    "  task:await()                   waits for its end; raises what the method itself would",
    "  task:on_done(callback)         callback(response, err) at its end",
    "  task:cancel()                  withdraws it: it ends with a cancelled error",
    "  webpubsub.gather { task, ... } waits for all of them",
    "  client:pending()               how many are not over", "",
    "cqueues and NGINX let tasks go on by themselves; luv does after client:attach_luv()." }
end

local ORDER = { "new", "context", "retry", "credential", "errors", "each", "client_access_url", "events", "tasks" }

local function overview()
  local lines = { "webpubsub " .. core.version .. ": Azure Web PubSub " .. core.api_version, "",
    "  local client = webpubsub.new { connection_string = \"Endpoint=...;AccessKey=...\", hub = \"chat\" }",
    "  client:close_user_connections { user = \"alice\", reason = \"signed in elsewhere\" }", "" }
  for _, operation in ipairs(core.operations()) do
    lines[#lines + 1] = ("  %-34s %s"):format(operation.name, operation.doc)
  end
  lines[#lines + 1] = ""
  lines[#lines + 1] = "webpubsub.help \"close_user_connections\" tells more about one of them, and of:"
  lines[#lines + 1] = "  " .. concat(ORDER, ", ")
  lines[#lines + 1] = "A URL has at most 12 KiB (option max_url_bytes), of which a token leaves about 11 for arguments."
  return lines
end

local function details(operation)
  local lines = { operation.doc, "", "  client:" .. operation.name .. " {" }
  for _, parameter in ipairs(operation.parameters) do
    lines[#lines + 1] = ("    %-20s %-18s %s"):format(parameter.name, parameter.type,
      (parameter.required and "required: " or "") .. parameter.doc)
  end
  lines[#lines + 1] = ("    %-20s %-18s %s"):format("context", "table", "for this call alone:")
  add_options(lines, "context", "      ")
  lines[#lines + 1] = "  }"
  lines[#lines + 1] = ""
  lines[#lines + 1] = ("%s %s, answered with %d."):format(operation.method, operation.path, operation.success)
  lines[#lines + 1] = TWIN:format(operation.name)
  return lines
end

-- Both kinds of names, for the one that was probably meant.
local function nothing(name)
  local names = {}
  for _, subject in ipairs(ORDER) do names[#names + 1] = subject end
  for _, operation in ipairs(core.operations()) do names[#names + 1] = operation.name end
  local meant = core.nearest(tostring(name), names)
  return ("There is no help on \"%s\"%s"):format(tostring(name), meant and "; did you mean \"" .. meant .. "\"?" or ".")
end

--- The help text on one subject, or on all of them.
---@param name string|nil  an operation's name, or one of "new", "context", "retry", "credential", "errors",
---  "each", "client_access_url", "events", "tasks"
---@return string
function help.text(name)
  if name == nil then return concat(overview(), "\n") end
  local operation = operations.find(name)
  if operation then return concat(details(operation), "\n") end
  return subjects[name] and concat(subjects[name](), "\n") or nothing(name)
end

--- Prints it.
---@param name string|nil
function help.print(name)
  print(help.text(name))
end

return help
