--- From options and the environment to the options of `webpubsub.new`.

local report = require "webpubsub.cli.report"

local settings = {}

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

-- Endpoint and key: what is said on the command line goes before the environment.
local function add_identity(options, parsed, getenv)
  options.connection_string, options.endpoint, options.key = parsed.connection_string, parsed.endpoint, parsed.key
  if parsed.endpoint then
    options.key = parsed.key or getenv "WebPubSubKey"
  elseif not parsed.connection_string then
    options.connection_string = getenv "WebPubSubConnectionString"
  end
  if options.connection_string or options.endpoint then return true end
  return nil, "there is no service to call: set WebPubSubConnectionString in the environment, or give "
    .. "--connection-string, or --endpoint with --key"
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
    hub = parsed.hub or getenv "WebPubSubHub" or (not needs_hub and "none" or nil),
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
