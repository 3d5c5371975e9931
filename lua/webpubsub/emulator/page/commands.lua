--- The commands of the page: close a connection, send a message.

local json = require "webpubsub.emulator.json"

local commands = {}

local TARGETS = {
  everyone = function(hub) return hub:all(), "everyone" end,
  user = function(hub, name) return hub:of_user(name), "user " .. name end,
  group = function(hub, name) return hub:in_group(name), "group " .. name end,
  connection = function(hub, name) return { hub.connections[name] }, "connection " .. name end,
}

local function text_of(value)
  return type(value) == "string" and value or nil
end

local COMMANDS = {}

function COMMANDS.close(server, hub, command)
  local client = hub.connections[text_of(command.id) or ""]
  if not client then
    return "The connection has ended already."
  end
  client:close(text_of(command.reason))
  server.journal:record("request", { hub = hub.name, text = "page: close connection " .. client.id })
end

function COMMANDS.send(server, hub, command)
  local data, find = text_of(command.data), TARGETS[command.to]
  local name = text_of(command.name) or ""
  if not data or not find then
    return "The message has no text or nobody to go to."
  elseif command.dataType == "json" and json.decode(data) == nil then
    return "The message is not JSON."
  end
  local message = { type = command.dataType == "json" and "json" or "text", data = data }
  message.group = command.to == "group" and name or nil
  local clients, whom = find(hub, name)
  for _, client in ipairs(clients) do
    client:deliver(message)
  end
  hub:record_message(message, whom, #clients)
  server.journal:record("request", { hub = hub.name, text = ("page: send %s to %s: %d sent"):format(message.type, whom,
    #clients) })
end

--- Performs a command.
---@param server table
---@param text string
---@return string|nil problem a sentence to show
function commands.perform(server, text)
  local command = json.decode(text)
  local perform = type(command) == "table" and COMMANDS[command.type]
  local hub = perform and server.hubs[command.hub]
  if not hub then
    return "The emulator does not know this command or this hub."
  end
  return perform(server, hub, command)
end

return commands
