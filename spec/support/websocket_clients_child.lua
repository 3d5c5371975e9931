-- The process of websocket_clients.lua (Lua 5.4, lua-http): reads whom to connect from standard input, prints a JSON
-- line for every frame and every end of a connection, and sends what standard input asks for until that ends.

local root = arg[0]:match("^(.*/)spec/support/[^/]*$") or "./"
package.path = root .. "lua/?.lua;" .. root .. "?.lua;" .. package.path

require("webpubsub.emulator.path")
local cjson = require("cjson")
local cqueues = require("cqueues")
local http_websocket = require("http.websocket")
local auth = require("webpubsub.emulator.auth")
local wire = require("spec.support.wire")

local SUBPROTOCOL = "json.webpubsub.azure.v1"
local TIMEOUT_SECONDS = 5
local STDIN_FD = 0

io.stdin:setvbuf("no") -- what waits in a buffer would not wake the loop
local ok, options = wire.read(function() return io.read("l") end, function(count) return io.read(count) end)
assert(ok, options)

local loop = cqueues.new()
local websockets = {}

local function report(event)
  io.write(cjson.encode(event), "\n")
  io.flush()
end

local function url_of(identity)
  local audience = ("%s/client/hubs/%s"):format(options.endpoint, options.hub)
  local token = auth.client_token(options.key, { audience = audience, user = identity.user, roles = identity.roles,
    groups = identity.groups })
  return audience:gsub("^http", "ws") .. "?access_token=" .. token
end

local function connect(identity)
  local websocket = http_websocket.new_from_uri(identity.url or url_of(identity),
    not identity.raw and { SUBPROTOCOL } or nil)
  assert(websocket:connect(TIMEOUT_SECONDS))
  return websocket
end

local function receive(index, websocket, timeout)
  local text, reason, code = websocket:receive(timeout)
  if text then
    report({ client = index, text = text })
  else
    report({ client = index, ended = true, code = code, reason = reason or "" })
  end
  return text
end

loop:wrap(function()
  for index, identity in ipairs(options.identities) do
    websockets[index] = connect(identity)
    if not identity.raw then assert(receive(index, websockets[index], TIMEOUT_SECONDS)) end
  end
  print("ready")
  io.flush()
  for index, websocket in ipairs(websockets) do
    loop:wrap(function()
      while receive(index, websocket) do end
    end)
  end
end)

loop:wrap(function()
  while true do
    cqueues.poll({ pollfd = STDIN_FD, events = "r" })
    local line = io.read("l")
    if not line then os.exit(0) end
    local index, text = line:match("^(%d+) (.*)$")
    websockets[tonumber(index)]:send(text, "text", TIMEOUT_SECONDS) -- one that has ended has been reported
  end
end)

assert(loop:loop())
