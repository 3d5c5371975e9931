--- The command line: parses, calls, prints, and returns the exit code.

local cjson = require("cjson").new()
local arguments = require "webpubsub.cli.arguments"
local bulk = require "webpubsub.cli.bulk"
local exits = require "webpubsub.cli.exits"
local report = require "webpubsub.cli.report"
local settings = require "webpubsub.cli.settings"
local webpubsub = require "webpubsub"

local cli = {}

local STANDARD_INPUT = "-"

-- ---------------------------------------------------------------- arguments of an operation

local function read_file(path)
  local file, why = io.open(path, "rb")
  if not file then return nil, why end
  local bytes
  bytes, why = file:read "*a"
  file:close()
  return bytes, why and path .. ": " .. why
end

local function literal_or_input(text)
  if text == STANDARD_INPUT then return io.read "*a" end
  return text
end

-- The message to send, from wherever it comes, with its content type. Returns false and what is wrong.
local function add_content(given, parsed)
  if (parsed.content == STANDARD_INPUT or parsed.json_content == STANDARD_INPUT) and parsed.list == STANDARD_INPUT then
    return false, "standard input cannot be both the list and the message"
  end
  if parsed.content_file then
    local why
    given.content, why = read_file(parsed.content_file)
    return given.content ~= nil, why
  elseif parsed.json_content then
    given.content, given.content_type = literal_or_input(parsed.json_content), parsed.content_type or "json"
    local ok, why = pcall(cjson.decode, given.content) -- checked only: decoded, [] and {} would be the same
    return ok, not ok and "the content is not JSON: " .. why or nil
  end
  given.content = parsed.content and literal_or_input(parsed.content)
  return true
end

-- What the library's method is called with. A list that was not given is left out.
local function arguments_of(parsed)
  local given = {}
  for _, parameter in ipairs(parsed.operation.parameters) do
    local value = parsed[parameter.name]
    if parameter.name ~= "json" and not (type(value) == "table" and #value == 0) then given[parameter.name] = value end
  end
  local ok, wrong = add_content(given, parsed)
  return ok and given or nil, wrong
end

local function context_of(parsed)
  return parsed.request_id and { request_id = parsed.request_id } or nil
end

-- ---------------------------------------------------------------- commands

local function call(client, parsed)
  local operation = parsed.operation
  local given, wrong = arguments_of(parsed)
  if not given then return nil, wrong end
  if parsed.listed then return bulk.run(client, parsed, given, context_of(parsed)) end
  given.context = context_of(parsed)
  if operation.result == "list" then
    local pages, state = client[operation.name](client, given):pages()
    report.members(pages, state, parsed.json)
    return exits.OK
  end
  local first, second = client[operation.name](client, given)
  return report.response(operation, second or first, parsed.json) -- a question's answer stands before its response
end

local function make_url(client, parsed)
  local url, token = client:client_access_url {
    user = parsed.user,
    roles = parsed.roles,
    groups = parsed.groups,
    expires_in = parsed.expires_in,
    protocol = parsed.protocol,
    context = context_of(parsed),
  }
  report.url(url, token, parsed.json)
  return exits.OK
end

local function print_text(parsed)
  return report.text(parsed.text)
end

local without_client = {
  help = print_text,
  completion = print_text,
  manual = print_text,
  emulator = function(parsed)
    return require("webpubsub.cli.emulator").run(parsed.words)
  end,
}

local with_client = {
  url = make_url,
  repl = function(client)
    return require("webpubsub.cli.repl").run(client)
  end,
}

local function run(parsed, getenv)
  if without_client[parsed.command] then return without_client[parsed.command](parsed) end
  local needs_hub = not parsed.operation or parsed.operation.path:find("{hub}", 1, true) ~= nil
  local options, wrong = settings.client_options(parsed, needs_hub, getenv)
  if not options then return nil, wrong end
  return (with_client[parsed.command] or call)(webpubsub.new(options), parsed)
end

-- ---------------------------------------------------------------- all of it

-- Before the command line is parsed; --json among the words of the emulator does no harm.
local function wants_json(argv)
  for _, word in ipairs(argv) do
    if word == "--json" then return true end
  end
  return false
end

--- Runs one command line.
---@param argv string[]
---@return integer exit_code  see exits.lua
function cli.run(argv)
  local as_json = wants_json(argv)
  local parsed, wrong = arguments.parse(argv, os.getenv)
  if not parsed then return report.usage(wrong, as_json) end

  local ok, code, message = pcall(run, parsed, os.getenv)
  if ok then
    return report.unwritten(as_json) or code or report.usage(message, as_json)
  elseif type(code) == "table" and code.kind then
    return report.error(code, as_json)
  elseif tostring(code):find("interrupted!", 1, true) then -- what the interpreter raises for Ctrl-C
    return exits.INTERRUPTED
  end
  error(code, 0)
end

return cli
