--- The library's names in the command line's words, and its errors: `--allow-http` where it says `allow_http`.

local core = require "webpubsub.core"

local words = {}

-- The library's options. Where the environment gave one, `words.set` puts the variable's name here.
local options = {
  connection_string = "--connection-string", endpoint = "--endpoint", key = "--key", hub = "--hub",
  credential = "--auth", tenant = "--tenant", client_id = "--client-id",
  reverse_proxy = "--reverse-proxy", proxy = "--proxy", ca_file = "--ca-file", allow_http = "--allow-http",
  timeout = "--timeout", attempt_timeout = "--attempt-timeout", retries = "--retries", request_id = "--request-id",
  headers = "--header", expires_in = "--expires-in", protocol = "--protocol", concurrency = "--concurrency",
}

--- The option for a parameter of an operation. Lists are given one by one, so their options are in the singular.
---@param parameter table
---@return string
function words.option(parameter)
  local name = parameter.name:gsub("_", "-")
  return "--" .. (parameter.type == "list of strings" and name:gsub("s$", "") or name)
end

-- By operation; what an operation must have is an argument and keeps its name.
local parameters = {}
for _, operation in ipairs(core.operations()) do
  local own = {}
  for _, parameter in ipairs(operation.parameters) do
    if not parameter.required then own[parameter.name] = words.option(parameter) end
  end
  parameters[operation.name] = own
end

local function replace(message, name, by, count)
  return (message:gsub("%f[%w_]" .. name .. "%f[^%w_]", (by:gsub("%%", "%%%%")), count))
end

-- Names of more than one word are names of options wherever they stand.
local function replace_names(message, names)
  for name, word in pairs(names) do
    if name:find("_", 1, true) then message = replace(message, name, word) end
  end
  return message
end

--- Tells where the value of an option came from, if not from the option itself.
---@param name string  the library's
---@param source string  such as the name of a variable
function words.set(name, source)
  options[name] = source
end

--- An error with its message in the command line's words. The error itself is left as it is.
---@param err webpubsub.Error
---@return webpubsub.Error
function words.translate(err)
  local argument = err.argument
  if err.kind ~= "argument" or not argument then return err end
  local copy = {}
  for name, value in pairs(err) do copy[name] = value end
  local own = parameters[err.operation] or {}
  local word = own[argument] or options[argument]
  local message = err.message:gsub("set allow_http = true", "give --allow-http"):gsub("^header ", "--header ")
  if word and not argument:find("_", 1, true) then message = replace(message, argument, word, 1) end
  copy.message = replace_names(replace_names(message, own), options)
  return setmetatable(copy, getmetatable(err))
end

return words
