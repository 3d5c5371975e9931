-- Answers the service's events with a server of lua-http: who may connect, and what is answered to a message.
--
--   export WebPubSubConnectionString='Endpoint=…;AccessKey=…;Version=1.0;'
--   lua5.4 spec/examples/events.lua 8082         then set http://…:8082/events as the hub's event handler:
--   webpubsub emulator --event-handler http://127.0.0.1:8082/events

-- Debian installs lua-http for older versions of Lua; it works on 5.4 all the same.
package.path = package.path .. ";/usr/share/lua/5.3/?.lua;/usr/share/lua/5.2/?.lua"

local http_server = require "http.server"
local webpubsub = require "webpubsub"

local client = webpubsub.new { connection_string = os.getenv "WebPubSubConnectionString", hub = "chat" }

local events = webpubsub.events.new {
  hub = "chat",
  client = client, -- whose key signs the events
  origins = "*", -- in production the host of the service, { "name.webpubsub.azure.com" }
  connect = function(event)
    local user = event.query.user and event.query.user[1]
    if not user or user == "eve" then return webpubsub.events.reject(401, "who are you?") end
    return { user = user, groups = { "lobby" } }
  end,
  user_event = function(event)
    if event.content == "bye" then
      -- This may wait: others are answered meanwhile.
      client:close_user_connections { user = event.user, reason = "as you like" }
    end
    return { content = event.user .. " said " .. event.content }
  end,
}

local server = assert(http_server.listen {
  host = "127.0.0.1",
  port = tonumber(arg[1]) or 8082,
  onstream = function(_, stream)
    local headers = stream:get_headers()
    if headers and headers:get ":path" == "/events" then return events:serve(stream, headers) end
    stream:shutdown()
  end,
})
assert(server:listen())
io.stdout:setvbuf "line"
print("listening on port " .. select(3, server:localname()))
assert(server:loop())
