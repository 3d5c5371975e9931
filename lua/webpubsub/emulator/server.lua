--- The listening server: HTTP requests in, responses out, one coroutine for each; and an orderly end.

local cqueues = require "cqueues"
local cqueues_errno = require "cqueues.errno"
local cqueues_socket = require "cqueues.socket"
local http_server = require "http.server"

local client_events = require "webpubsub.emulator.client_events"
local exchange = require "webpubsub.emulator.exchange"
local gateway = require "webpubsub.emulator.gateway"
local hub = require "webpubsub.emulator.hub"
local origins = require "webpubsub.emulator.origins"
local page = require "webpubsub.emulator.page"
local request = require "webpubsub.emulator.request"
local responses = require "webpubsub.emulator.responses"
local rest = require "webpubsub.emulator.rest"
local strangers = require "webpubsub.emulator.strangers"
local webhook = require "webpubsub.emulator.webhook"

local Server = {}
Server.__index = Server

local server = {}

local MAX_LINE_BYTES = 32 * 1024 -- request line or one header; a token repeats the URL
local MAX_HEADERS = 64
local MAX_CONNECTIONS = 20000
local READ_SECONDS = 30 -- for a request's headers
local KEEP_ALIVE_SECONDS = 120
local DRAIN_SECONDS = 0.5 -- for clients to take leave when the server stops

local CLOSE_GOING_AWAY = 1001

-- Addresses that stand for all of this machine's, and the one with which it reaches itself.
local ANY_ADDRESS = { ["0.0.0.0"] = "127.0.0.1", ["::"] = "::1" }

local ADDRESS_IN_USE = cqueues_errno.strerror(cqueues_errno.EADDRINUSE)

--- The hub of a name; hubs come into being when they are first named.
---@param name string
function Server:hub(name)
  local found = self.hubs[name]
  if not found then
    found = hub.new(name, self.journal)
    self.hubs[name] = found
  end
  return found
end

-- The scheme, host and port as the client addressed the server, which is what tokens are made for.
local function origin_of(headers)
  return ("%s://%s"):format(headers:get(":scheme"), headers:get(":authority") or "")
end

local function respond(self, stream, headers, on_upgrade)
  local path = headers:get(":path") or ""
  local refused = self.origins:refuse(headers) or gateway.refuse_unsupported(path)
  if refused then
    return refused
  end
  local parsed, message = request.parse(path, origin_of(headers))
  if not parsed then
    return responses.error(400, "Error.BadRequest", message)
  elseif page.serves(parsed.path) then
    return page.handle(self, stream, headers, parsed.path, on_upgrade)
  elseif gateway.serves(parsed.segments) then
    return gateway.handle(self, stream, headers, parsed, on_upgrade)
  end
  return rest.handle(parsed, {
    method = headers:get(":method"),
    origin = origin_of(headers),
    key = self.key,
    hubs = function(name) return self:hub(name) end,
    authorization = headers:get("authorization"),
    content_type = headers:get("content-type"),
    has_length = headers:has("content-length"),
    welcome = function() self.strangers:welcome(stream.connection.socket) end,
    read_body = function() return exchange.read_body(stream, headers) end,
  })
end

-- Without the query, which may contain a token.
local function record_request(self, headers, status, started, about)
  about = about or {}
  about.method = headers:get(":method") or "-"
  about.path = (headers:get(":path") or "-"):match("^[^?]*"):gsub("[^\33-\126]", "?")
  about.status = status
  about.ms = (cqueues.monotime() - started) * 1000
  self.journal:record("request", about)
end

local function on_stream(self, stream)
  stream.max_header_lines = MAX_HEADERS
  local readable, headers, why = pcall(stream.get_headers, stream, READ_SECONDS)
  if not readable or not headers then
    local gone = readable and not why
    exchange.cut_off(stream, gone and "" or exchange.BAD_REQUEST)
    return
  elseif not exchange.has_clear_length(headers) then
    exchange.cut_off(stream, exchange.BAD_REQUEST)
    return
  end
  local started = cqueues.monotime()
  local upgraded = false
  local response, about = respond(self, stream, headers, function() upgraded = true end)
  if not upgraded and not (about and about.is_silent) then
    record_request(self, headers, response and response.status, started, about) -- before the client has its response
  end
  if response then
    exchange.write(stream, headers:get(":method"), response)
  end
  exchange.finish(stream)
end

-- What lua-http reports, in one line. OpenSSL's words come behind a number and the name of a library.
local function describe_failure(operation, message)
  message = message:match("^[^\n]*")
  local handshake = message:match("^starttls: (.*)$")
  if handshake then
    return "a TLS handshake failed: " .. handshake:gsub("^error:%x+:.*::", "")
  end
  return ("%s: %s"):format(operation, message)
end

local function start_events(self, options)
  local handler = webhook.new {
    url = options.event_handler,
    key = options.key,
    origin = self.endpoint:match("^%a+://(.*)$"),
    journal = self.journal,
  }
  self.events = client_events.new(handler, options.event_handler_events, self.journal, self.controller)
  self.controller:wrap(handler.introduce, handler)
end

-- Counts every accepted connection as a stranger's at first.
local function watch_strangers(self, http)
  self.strangers = strangers.new(http, self.controller)
  local add_socket = http.add_socket
  function http.add_socket(_, socket)
    self.strangers:add(socket)
    return add_socket(http, socket)
  end
end

---@class EmulatorServerOptions
---@field host string
---@field port integer 0: any free one
---@field key string
---@field tls_context table? serves https with it
---@field allow_origins string[]? web sites that may use it besides those on this machine
---@field keep_seconds number how long a reliable client whose connection was cut can recover
---@field event_handler string? URL to deliver events to
---@field event_handler_events string[]? which ones, as of client_events.new()
---@field open_page boolean? serve the page to other machines too
---@field journal table

--- Listens; requests are answered while step() is called.
---@param options EmulatorServerOptions
---@return table|nil server
---@return string|nil message why it cannot listen
function server.listen(options)
  cqueues_socket.setmaxline(MAX_LINE_BYTES)
  local self = setmetatable({
    key = options.key,
    journal = options.journal,
    keep_seconds = options.keep_seconds,
    event_handler = options.event_handler,
    open_page = options.open_page,
    origins = origins.new(options.allow_origins),
    hubs = {}, -- name -> hub
    peers = {}, -- set of websockets
    controller = cqueues.new(),
  }, Server)
  local http, why = http_server.listen {
    cq = self.controller,
    host = options.host,
    port = options.port,
    reuseaddr = true,
    version = 1.1,
    tls = options.tls_context ~= nil,
    ctx = options.tls_context,
    max_concurrent = MAX_CONNECTIONS,
    intra_stream_timeout = KEEP_ALIVE_SECONDS,
    onstream = function(_, stream) on_stream(self, stream) end,
    onerror = function(_, _, operation, message) self.journal:note(describe_failure(operation, tostring(message))) end,
  }
  if http then
    local listening
    listening, why = http:listen()
    http = listening and http
  end
  if not http then
    return nil, ("cannot listen on %s:%d: %s%s"):format(options.host, options.port, why,
      why == ADDRESS_IN_USE and "; --port 0 takes any free port" or "")
  end
  watch_strangers(self, http)
  self.http = http
  local _, _, port = http:localname()
  self.scheme = options.tls_context and "https" or "http"
  self.port = math.tointeger(tonumber(port))
  local host = ANY_ADDRESS[options.host] or options.host
  self.is_open = host ~= options.host -- to every address
  host = host:find(":", 1, true) and ("[%s]"):format(host) or host
  self.endpoint = ("%s://%s:%d"):format(self.scheme, host, self.port)
  if options.event_handler then
    start_events(self, options)
  end
  return self
end

--- Runs what is ready to run, or waits for something to be.
---@param seconds number? how long to wait at most
---@return boolean|nil ok
---@return string|nil message why a coroutine failed
---@return thread|nil coroutine the one that failed
function Server:step(seconds)
  local ok, message, _, failed = self.controller:step(seconds)
  return ok, message, failed
end

--- Stops listening and tells every client that the server goes away.
function Server:stop()
  local socket = self.http.socket
  self.http.socket = nil
  cqueues.cancel(socket:pollfd())
  socket:close()
  for peer in pairs(self.peers) do
    peer:close(CLOSE_GOING_AWAY)
  end
  local deadline = cqueues.monotime() + DRAIN_SECONDS
  while next(self.peers) and cqueues.monotime() < deadline do
    self:step(deadline - cqueues.monotime())
  end
end

return server
