--- The picture of the emulator's page in the README: make picture
-- Users come, talk and are closed on a real emulator with a real event handler, and a browser looks at it.

local root = arg[0]:match("^(.*/)spec/pictures/[^/]*$") or "./"
package.path = root .. "lua/?.lua;" .. root .. "lua/?/init.lua;" .. root .. "?.lua;" .. package.path

local browser = require "spec.support.browser"
local launch = require "webpubsub.emulator.launch"
local scripted_server = require "spec.support.scripted_server"
local steps = require "spec.support.steps"
local webpubsub = require "webpubsub"
local websocket_clients = require "spec.support.websocket_clients"

local PICTURE = root .. "spec/pictures/emulator.png"
local PORT = 8080
local WIDTH, HEIGHT = 1160, 690
local MAX_BYTES = 150 * 1024

local ROLES = { "webpubsub.sendToGroup", "webpubsub.joinLeaveGroup" }
local CHAT = {
  { user = "alice", groups = { "news", "team-red" } }, { user = "alice", groups = { "news" } },
  { user = "bob", groups = { "news" }, roles = ROLES }, { user = "carol", groups = { "team-blue" } },
  { user = "dave", groups = { "team-red" } }, { user = "erin", groups = { "news", "support" } }, { user = "frank" },
}
local GAME = {
  { user = "player-17", groups = { "lobby" } }, { user = "player-4", groups = { "match-9" } },
  { user = "player-23", groups = { "match-9" } }, { user = "spectator", raw = true },
}


local function play(emulator)
  local function client_of(hub)
    return webpubsub.new { connection_string = emulator.connection_string, hub = hub, proxy = false }
  end
  local chat, game = client_of "chat", client_of "game"
  local players = websocket_clients.connect(emulator, "game", GAME)
  local people = websocket_clients.connect(emulator, "chat", CHAT)
  game:send_to_group { group = "match-9", json = { score = { 3, 2 } } }
  chat:send_to_group { group = "news", content = "The new release is out", content_type = "text/plain" }
  people:send(3, '{"type":"sendToGroup","group":"news","dataType":"text","data":"Great, thank you!","ackId":1}')
  people:ask(3, '{"type":"event","event":"typing","data":{"in":"news"},"ackId":2}')
  chat:add_user_to_group { user = "carol", group = "news" }
  pcall(chat.add_connection_to_group, chat, { connection = "long-gone", group = "news" })
  chat:close_user_connections { user = "alice", excluded = { people.ids[2] }, reason = "signed in elsewhere" }
  return function()
    players:stop()
    people:stop()
  end
end

local function write_picture(bytes)
  assert(#bytes <= MAX_BYTES, ("the picture has %d bytes"):format(#bytes))
  local file = assert(io.open(PICTURE, "wb"))
  file:write(bytes)
  file:close()
  print(("%s: %d bytes"):format(PICTURE, #bytes))
end

local handler = scripted_server.start()
handler:script { steps.reply { status = 200, headers = { ["WebHook-Allowed-Origin"] = "*" } },
  default = steps.reply { status = 204 } }
local emulator = launch { port = PORT, event_handler = handler.origin .. "/events",
  event_handler_events = { "connect", "disconnected", "*" } }
local stop = play(emulator)
local page = browser.open { width = WIDTH, height = HEIGHT }
page:visit(emulator.endpoint .. "/")
page:wait_for("return document.querySelectorAll('#activity-list .row').length > 10", "the page")
write_picture(page:picture())
page:close()
stop()
emulator.stop()
handler:stop()
