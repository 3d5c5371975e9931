--- URLs with which WebSocket clients connect.

local core = require "webpubsub.core"
local driver = require "webpubsub.driver"

local access = {}

-- The service counts in minutes, and gives at least one.
local function minutes_of(seconds)
  return math.max(1, math.floor(seconds / 60))
end

-- A token of the usual form stays as it is; the service may make others.
local function escape(token)
  return (token:gsub("[^%w._~-]", function(byte) return ("%%%02X"):format(byte:byte()) end))
end

-- The same call that asks the service for a token checks user, roles and groups; with a key it is never sent.
local function prepare(client, arguments, lifetime, client_type, unsent)
  return driver.prepare_for("client_access_url", client, "generate_client_token", {
    user = core.field(arguments, "user"),
    roles = core.field(arguments, "roles"),
    groups = core.field(arguments, "groups"),
    minutes_to_expire = minutes_of(lifetime),
    client_type = client_type,
    context = core.field(arguments, "context"),
  }, unsent)
end

--- See `client:client_access_url` in library/webpubsub.lua.
function access.url(client, arguments)
  arguments = arguments or {}
  local extras = core.extras(client, "client_access_url")
  local url, token, client_type, lifetime = core.access(client, arguments, extras.transport.wall())
  local call = prepare(client, arguments, lifetime, client_type, token ~= nil)
  if not token then
    local response, err = driver.run(call, extras, arguments)
    if not response then return driver.failed(err, extras, arguments) end
    if response.is_error then return nil, response end
    token = response.token
  end
  return url:gsub("^http", "ws", 1) .. "?access_token=" .. escape(token), token
end

return access
