-- Makes lua/webpubsub/README.md, the reference: the guide, the annotations for people, and the tables of
-- operations and error codes.

local annotations = require("spec.generate.annotations")
local core = require("webpubsub.core")
local project = require("spec.support.project")

local reference = {}

reference.path = "lua/webpubsub/README.md"
reference.guide = "spec/generate/guide.md" -- what people wrote; it comes first

local HEAD = [[
# Reference

Every function, option, field, event and error code of `webpubsub` %s, for the service's data plane %s. Made by
`make generate` from the tables that the library itself checks arguments with; do not edit. At a prompt,
`webpubsub.help "new"` prints the same.

* [The module](#the-module), [options of a client](#options-of-a-client), [context of a call](#context-of-a-call)
* [Operations](#operations), [other methods of a client](#other-methods-of-a-client)
* [What comes back](#what-comes-back), [error codes](#error-codes)
* [What functions of the program see](#what-functions-of-the-program-see), [events](#events)
* [Editors](#editors), [sources](#sources)

Names with `?` may be left out. Seconds are numbers and may have fractions. Wrong names and types of arguments are
raised before anything is sent, in both error modes.
]]

local EDITORS = [[
## Editors

[lua-language-server](https://luals.github.io) completes methods, arguments and options, shows what they mean, and finds
misspelt methods and fields, wrong types and missing arguments. It reads `library/webpubsub.lua`, which programs never
load. Tell it where that is, in a project's `.luarc.json`:

```json
{ "workspace.library": ["/usr/local/share/lua/5.4/webpubsub/library"], "type.checkTableShape": true }
```

An argument with a name that does not exist is found when the call is made, not in the editor: the language server takes
any additional field.
]]

local SOURCES = [[
## Sources

* Operations, their parameters and statuses: [Azure Web PubSub data plane REST API][rest], api-version %s.
* Attempts, delays and the statuses that are tried again: the defaults of the vendor's .NET client.
* `max_url_bytes`: documented for Azure SignalR Service, which shares the front end.
* Roles, subprotocols and client URLs: [client access and protocols][clients].
* Events, their headers and answers: [CloudEvents protocol for event handlers][events].

[rest]: https://learn.microsoft.com/rest/api/webpubsub/dataplane/web-pub-sub
[clients]: https://learn.microsoft.com/azure/azure-web-pubsub/concept-client-protocols
[events]: https://learn.microsoft.com/azure/azure-web-pubsub/reference-cloud-events
]]

-- ---------------------------------------------------------------- the annotations, read

local function read_class(name, doc)
  return { name = name:match("^[%w_.]+"), parent = name:match(": *([%w_.]+)"), doc = doc, fields = {} }
end

-- The doc of the last thing grows by a line that has no tag of its own.
local function continue(last, line)
  if last then last.doc = (last.doc .. " " .. line:match("^%-%-%-%s*(.*)$")):gsub("^ ", "") end
end

-- Splits "type  doc" where two blanks stand.
local function type_and_doc(text)
  local kind, doc = text:match("^(.-)  (.*)$")
  return kind or text, doc or ""
end

local readers = {}

function readers.class(state, rest)
  local name, doc = type_and_doc(rest)
  local class = read_class(name, doc)
  state.classes[class.name], state.class, state.last = class, class, class
  state.order[#state.order + 1] = class
end

function readers.field(state, rest)
  local name, kind = rest:match("^(%S+) (.*)$")
  local field = { name = name }
  field.type, field.doc = type_and_doc(kind)
  state.class.fields[#state.class.fields + 1], state.last = field, field
end

function readers.param(state, rest)
  local name, kind = rest:match("^(%S+) (.*)$")
  local parameter = { name = name }
  parameter.type, parameter.doc = type_and_doc(kind)
  state.parameters[#state.parameters + 1], state.last = parameter, parameter
end

readers["return"] = function(state, rest)
  local value = {}
  value.type, value.doc = type_and_doc(rest)
  state.returns[#state.returns + 1], state.last = value, value
end

local function finish_function(state, name, given)
  state.functions[#state.functions + 1] = { name = name, given = given, doc = state.doc,
    parameters = state.parameters, returns = state.returns }
end

local function begin_block(state)
  state.doc, state.parameters, state.returns, state.last = "", {}, {}, nil
end

-- What the annotations say: classes, in their order, and functions.
local function read(text)
  local state = { classes = {}, order = {}, functions = {} }
  begin_block(state)
  for line in text:gmatch("([^\n]*)\n") do
    local tag, rest = line:match("^%-%-%-@(%a+) ?(.*)$")
    local name, given = line:match("^function ([%w_.:]+)(%b())")
    if tag and readers[tag] then
      readers[tag](state, rest)
    elseif name then
      finish_function(state, name, given)
    elseif line:find("^%-%-%- ") and state.last then
      continue(state.last, line)
    elseif line:find("^%-%-%- ") then
      state.doc = (state.doc .. " " .. line:sub(5)):gsub("^ ", "")
    elseif line == "" then
      begin_block(state)
    end
  end
  return state
end

-- ---------------------------------------------------------------- written for people

local function cell(text)
  return (text:gsub("|", "\\|"))
end

local function code(text)
  return "`" .. cell(text:gsub("webpubsub%.", "")) .. "`"
end

local function fields_table(lines, fields)
  if #fields == 0 then return end
  lines[#lines + 1] = "| | type | |"
  lines[#lines + 1] = "|---|---|---|"
  for _, field in ipairs(fields) do
    lines[#lines + 1] = ("| `%s` | %s | %s |"):format(field.name, code(field.type), cell(field.doc))
  end
  lines[#lines + 1] = ""
end

local function sentence(text)
  return text == "" and "" or (text:gsub("^%l", string.upper):gsub("([^.])$", "%1."))
end

local function class_section(lines, class, title)
  lines[#lines + 1] = "### " .. (title or class.name:gsub("^webpubsub%.", ""))
  lines[#lines + 1] = ""
  local doc = class.doc .. (class.parent and (class.doc ~= "" and "; " or "") .. "like `"
    .. class.parent:gsub("webpubsub%.", "") .. "`, with" or "")
  if doc ~= "" then
    lines[#lines + 1] = sentence(doc)
    lines[#lines + 1] = ""
  end
  fields_table(lines, class.fields)
end

local function function_section(lines, method)
  lines[#lines + 1] = ("### `%s%s`"):format(method.name, method.given)
  lines[#lines + 1] = ""
  lines[#lines + 1] = method.doc
  lines[#lines + 1] = ""
  fields_table(lines, method.parameters)
  for _, value in ipairs(method.returns) do
    local kind, name = value.type:match("^(.+) (%l[%w_]*)$")
    lines[#lines + 1] = ("* returns %s %s%s"):format(name and "`" .. name .. "`" or "", code(kind or value.type),
      value.doc ~= "" and ": " .. value.doc or ""):gsub("  ", " ")
  end
  if #method.returns > 0 then lines[#lines + 1] = "" end
end

local function operation_section(lines, state, operation)
  local method
  for _, candidate in ipairs(state.functions) do
    if candidate.name == "client:" .. operation.name then method = candidate end
  end
  local arguments = state.classes[method.parameters[1].type]
  lines[#lines + 1] = ("### `client:%s { … }`"):format(operation.name)
  lines[#lines + 1] = ""
  lines[#lines + 1] = operation.doc
  lines[#lines + 1] = ""
  fields_table(lines, arguments.fields)
  local returned = {}
  for _, value in ipairs(method.returns) do
    local kind = value.type:match("^(.+) %l[%w_]*$") or value.type
    returned[#returned + 1] = code(kind) .. (value.doc ~= "" and " " .. value.doc or "")
  end
  lines[#lines + 1] = ("Returns %s. `%s %s`, answered with %d%s."):format(table.concat(returned, ", "),
    operation.method, operation.path, operation.success, operation.signed and "" or "; without a token")
  lines[#lines + 1] = ""
end

local CODES_HEAD = "| code | retried | | what to do |\n|---|---|---|---|"

local function codes_section(lines)
  lines[#lines + 1] = "## Error codes\n"
  lines[#lines + 1] = "\"Retried\" says whether another attempt is made, where the call has retries and time left.\n"
  for _, row in ipairs(core.codes()) do
    if not row.code then
      lines[#lines + 1] = ("%s### %s\n\n%s%s\n"):format(lines[#lines]:find("^|") and "\n" or "", row.kind,
        sentence(row.meaning), row.advice and " " .. sentence(row.advice) or "")
    else
      if not lines[#lines]:find("^|") then lines[#lines + 1] = CODES_HEAD end
      lines[#lines + 1] = ("| `%s` | %s | %s | %s |"):format(row.code, row.retryable and "yes" or "no",
        cell(row.meaning), cell(row.advice or ""))
    end
  end
  lines[#lines + 1] = ""
end

-- Where each class stands; those of events follow by their prefix.
local OPTIONS = { "Options" }
local CONTEXT = { "Context", "Retry", "Policies" }
local GIVEN = { "AccessArguments", "EachOptions" }
local RETURNED = { "Response", "Error", "ErrorDetail", "Members", "Member", "Page", "Task", "QuestionTask", "PageTask",
  "Summary", "Result", "DeferredCounts" }

local function classes_section(lines, state, names, written)
  for _, name in ipairs(names) do
    local class = state.classes["webpubsub." .. name]
    written[class.name] = true
    class_section(lines, class)
  end
end

-- Those of a list of classes or functions that are not in another section.
local function rest_of(state, written, pattern, without)
  local names = {}
  for _, class in ipairs(state.order) do
    local name = class.name:match(pattern)
    if name and not written[class.name] and #class.fields > 0 and not (without and class.name:find(without)) then
      names[#names + 1] = name
    end
  end
  return names
end

--- The file's text.
---@return string
function reference.text()
  local state = read(annotations.text())
  local written, lines = {}, { project.read(reference.guide) .. HEAD:format(core.version, core.api_version) }
  local is_operation = {}
  for _, operation in ipairs(core.operations()) do
    is_operation["client:" .. operation.name], is_operation["client:" .. operation.name .. "_async"] = true, true
    written["webpubsub." .. ("_" .. operation.name):gsub("_(%l)", string.upper)] = true
  end
  local function functions(pattern)
    for _, method in ipairs(state.functions) do
      if method.name:find(pattern) and not is_operation[method.name] then function_section(lines, method) end
    end
  end

  lines[#lines + 1] = "## The module\n"
  fields_table(lines, state.classes.webpubsub.fields)
  written.webpubsub = true
  functions("^webpubsub%.")
  lines[#lines + 1] = "## Options of a client\n"
  classes_section(lines, state, OPTIONS, written)
  lines[#lines + 1] = "## Context of a call\n"
  classes_section(lines, state, CONTEXT, written)
  lines[#lines + 1] = "## Operations\n"
  lines[#lines + 1] = "Each has a twin, `…_async`, which takes the same, does not wait, and returns a [task](#task).\n"
  for _, operation in ipairs(core.operations()) do operation_section(lines, state, operation) end
  lines[#lines + 1] = "## Other methods of a client\n"
  functions("^client:")
  classes_section(lines, state, GIVEN, written)
  lines[#lines + 1] = "## What comes back\n"
  classes_section(lines, state, RETURNED, written)
  codes_section(lines)
  lines[#lines + 1] = "## What functions of the program see\n"
  lines[#lines + 1] = "What credentials, policies, transports and loggers are given, and what they give.\n"
  classes_section(lines, state, rest_of(state, written, "^webpubsub%.(.*)$", "%.events%."), written)
  lines[#lines + 1] = "## Events\n"
  lines[#lines + 1] = "A guide is in [events/](events/README.md).\n"
  functions("^events[.:_]")
  classes_section(lines, state, rest_of(state, written, "^webpubsub%.(events%..*)$"), written)
  lines[#lines + 1] = EDITORS
  lines[#lines + 1] = SOURCES:format(core.api_version)
  local text = table.concat(lines, "\n"):gsub("\n\n\n+", "\n\n"):gsub(" +\n", "\n"):gsub("\n+$", "\n")
  return text
end

return reference
