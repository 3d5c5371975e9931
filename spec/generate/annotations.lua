-- Makes lua/webpubsub/library/webpubsub.lua, which tells editors what the module and the client's methods take and
-- return. Editors find it by its name; programs find lua/webpubsub/init.lua.

local classes = require("spec.generate.classes")
local core = require("webpubsub.core")
local events = require("spec.generate.events")

local annotations = {}

annotations.path = "lua/webpubsub/library/webpubsub.lua"

local HEAD = [[
---@meta webpubsub
-- For editors only, never loaded. Made by `make generate` from the tables of operations, options and error codes.
-- luacheck: ignore 212 241 631

]]

local types = { string = "string", integer = "integer", any = "any", ["list of strings"] = "string[]" }

local function type_of(parameter)
  if not parameter.choices then return types[parameter.type] end
  local choices = {}
  for index, choice in ipairs(parameter.choices) do choices[index] = ('"%s"'):format(choice) end
  return table.concat(choices, "|")
end

-- close_user_connections: CloseUserConnections
local function class_of(operation)
  return "webpubsub." .. ("_" .. operation.name):gsub("_(%l)", string.upper)
end

-- What is required, but for a message, which may be content or json.
local function is_required(parameter)
  return parameter.required and parameter.name ~= "content"
end

local returns = {
  none = { "webpubsub.Response response" },
  token = { "webpubsub.Response response  with `token`" },
  exists = { "boolean exists", "webpubsub.Response response" },
  list = { "webpubsub.Members members" },
}

local task_classes = {
  none = "webpubsub.Task", token = "webpubsub.Task", exists = "webpubsub.QuestionTask", list = "webpubsub.PageTask",
}

local function describe(operation)
  local lines, needs_arguments = {}, false
  local function add(format, ...) lines[#lines + 1] = format:format(...) end
  add("\n---@class %s", class_of(operation))
  for _, parameter in ipairs(operation.parameters) do
    needs_arguments = needs_arguments or parameter.required
    local optional = is_required(parameter) and "" or "?"
    add("---@field %s%s %s  %s", parameter.name, optional, type_of(parameter), parameter.doc)
  end
  add("---@field context? webpubsub.Context")
  local parameter = ("---@param arguments%s %s"):format(needs_arguments and "" or "?", class_of(operation))
  add("\n--- %s", operation.doc)
  add(parameter)
  for _, value in ipairs(returns[operation.result]) do add("---@return %s", value) end
  add("function client:%s(arguments) end", operation.name)
  add("\n--- The same as a task.")
  add(parameter)
  add("---@return %s", task_classes[operation.result])
  add("function client:%s_async(arguments) end", operation.name)
  return table.concat(lines, "\n")
end

-- ---------------------------------------------------------------- options

-- What each place of the table of options is called, and what its class says.
local places = {
  Options = { "new", "one of: connection_string; endpoint and key; endpoint and credential" },
  Context = { "context", "for one call alone" },
  Retry = { "retry", "how attempts follow one another" },
  AccessArguments = { "client_access_url" },
  EachOptions = { "each" },
  ["events.Options"] = { "events.new", "hub, origins, and one of keys, client and authorize are required" },
  ["events.ConnectAnswer"] = { "connect" },
  ["events.UserAnswer"] = { "user_event", "content or json is a message to the client; without them there is none" },
  ["events.MqttAnswer"] = { "mqtt" },
  ["events.MqttRejection"] = { "rejection" },
  ["events.MqttUserProperty"] = { "property" },
}

local REQUIRED = { hub = true, origins = true, name = true, value = true }

-- "0 to 100", where a number has a range that people need to know.
local function range_of(option)
  if not option.minimum or option.maximum >= 2 ^ 31 - 1 then return nil end
  return ("%.14g to %.14g"):format(option.minimum, option.maximum)
end

local function facts_of(option)
  local facts = {}
  for _, fact in ipairs { range_of(option) or false, option.default and "default " .. option.default or false,
    option.world and "only " .. option.world or false } do
    if fact then facts[#facts + 1] = fact end
  end
  return #facts > 0 and "; " .. table.concat(facts, "; ") or ""
end

local function describe_options(class)
  local place, doc = places[class][1], places[class][2]
  local lines = { "---@class webpubsub." .. class .. (doc and "  " .. doc or "") }
  for _, option in ipairs(core.options(place)) do
    local unit = option.unit == "s" and "seconds " or option.unit and option.unit .. " " or ""
    lines[#lines + 1] = ("---@field %s%s %s  %s%s%s"):format(option.name, REQUIRED[option.name] and "" or "?",
      option.annotation, unit, option.doc, facts_of(option))
  end
  return table.concat(lines, "\n")
end

-- An alias of every code, each once, with what it means.
local function describe_codes()
  local lines, seen = { "---@alias webpubsub.ErrorCode string" }, {}
  for _, row in ipairs(core.codes()) do
    if row.code and not seen[row.code] then
      lines[#lines + 1] = ("---| %q # %s: %s"):format(row.code, row.kind, row.meaning)
      seen[row.code] = true
    end
  end
  return table.concat(lines, "\n")
end

--- The file's text.
---@return string
function annotations.text()
  local given = (classes .. events):gsub("@@ErrorCode@@", describe_codes)
  local parts = { HEAD .. given:gsub("@@([%w.]+)@@", describe_options) }
  for _, operation in ipairs(core.operations()) do parts[#parts + 1] = describe(operation) .. "\n" end
  parts[#parts + 1] = "\nreturn webpubsub\n"
  return table.concat(parts)
end

return annotations
