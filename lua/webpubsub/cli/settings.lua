--- From options and the environment to the options of `webpubsub.new`.

local report = require "webpubsub.cli.report"
local webpubsub = require "webpubsub"
local words = require "webpubsub.cli.words"

local settings = {}

--- How to get tokens of Entra ID.
settings.AUTHS = { "default", "environment", "managed-identity", "workload-identity", "cli", "developer-cli" }

local MAX_SECRET_BYTES = 65536

-- "Name: value" options as a table.
local function parse_headers(lines)
  local headers
  for _, line in ipairs(lines) do
    local name, value = line:match "^([^:]+):%s*(.*)$"
    if not name then return nil, ("--header must be \"Name: value\"; it is \"%s\""):format(line) end
    headers = headers or {}
    headers[name] = value
  end
  return headers
end

-- The one line of a file. What is in it is not told, whatever is wrong with it.
local function read_secret(path)
  local file, why = io.open(path, "rb")
  if not file then return nil, why end
  local text
  text, why = file:read(MAX_SECRET_BYTES + 1)
  file:close()
  if why then return nil, path .. ": " .. why end
  text = (text or ""):gsub("^\239\187\191", ""):match "^%s*(.-)%s*$"
  if text == "" then return nil, path .. " is empty" end
  if #text > MAX_SECRET_BYTES or text:find "[\r\n]" then return nil, path .. " has more than one line" end
  if text:find("\0", 1, true) or text:find "^\255\254" or text:find "^\254\255" then
    return nil, path .. " is not a text file; if it is UTF-16, save it as UTF-8"
  end
  return text
end

-- What an option or its file has; from the latter it is known by the file's name.
local function given(parsed, name)
  local path = parsed[name .. "_file"]
  if not path then return parsed[name] end
  local flag = "--" .. name:gsub("_", "-")
  if parsed[name] then return nil, ("%s and %s-file cannot be used together"):format(flag, flag) end
  words.set(name, path)
  return read_secret(path)
end

-- An option of the environment's, known by the variable's name. What fills the environment from a file may leave the
-- line's end there; an empty variable is as good as none.
local function from(getenv, variable, name)
  local value = (getenv(variable) or ""):match "^%s*(.-)%s*$"
  if value == "" then return nil end
  words.set(name, variable)
  return value
end

local credentials = webpubsub.credential

local makers = {
  default = function(id) return credentials.default { tenant = id.tenant, client_id = id.client_id } end,
  environment = function(id)
    return credentials.default { tenant = id.tenant,
      exclude = { "workload_identity", "managed_identity", "azure_cli", "azure_developer_cli" } }
  end,
  ["managed-identity"] = function(id) return credentials.managed_identity { client_id = id.client_id } end,
  ["workload-identity"] = credentials.workload_identity,
  cli = function(id) return credentials.azure_cli { tenant = id.tenant } end,
  ["developer-cli"] = function(id) return credentials.azure_developer_cli { tenant = id.tenant } end,
}

-- Which of the two `--auth` takes no notice of.
local unused = {
  environment = "client_id", ["managed-identity"] = "tenant", cli = "client_id", ["developer-cli"] = "client_id",
}

local function add_credential(options, parsed)
  local make = makers[parsed.auth]
  if not make then
    return nil, ("--auth must be %s; it is \"%s\""):format(table.concat(settings.AUTHS, ", "), parsed.auth)
  elseif not parsed.endpoint then
    return nil, "--auth needs --endpoint"
  elseif parsed.key or parsed.key_file or parsed.connection_string or parsed.connection_string_file then
    return nil, "--auth cannot be used with a key or a connection string"
  end
  local extra = unused[parsed.auth]
  if extra and parsed[extra] then
    return nil, ("--%s has no meaning with --auth %s"):format(extra:gsub("_", "-"), parsed.auth)
  end
  options.endpoint = parsed.endpoint
  options.credential = make { tenant = parsed.tenant, client_id = parsed.client_id }
  return true
end

-- Endpoint and key: what is said on the command line goes before the environment.
local function add_identity(options, parsed, getenv)
  local wrong
  if parsed.auth then return add_credential(options, parsed) end
  if parsed.tenant or parsed.client_id then
    return nil, (parsed.tenant and "--tenant" or "--client-id") .. " needs --auth"
  end
  options.endpoint = parsed.endpoint
  options.connection_string, wrong = given(parsed, "connection_string")
  if wrong then return nil, wrong end
  options.key, wrong = given(parsed, "key")
  if wrong then return nil, wrong end
  if parsed.endpoint then
    options.key = options.key or from(getenv, "WebPubSubKey", "key")
    if not options.key then
      return nil, "--endpoint needs a key: give --key-file, or set WebPubSubKey in the environment; or give --auth"
    end
  elseif not options.connection_string then
    options.connection_string = from(getenv, "WebPubSubConnectionString", "connection_string")
  end
  if options.connection_string or options.endpoint then return true end
  return nil, "there is no service to call: set WebPubSubConnectionString in the environment, or give "
    .. "--connection-string-file, or --endpoint with --key-file"
end

--- The options for `webpubsub.new`.
---@param parsed table  from the command line
---@param needs_hub boolean
---@param getenv fun(name: string): string|nil
---@return table|nil options
---@return string|nil message  what is missing or wrong
function settings.client_options(parsed, needs_hub, getenv)
  local headers, wrong = parse_headers(parsed.header)
  if wrong then return nil, wrong end
  local options = {
    hub = parsed.hub or from(getenv, "WebPubSubHub", "hub") or (not needs_hub and "none" or nil),
    reverse_proxy = parsed.reverse_proxy,
    ca_file = parsed.ca_file,
    proxy = parsed.proxy,
    allow_http = parsed.allow_http,
    timeout = parsed.timeout,
    attempt_timeout = parsed.attempt_timeout,
    retries = parsed.retries,
    headers = headers,
    logger = parsed.verbose and report.logger(parsed.json) or nil,
  }
  if parsed.proxy == "none" then options.proxy = false end
  local ok, missing = add_identity(options, parsed, getenv)
  if not ok then return nil, missing end
  if not options.hub then return nil, "there is no hub: give --hub, or set WebPubSubHub in the environment" end
  return options
end

return settings
