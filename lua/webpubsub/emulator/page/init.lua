--- A page that shows the emulator's activity: `GET /`, updated over a WebSocket at `/page/live`.
--
-- The page can close connections and send messages without a key. So it is served to browsers on this machine only, and
-- its WebSocket accepts the page itself only, no script of another site.

local digest = require "openssl.digest"
local http_websocket = require "http.websocket"

local base64 = require "webpubsub.emulator.base64"
local feed = require "webpubsub.emulator.page.feed"
local markup = require "webpubsub.emulator.page.markup"
local origins = require "webpubsub.emulator.origins"
local responses = require "webpubsub.emulator.responses"
local script = require "webpubsub.emulator.page.script"
local style = require "webpubsub.emulator.page.style"
local websocket = require "webpubsub.emulator.websocket"

local page = {}

local HANDSHAKE_SECONDS = 10
local LIVE = "/page/live"

local HTML = markup:gsub("{{(%w+)}}", { style = style, script = script })

local function hash(text)
  return "'sha256-" .. base64.encode(digest.new("sha256"):final(text)) .. "'"
end

-- Nothing is loaded from elsewhere, and no script runs but the page's own.
local HEADERS = {
  ["content-type"] = "text/html; charset=utf-8",
  ["cache-control"] = "no-store",
  ["content-security-policy"] = table.concat({
    "default-src 'none'", "style-src " .. hash(style), "script-src " .. hash(script), "connect-src 'self'",
    "img-src data:", "base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'",
  }, "; "),
  ["referrer-policy"] = "no-referrer",
  ["x-content-type-options"] = "nosniff",
}

---@param path string of the request
---@return boolean whether it is the page's
function page.serves(path)
  return path == "/" or path == LIVE
end

local function forbidden(message)
  return responses.error(403, "Error.Forbidden", message)
end

-- Whether the other end of a connection is on this machine.
local function is_near(stream)
  local _, address = stream:peername()
  return type(address) == "string" and origins.is_loopback((address:gsub("^::ffff:", "")))
end

local function serve_live(server, stream, headers, on_upgrade)
  if not server.origins:is_own(headers) then
    return forbidden("Only the emulator's own page may use this WebSocket.")
  end
  local upgrade, why = http_websocket.new_from_stream(stream, headers)
  if not upgrade then
    return responses.error(400, "Error.BadRequest", ("A WebSocket handshake is expected: %s."):format(why))
  end
  server.strangers:welcome(stream.connection.socket)
  if upgrade:accept({}, HANDSHAKE_SECONDS) then
    on_upgrade()
    local peer = websocket.new(upgrade.socket)
    server.peers[peer] = true
    feed.run(server, peer)
    server.peers[peer] = nil
  end
end

--- Serves the page or its WebSocket.
---@param server table
---@param stream table
---@param headers table
---@param path string of the request
---@param on_upgrade fun() called when the connection has become a WebSocket
---@return EmulatorResponse|nil response nil once the connection was a WebSocket
---@return table|nil about for the journal; loading the page is not recorded
function page.handle(server, stream, headers, path, on_upgrade)
  local method = headers:get(":method")
  if method ~= "GET" and method ~= "HEAD" then
    return responses.empty(405, { allow = "GET, HEAD" })
  elseif not server.open_page and not is_near(stream) then
    return forbidden("The page is for browsers on the emulator's own machine, unless it is started with --open-page.")
  elseif path == LIVE then
    return serve_live(server, stream, headers, on_upgrade)
  end
  local own = {}
  for name, value in pairs(HEADERS) do
    own[name] = value
  end
  return { status = 200, headers = own, body = HTML }, { is_silent = true }
end

return page
