--- The command line's grammar: a command for every row of the operations table, and a few more.

local argparse = require "argparse"
local core = require "webpubsub.core"

local arguments = {}

local unpack = table.unpack or unpack -- luacheck: ignore 113 143

local DESCRIPTION = "Closes, checks, groups and messages the WebSocket connections of an Azure Web PubSub hub."

local EPILOG = [[
The environment gives what options do not: WebPubSubConnectionString, or WebPubSubKey beside --endpoint,
and WebPubSubHub.

Exit codes: 0 done, or yes; 1 refused by the service, or no; 2 wrong arguments; 3 no answer (network, time,
token), or output that cannot be written; 130 Ctrl-C. A run over a list has the highest of its failures.]]

local COMMAND_EPILOG = "Options that all commands have (connection, hub, time, output): webpubsub --help"

local HELP_COLUMNS, HELP_MARGIN = 110, 37

-- ---------------------------------------------------------------- values

local kinds = {
  integer = { argname = "<n>", pattern = "^%-?%d+$", what = "a whole number" },
  count = { argname = "<n>", pattern = "^%d+$", what = "a whole number, 0 or more" },
  seconds = { argname = "<s>", pattern = "^%d*%.?%d*$", what = "a number of seconds" },
}

-- An option that takes a number.
local function number_option(command, kind, name, doc)
  return command:option(name, doc):argname(kind.argname):convert(function(text)
    local number = text:find(kind.pattern) and tonumber(text)
    if number then return number end
    return nil, ("%s takes %s, not \"%s\""):format(name, kind.what, text)
  end)
end

-- ---------------------------------------------------------------- the options of all commands

local function add_service_options(parser)
  parser:group("Service",
    parser:option("--connection-string", "Endpoint=...;AccessKey=...; better set in the environment."):argname "<text>",
    parser:option("--endpoint", "https://<name>.webpubsub.azure.com, with --key."):argname "<url>",
    parser:option("--key", "Access key; better set in the environment."):argname "<text>",
    parser:option("--hub", "The hub's name."):argname "<name>",
    parser:option("--reverse-proxy", "Send there; requests are still signed for the endpoint."):argname "<url>",
    parser:option("--proxy", "HTTP proxy; none: not even the environment's."):argname "<url>",
    parser:option("--ca-file", "PEM file of the authorities to trust instead of the system's."):argname "<file>",
    parser:flag("--allow-http", "Allow plain http to other machines."))
end

local function add_call_options(parser)
  parser:group("Each call",
    number_option(parser, kinds.seconds, "--timeout", "Seconds for the whole call (60)."),
    number_option(parser, kinds.seconds, "--attempt-timeout", "Seconds for one attempt (15)."),
    number_option(parser, kinds.count, "--retries", "Attempts after the first (3)."),
    parser:option("--request-id", "The id by which support finds the call."):argname "<id>",
    parser:option("--header", "A header to send along; may be repeated."):argname("<Name: value>"):count "*")
end

local function add_output_options(parser)
  parser:group("Output",
    parser:flag("--json", "One JSON document a line, errors too."),
    parser:flag("--verbose", "Tell on standard error what happens."),
    parser:flag("--version", "Print the version and exit."):action(function()
      print(("webpubsub %s (api-version %s, %s)"):format(core.version, core.api_version, _VERSION))
      os.exit(0)
    end))
end

-- ---------------------------------------------------------------- a command for each operation

local function is_positional(parameter)
  return parameter.place == "path"
end

-- The parameters for which a file of values may be given: ids and names, of operations that answer each at once.
local function is_listable(operation, parameter)
  return is_positional(parameter) and not parameter.choices and operation.result ~= "list"
end

local function list_option(parameter)
  return "--" .. parameter.name .. "s-from"
end

local function list_target(parameter)
  return parameter.name .. "s_from"
end

-- Lists are given one by one, so their options are in the singular.
local function option_name(parameter)
  local name = parameter.name:gsub("_", "-")
  return "--" .. (parameter.type == "list of strings" and name:gsub("s$", "") or name)
end

local function usage(operation, command_name)
  local lines = {}
  local function add(left_out, option)
    local words, required = { "webpubsub", command_name }, {}
    for _, parameter in ipairs(operation.parameters) do
      if is_positional(parameter) and parameter ~= left_out then
        words[#words + 1] = "<" .. parameter.name .. ">"
      elseif parameter.required and not is_positional(parameter) then
        required[#required + 1] = option_name(parameter) .. " <text>"
      end
    end
    words[#words + 1] = option
    for _, words_of_option in ipairs(required) do words[#words + 1] = words_of_option end
    words[#words + 1] = "[options]"
    lines[#lines + 1] = table.concat(words, " ")
  end
  add()
  for _, parameter in ipairs(operation.parameters) do
    if is_listable(operation, parameter) then add(parameter, list_option(parameter) .. " <file>") end
  end
  return "Usage: " .. table.concat(lines, "\n       ")
end

local function add_content(command, parameter)
  local options = {
    command:option("--content", parameter.doc:match "^[^;]*" .. "; - reads it from standard input."):argname "<text>",
    command:option("--content-file", "Send what is in this file."):argname "<file>",
    command:option("--json-content", "The message as JSON; - reads it from standard input."):argname "<json>",
  }
  command:mutex(unpack(options))
  return unpack(options)
end

local function add_list(command, parameter)
  return command:option(option_name(parameter), parameter.doc .. "; may be repeated")
    :target(parameter.name):argname("<text>"):count "*"
end

-- How a parameter that is an option is written, by its type. Returns the option, or the options.
local function add_option(command, parameter)
  if parameter.name == "content" then
    return add_content(command, parameter)
  elseif parameter.type == "list of strings" then
    return add_list(command, parameter)
  elseif parameter.type == "integer" then
    return number_option(command, kinds.integer, option_name(parameter), parameter.doc)
  elseif parameter.name ~= "json" then -- that is --json-content
    return command:option(option_name(parameter), parameter.doc):argname "<text>"
  end
end

local function add_bulk(command, operation)
  local options = {}
  for _, parameter in ipairs(operation.parameters) do
    if is_listable(operation, parameter) then
      options[#options + 1] = command:option(list_option(parameter),
        ("Read the %s from a file, one a line; - is standard input."):format(parameter.name .. "s")):argname "<file>"
    end
  end
  if #options == 0 then return end
  command:mutex(unpack(options))
  options[#options + 1] = number_option(command, kinds.count, "--concurrency", "Calls at a time (16).")
  options[#options + 1] = number_option(command, kinds.count, "--skip", "Leave out the first lines.")
  options[#options + 1] = command:flag("--stop-on-error", "Begin no more calls after a failure.")
  command:group("Many at once", unpack(options))
end

local function add_operation(parser, operation)
  local name = operation.name:gsub("_", "-")
  local command = parser:command(name):summary(operation.doc):description(operation.doc)
    :hidden_name(operation.name):usage(usage(operation, name)):epilog(COMMAND_EPILOG)
  local options = {}
  for _, parameter in ipairs(operation.parameters) do
    if is_positional(parameter) then
      command:argument(parameter.name, parameter.doc):args "?" -- may come from a file instead
    else
      for _, option in ipairs { add_option(command, parameter) } do options[#options + 1] = option end
    end
  end
  if #options > 0 then command:group("Options", unpack(options)) end -- before those of a list
  add_bulk(command, operation)
  return command
end

-- ---------------------------------------------------------------- the other commands

local function add_url(parser)
  local command = parser:command("url", "Makes a URL with which a WebSocket client connects."):epilog(COMMAND_EPILOG)
  command:option("--user", "The client's user."):argname "<id>"
  command:option("--role", "A role of the client, such as webpubsub.sendToGroup; may be repeated.")
    :target("roles"):argname("<role>"):count "*"
  command:option("--group", "A group that it joins; may be repeated."):target("groups"):argname("<name>"):count "*"
  number_option(command, kinds.seconds, "--expires-in", "Seconds until it must have connected (3600).")
  command:option("--protocol", "default, mqtt or socketio."):argname "<name>"
  return command
end

local function add_emulator(parser)
  local command = parser:command("emulator", "Serves a local emulator; its options: webpubsub help emulator")
    :handle_options(false):usage "Usage: webpubsub emulator [options]"
  command:argument("options"):args("*"):target "words"
  return command
end

local function add_help(parser)
  local command = parser:command("help", "Tells about a command."):usage "Usage: webpubsub help [command]"
  command:argument("topic", "The command."):args "?"
  return command
end

-- Returns the parser, and its commands by their names, each of an operation with its row.
local function new_parser()
  local parser = argparse("webpubsub", DESCRIPTION, EPILOG):usage "Usage: webpubsub <command> [options]"
    :help_max_width(HELP_COLUMNS):help_description_margin(HELP_MARGIN):command_target "command"
  add_service_options(parser)
  add_call_options(parser)
  add_output_options(parser)
  local commands, rows = {}, {}
  for _, operation in ipairs(core.operations()) do
    local command = add_operation(parser, operation)
    local name = operation.name:gsub("_", "-")
    commands[name], commands[operation.name], rows[name] = command, command, operation
  end
  commands.url = add_url(parser)
  commands.repl = parser:command("repl", "Opens a Lua prompt with the client connected."):epilog(COMMAND_EPILOG)
  commands.emulator = add_emulator(parser)
  commands.help = add_help(parser)
  commands.completion = parser:command("completion", "Prints a shell's completion script.")
    :usage "Usage: webpubsub completion <shell>"
  commands.completion:argument("shell", "bash, zsh or fish."):choices { "bash", "zsh", "fish" }
  return parser, commands, rows
end

-- ---------------------------------------------------------------- parsing

-- Where to read about the command that was meant.
local function hint(argv, commands)
  for _, word in ipairs(argv) do
    if commands[word] then return "webpubsub help " .. word end
  end
  return "webpubsub --help"
end

-- Words go to the path's parameters in their order, but for the one that comes from a file. Returns what is wrong.
local function assign_positionals(parsed, operation, listed)
  local words, names = {}, {}
  for _, parameter in ipairs(operation.parameters) do
    if is_positional(parameter) then
      words[#words + 1] = parsed[parameter.name] -- filled from the left, so there are no holes
      parsed[parameter.name] = nil
      if parameter ~= listed then names[#names + 1] = parameter.name end
    end
  end
  if #words > #names then
    return ("too many arguments: the %ss come from %s"):format(listed.name, list_option(listed))
  end
  for index, name in ipairs(names) do
    if not words[index] then return ("missing argument '%s'"):format(name) end
    parsed[name] = words[index]
  end
end

local function find_listed(parsed, operation)
  for _, parameter in ipairs(operation.parameters) do
    if is_listable(operation, parameter) and parsed[list_target(parameter)] then return parameter end
  end
  for _, name in ipairs { "concurrency", "skip", "stop_on_error" } do
    if parsed[name] then return nil, ("--%s needs a list of items"):format((name:gsub("_", "-"))) end
  end
end

local function help_on(topic, parser, commands)
  if not topic then return parser:get_help() end
  if commands[topic] then return commands[topic]:get_help() end
  local names = {}
  for name in pairs(commands) do
    if not name:find("_", 1, true) then names[#names + 1] = name end -- as help lists them
  end
  table.sort(names)
  local meant = core.nearest((topic:gsub("_", "-")), names)
  return nil, ("unknown command '%s'%s"):format(topic, meant and "; did you mean '" .. meant .. "'?" or "")
end

--- Parses a command line. Prints and exits by itself for --help and --version.
--
-- What it returns has the options by their names, positional arguments by those of their parameters, `command`, for an
-- operation its row as `operation`, and with --users-from and the like `listed` (the parameter) and `list` (the file).
---@param argv string[]
---@return table|nil parsed
---@return string|nil message  what is wrong
function arguments.parse(argv)
  local parser, commands, rows = new_parser()
  local ok, parsed = parser:pparse(argv)
  if not ok then return nil, ("%s (see %s)"):format(parsed:gsub("\nDid", "; did"), hint(argv, commands)) end
  if parsed.command == "help" and parsed.topic == "emulator" then
    return { command = "emulator", words = { "--help" } }
  elseif parsed.command == "completion" then
    parsed.text = parser["get_" .. parsed.shell .. "_complete"](parser)
    return parsed
  elseif parsed.command == "help" then
    local text, wrong = help_on(parsed.topic, parser, commands)
    parsed.text = text
    return text and parsed, wrong
  end
  local operation = rows[parsed.command]
  if not operation then return parsed end

  local listed, misplaced = find_listed(parsed, operation)
  local wrong = misplaced or assign_positionals(parsed, operation, listed)
  if wrong then return nil, ("%s (see %s)"):format(wrong, hint(argv, commands)) end
  parsed.operation, parsed.listed, parsed.list = operation, listed, listed and parsed[list_target(listed)]
  return parsed
end

return arguments
