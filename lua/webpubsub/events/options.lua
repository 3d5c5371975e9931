--- What an event handler is made of, checked.

local check = require "webpubsub.events.check"
local core = require "webpubsub.core"

local options = {}

local MAX_BODY_BYTES = 1024 * 1024 -- what the service lets a client send

-- What a request must fit: keys in C memory, or the application's own judgement.
local function credentials(field)
  local keys, client, authorize = field("keys"), field("client"), field("authorize")
  if not (keys or client or authorize) then
    check.refuse("keys", "missing", "keys are missing: without them anybody could send events; "
      .. "give keys, client, or authorize = function(request)")
  elseif authorize and (keys or client) then
    check.refuse("authorize", "invalid", "authorize stands in the place of keys and client; give one or the other")
  end
  return not authorize and core.event_keys(keys, client) or nil, authorize
end

-- Host names in lower case, as a set; nil for all.
local function origins(given)
  if given == nil then
    check.refuse("origins", "missing",
      "origins is missing; expected the hosts that may send events, { \"name.webpubsub.azure.com\" }, or \"*\" for all")
  elseif given == "*" then
    return nil
  elseif type(given) == "string" then
    check.refuse("origins", "type", "origins must be a list of hosts, or \"*\" for all; it is another string")
  end
  local hosts, list = {}, check.strings(given, "origins")
  if #list == 0 then check.refuse("origins", "empty", "origins must not be empty: nobody could send events") end
  for index, host in ipairs(list) do
    if not host:find("^[%w.:%[%]_-]+$") then
      check.refuse("origins", "invalid",
        ("origins[%d] must be a host such as name.webpubsub.azure.com, without https:// and path"):format(index))
    end
    hosts[host:lower()] = host
  end
  return hosts
end

-- A function by event name, "*" being the name of all others. A copy without a metatable: clients choose the names.
local function user_events(given)
  if type(given) ~= "table" then return { ["*"] = given } end
  local functions = {}
  for name, handler in pairs(given) do
    if type(name) ~= "string" or type(handler) ~= "function" then
      check.refuse("user_event", "type", ("user_event must hold functions by the names of events; [%s] is a %s"):format(
        type(name) == "string" and ("%q"):format(name) or tostring(name), type(handler)))
    end
    functions[name] = handler
  end
  return functions
end

--- Raises for what is wrong; returns what the handler keeps of it.
---@param given table
---@return table
function options.read(given)
  core.check_options(given, "events.new", "the table of options", "events.new")
  local function field(name) return core.field(given, name) end
  core.check_hub(field "hub")
  local keys, authorize = credentials(field)
  return {
    hub = field "hub", hub_key = field("hub"):lower(), -- hubs are told apart without case
    keys = keys, authorize = authorize, origins = origins(field "origins"),
    handlers = {
      connect = field "connect", connected = field "connected", disconnected = field "disconnected",
      joined = field "joined", left = field "left", unknown = field "unknown",
    },
    user_events = user_events(field "user_event"),
    logger = field "logger", max_body_bytes = field "max_body_bytes" or MAX_BODY_BYTES,
  }
end

return options
