-- Makes lua/webpubsub/annotations.lua, which tells editors what the client's methods take and return.

local classes = require("spec.generate.classes")
local core = require("webpubsub.core")
local events = require("spec.generate.events")

local annotations = {}

annotations.path = "lua/webpubsub/annotations.lua"

local HEAD = [[
---@meta
-- For editors only, never loaded. Made by `make generate` from the table of operations; do not edit.
-- luacheck: ignore 212 241

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

--- The file's text.
---@return string
function annotations.text()
  local parts = { HEAD .. classes .. events }
  for _, operation in ipairs(core.operations()) do parts[#parts + 1] = describe(operation) .. "\n" end
  return table.concat(parts)
end

return annotations
