--- The command line's grammar: a command for every row of the operations table, and a few more.

local argparse = require "argparse"
local core = require "webpubsub.core"
local exits = require "webpubsub.cli.exits"
local manual = require "webpubsub.cli.manual"
local settings = require "webpubsub.cli.settings"
local shard = require "webpubsub.shard"
local words = require "webpubsub.cli.words"

local arguments = {}

local unpack = table.unpack or unpack -- luacheck: ignore 113 143

local DESCRIPTION = "Closes, checks, groups and messages the WebSocket connections of an Azure Web PubSub hub."

local EPILOG = [[
The environment gives what options do not: WebPubSubConnectionString, or WebPubSubKey beside --endpoint,
and WebPubSubHub. What stands in a command line is visible to every user of the machine while it runs; what
is in a file or in the environment is not.

Exit codes:
%s

A run over a list has the highest of its failures.]]

local function epilog()
  local lines = {}
  for index, exit in ipairs(exits.table) do lines[index] = ("   %-3d  %s"):format(exit.code, exit.doc) end
  return EPILOG:format(table.concat(lines, "\n"))
end

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

-- ---------------------------------------------------------------- options that are a command by themselves

-- argparse would print and exit by itself, whether or not the output can be written.
local answered

-- Ends the parsing: there is a text to print, whatever else stands in the command line.
local function answer(text)
  answered = text
  error("answered", 0)
end

local function add_help_option(command)
  command:add_help(false)
  command:flag("-h --help", "Show this help and exit."):action(function() answer(command:get_help()) end)
end

-- Every command has its help.
local function new_command(parser, name, summary)
  local command = parser:command(name, summary)
  add_help_option(command)
  return command
end

-- ---------------------------------------------------------------- the options of all commands

local function add_service_options(parser)
  parser:group("Service",
    parser:option("--connection-string", "Endpoint=...;AccessKey=...; visible to every user of the machine.")
      :argname "<text>",
    parser:option("--connection-string-file", "Read it from this file, of one line."):argname "<file>",
    parser:option("--endpoint", "https://<name>.webpubsub.azure.com, with a key or --auth."):argname "<url>",
    parser:option("--key", "Access key; visible to every user of the machine."):argname "<text>",
    parser:option("--key-file", "Read it from this file, of one line."):argname "<file>",
    parser:option("--auth", "Entra ID in the place of a key: " .. table.concat(settings.AUTHS, ", ") .. ".")
      :argname "<how>",
    parser:option("--tenant", "The directory's id, for --auth."):argname "<id>",
    parser:option("--client-id", "The application's or managed identity's id, for --auth."):argname "<id>",
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
      answer(("webpubsub %s (api-version %s, %s)"):format(core.version, core.api_version, _VERSION))
    end))
end

-- ---------------------------------------------------------------- a command for each operation

local function is_list(parameter)
  return parameter.type == "list of strings"
end

-- The parameters for which a file of values may be given: ids and names, of operations that answer each at once.
local function is_listable(operation, parameter)
  return parameter.place == "path" and not parameter.choices and operation.result ~= "list"
end

local function list_option(parameter)
  return "--" .. parameter.name .. "s-from"
end

local function list_target(parameter)
  return parameter.name .. "s_from"
end

local function argument_word(parameter)
  return "<" .. parameter.name .. ">" .. (is_list(parameter) and "..." or "")
end

local function usage(operation, command_name)
  local lines = {}
  local function add(left_out, option)
    local parts = { "webpubsub", command_name, option }
    for _, parameter in ipairs(operation.parameters) do
      if parameter.required and parameter ~= left_out then parts[#parts + 1] = argument_word(parameter) end
    end
    parts[#parts + 1] = "[options]"
    lines[#lines + 1] = table.concat(parts, " ")
  end
  add()
  for _, parameter in ipairs(operation.parameters) do
    if is_listable(operation, parameter) then add(parameter, list_option(parameter) .. " <file>") end
  end
  return "Usage: " .. table.concat(lines, "\n       ")
end

local function content_doc(parameter)
  return parameter.doc:match "^[^;]*" .. "; - reads it from standard input"
end

local function add_content(command, parameter)
  local options = {
    command:option("--content", content_doc(parameter) .. "."):argname "<text>",
    command:option("--content-file", "Send what is in this file."):argname "<file>",
    command:option("--json-content", "The message as JSON; - reads it from standard input."):argname "<json>",
  }
  command:mutex(unpack(options))
  return unpack(options)
end

local function add_list(command, parameter)
  return command:option(words.option(parameter), parameter.doc .. "; may be repeated")
    :target(parameter.name):argname("<text>"):count "*"
end

-- How a parameter that is an option is written, by its type. Returns the option, or the options.
local function add_option(command, parameter)
  if parameter.name == "content" then
    return add_content(command, parameter)
  elseif is_list(parameter) then
    return add_list(command, parameter)
  elseif parameter.type == "integer" then
    return number_option(command, kinds.integer, words.option(parameter), parameter.doc)
  elseif parameter.name ~= "json" then -- that is --json-content
    return command:option(words.option(parameter), parameter.doc):argname "<text>"
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
  if #options == 0 then return false end
  command:mutex(unpack(options))
  options[#options + 1] = number_option(command, kinds.count, "--concurrency", "Calls at a time (16).")
  options[#options + 1] = number_option(command, kinds.count, "--skip", "Leave out the first, to go on with the rest.")
  options[#options + 1] = command:option("--state", "Note in this file how far the run has come, and go on from there "
    .. "where it has been begun before."):argname "<file>"
  options[#options + 1] = command:flag("--stop-on-error", "Begin no more calls after a failure.")
  options[#options + 1] = command:option("--shard", "Take the I-th of N parts of the list; env: the part that "
    .. "JOB_COMPLETION_INDEX or SLURM_ARRAY_TASK_ID stands for."):argname "<I/N>"
  options[#options + 1] = number_option(command, kinds.count, "--shards", "How many parts there are, for --shard env.")
  command:group("Many at once", unpack(options))
  return true
end

local BULK_EPILOG = [[
Of a list, blanks at both ends of a line, empty lines and byte order marks are left out; a name that really
begins or ends with a blank can be given as an argument. A file with a line that cannot be meant as it stands
(not UTF-8, with a control character, longer than a name can be) is refused before anything is sent; a pipe
is followed up to such a line.

]]

-- The required parameters as arguments. They may come from a list or an option instead, so that argparse cannot check
-- their number; `assign` does.
local function add_arguments(command, operation)
  for index, parameter in ipairs(operation.parameters) do
    if parameter.required then
      local doc = parameter.name == "content" and content_doc(parameter) or parameter.doc
      command:argument(parameter.name, doc):target("argument" .. index):args(is_list(parameter) and "*" or "?")
    end
  end
end

local function add_operation(parser, operation)
  local name = operation.name:gsub("_", "-")
  local command = new_command(parser, name):summary(operation.doc):description(operation.doc)
    :hidden_name(operation.name):usage(usage(operation, name))
  add_arguments(command, operation)
  local options = {}
  for _, parameter in ipairs(operation.parameters) do
    if parameter.place ~= "path" then
      for _, option in ipairs { add_option(command, parameter) } do options[#options + 1] = option end
    end
  end
  if #options > 0 then command:group("Options", unpack(options)) end -- before those of a list
  return command:epilog((add_bulk(command, operation) and BULK_EPILOG or "") .. COMMAND_EPILOG)
end

-- The heading under which help has an operation.
local function heading_of(operation)
  if operation.path:find("/permissions/", 1, true) then return "Permissions" end
  if operation.result == "exists" or operation.result == "list" or operation.name == "service_status" then
    return "Ask"
  end
  local verb = operation.name:match "^%a+"
  return verb == "close" and "Close" or verb == "send" and "Send" or verb == "generate" and "Tools" or "Groups"
end

local HEADINGS = { "Close", "Ask", "Send", "Groups", "Permissions", "Tools" }

-- ---------------------------------------------------------------- the other commands

local function add_url(parser)
  local command = new_command(parser, "url", "Makes a URL with which a WebSocket client connects.")
    :epilog(COMMAND_EPILOG)
  command:option("--user", "The client's user."):argname "<id>"
  command:option("--role", "A role of the client, such as webpubsub.sendToGroup; may be repeated.")
    :target("roles"):argname("<role>"):count "*"
  command:option("--group", "A group that it joins; may be repeated."):target("groups"):argname("<name>"):count "*"
  number_option(command, kinds.seconds, "--expires-in", "Seconds until it must have connected (3600).")
  command:option("--protocol", "default, mqtt or socketio."):argname "<name>"
  return command
end

local function add_repl(parser)
  return new_command(parser, "repl", "Opens a Lua prompt with the client connected."):epilog(COMMAND_EPILOG)
end

local function add_completion(parser)
  local command = new_command(parser, "completion", "Prints a shell's completion script.")
    :usage "Usage: webpubsub completion <shell>"
  command:argument("shell", "bash, zsh or fish."):choices { "bash", "zsh", "fish" }
  return command
end

local function add_emulator(parser)
  local command = parser:command("emulator", "Serves a local emulator; its options: webpubsub help emulator")
    :handle_options(false):usage "Usage: webpubsub emulator [options]"
  command:argument("options"):args("*"):target "words"
  return command
end

local function add_help(parser)
  local command = new_command(parser, "help", "Tells about a command."):usage "Usage: webpubsub help [command]"
  command:argument("topic", "The command."):args "?"
  return command
end

local tools = {
  { "url", add_url }, { "repl", add_repl }, { "emulator", add_emulator }, { "completion", add_completion },
  { "help", add_help },
}

-- Returns the parser, its commands by their names, and the operations by those of theirs.
local function new_parser()
  local parser = argparse("webpubsub", DESCRIPTION, epilog()):usage "Usage: webpubsub <command> [options]"
    :help_max_width(HELP_COLUMNS):help_description_margin(HELP_MARGIN):command_target "command"
  add_help_option(parser)
  add_service_options(parser)
  add_call_options(parser)
  add_output_options(parser)
  local commands, rows, groups = {}, {}, {}
  for _, heading in ipairs(HEADINGS) do groups[heading] = {} end
  for _, operation in ipairs(core.operations()) do
    local command = add_operation(parser, operation)
    local name = operation.name:gsub("_", "-")
    commands[name], commands[operation.name], rows[name] = command, command, operation
    table.insert(groups[heading_of(operation)], command)
  end
  for _, tool in ipairs(tools) do
    commands[tool[1]] = tool[2](parser)
    table.insert(groups.Tools, commands[tool[1]])
  end
  for _, heading in ipairs(HEADINGS) do parser:group(heading, unpack(groups[heading])) end
  commands.manual = new_command(parser, "manual", "Prints the manual page."):hidden(true)
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

-- The option that gave a parameter, or nil.
local function option_that_gave(parsed, parameter)
  if parameter.name == "content" then
    for _, name in ipairs { "content", "content_file", "json_content" } do
      if parsed[name] then return "--" .. name:gsub("_", "-") end
    end
  end
  local value = parsed[parameter.name]
  return value and not (is_list(parameter) and #value == 0) and words.option(parameter) or nil
end

-- The arguments in their order, without holes.
local function take_arguments(parsed, operation)
  local given = {}
  for index in ipairs(operation.parameters) do
    local name = "argument" .. index
    local value = parsed[name]
    for _, word in ipairs(type(value) == "table" and value or { value }) do given[#given + 1] = word end
    parsed[name] = nil
  end
  return given
end

local function missing(parameter)
  return ("missing argument '%s'%s"):format(parameter.name,
    parameter.place ~= "path" and " (or " .. words.option(parameter) .. ")" or "")
end

-- Words go to the required parameters in their order, but for those that come from a list or an option. Returns what
-- is wrong.
local function assign(parsed, operation, listed)
  local given, elsewhere, next_word = take_arguments(parsed, operation), nil, 1
  for _, parameter in ipairs(operation.parameters) do
    local option = parameter == listed and list_option(listed) or option_that_gave(parsed, parameter)
    if parameter.required and option then
      elsewhere = elsewhere or ("the %s come%s from %s"):format(parameter.name .. (parameter == listed and "s" or ""),
        (parameter == listed or is_list(parameter)) and "" or "s", option)
    elseif parameter.required then
      if not given[next_word] then return missing(parameter) end
      parsed[parameter.name] = is_list(parameter) and { unpack(given, next_word) } or given[next_word]
      next_word = is_list(parameter) and #given + 1 or next_word + 1
    end
  end
  if given[next_word] then return "too many arguments" .. (elsewhere and ": " .. elsewhere or "") end
end

-- The part of the list that is wanted. Returns nil where it is all; or false and what is wrong.
local function find_part(parsed, getenv)
  local part, wrong
  if parsed.shard and parsed.shard ~= "env" then
    if parsed.shards then return false, "--shards goes with --shard env; --shard I/N has both" end
    part, wrong = shard.parse(parsed.shard)
  elseif parsed.shard or parsed.shards then
    part, wrong = shard.from_environment(getenv, parsed.shards)
  else
    return nil
  end
  return part or false, wrong and ("%s: %s"):format(parsed.shard and "--shard" or "--shards", wrong)
end

local function find_listed(parsed, operation)
  for _, parameter in ipairs(operation.parameters) do
    if is_listable(operation, parameter) and parsed[list_target(parameter)] then return parameter end
  end
  for _, name in ipairs { "concurrency", "skip", "state", "stop_on_error", "shard", "shards" } do
    if parsed[name] then return nil, ("--%s needs a list of items"):format((name:gsub("_", "-"))) end
  end
end

local function manual_page(parser, commands)
  local names, helps = {}, {}
  for name in pairs(commands) do
    if not name:find("_", 1, true) and name ~= "manual" then names[#names + 1] = name end
  end
  table.sort(names)
  for index, name in ipairs(names) do helps[index] = { name = name, text = commands[name]:get_help() } end
  return manual.text(parser:get_help(), helps, HELP_MARGIN)
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

-- What is left to do with the words of an operation. Returns what is wrong.
local function complete(parsed, operation, getenv)
  local listed, wrong = find_listed(parsed, operation)
  if wrong then return wrong end
  parsed.operation, parsed.listed, parsed.list = operation, listed, listed and parsed[list_target(listed)]
  if parsed.state and parsed.skip then return "--skip and --state cannot be used together" end
  local part
  part, wrong = find_part(parsed, getenv)
  parsed.part = part or nil
  return wrong or assign(parsed, operation, listed)
end

--- Parses a command line. With --help and --version it is the command `help`.
--
-- What it returns has the options by their names, arguments by those of their parameters, `command`, for an operation
-- its row as `operation`, and with --users-from and the like `listed` (the parameter), `list` (the file) and `part`
-- (the shard).
---@param argv string[]
---@param getenv fun(name: string): string|nil
---@return table|nil parsed
---@return string|nil message  what is wrong
function arguments.parse(argv, getenv)
  local parser, commands, rows = new_parser()
  answered = nil
  local ran, ok, parsed = pcall(parser.pparse, parser, argv)
  if answered then return { command = "help", text = answered } end
  if not ran then error(ok, 0) end
  if not ok then return nil, ("%s (see %s)"):format(parsed:gsub("\nDid", "; did"), hint(argv, commands)) end
  if parsed.command == "help" and parsed.topic == "emulator" then
    return { command = "emulator", words = { "--help" } }
  elseif parsed.command == "manual" then
    parsed.text = manual_page(parser, commands)
    return parsed
  elseif parsed.command == "completion" then
    parsed.text = parser["get_" .. parsed.shell .. "_complete"](parser):gsub("\n$", "")
    return parsed
  elseif parsed.command == "help" then
    local text, wrong = help_on(parsed.topic, parser, commands)
    parsed.text = text
    return text and parsed, wrong
  end
  local operation = rows[parsed.command]
  local wrong = operation and complete(parsed, operation, getenv)
  if wrong then return nil, ("%s (see %s)"):format(wrong, hint(argv, commands)) end
  return parsed
end

return arguments
