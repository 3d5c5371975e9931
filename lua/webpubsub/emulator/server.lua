--- The listening server: HTTP requests in, responses out, one coroutine for each; and an orderly end.

local cqueues = require "cqueues"
local cqueues_socket = require "cqueues.socket"
local http_headers = require "http.headers"
local http_server = require "http.server"

local gateway = require "webpubsub.emulator.gateway"
local hub = require "webpubsub.emulator.hub"
local parameters = require "webpubsub.emulator.parameters"
local request = require "webpubsub.emulator.request"
local responses = require "webpubsub.emulator.responses"
local rest = require "webpubsub.emulator.rest"

local Server = {}
Server.__index = Server

local server = {}

local MAX_LINE_BYTES = 64 * 1024 -- request line or one header; a token repeats the URL
local MAX_BODY_BYTES = 1024 * 1024
local MAX_DISCARDED_BYTES = 16 * 1024 * 1024 -- of a body that is too large, so that its sender reads the answer
local MAX_LENGTH_DIGITS = 15
local READ_SECONDS = 30 -- for a request's body
local WRITE_SECONDS = 30
local KEEP_ALIVE_SECONDS = 120
local DRAIN_SECONDS = 0.5 -- for clients to take leave when the server stops

local CLOSE_GOING_AWAY = 1001

local BAD_REQUEST = "HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"

--- The hub of a name; hubs come into being when they are first named.
---@param name string
function Server:hub(name)
  local found = self.hubs[name]
  if not found then
    found = hub.new()
    self.hubs[name] = found
  end
  return found
end

-- Returns the body, or nil and the response to that (nil: the client broke off).
local function read_body(stream)
  local chunks, bytes = {}, 0
  local deadline = cqueues.monotime() + READ_SECONDS
  repeat
    local chunk, why = stream:get_next_chunk(deadline - cqueues.monotime())
    if why or (not chunk and stream.state == "open") then
      return nil
    end
    bytes = bytes + #(chunk or "")
    if bytes <= MAX_BODY_BYTES then
      chunks[#chunks + 1] = chunk
    end
  until not chunk or bytes > MAX_DISCARDED_BYTES
  if bytes > MAX_BODY_BYTES then
    return nil, responses.error(413, "Error.RequestTooLarge",
      ("The body has to have at most %d bytes."):format(MAX_BODY_BYTES))
  end
  return table.concat(chunks)
end

local function receive_body(stream, headers)
  if (headers:get("expect") or ""):lower() == "100-continue" then
    local length = headers:get("content-length")
    if (tonumber(length) or 0) > MAX_BODY_BYTES then
      return nil, responses.empty(413, { connection = "close" })
    end
    stream:write_continue(WRITE_SECONDS)
  end
  return read_body(stream)
end

-- The scheme, host and port as the client addressed the server, which is what tokens are made for.
local function origin_of(headers)
  return ("%s://%s"):format(headers:get(":scheme"), headers:get(":authority") or "")
end

local function respond(self, stream, headers, on_upgrade)
  local body, failure = receive_body(stream, headers)
  if not body then
    return failure
  end
  local parsed, message = request.parse(headers:get(":path") or "", origin_of(headers))
  if not parsed then
    return responses.error(400, "Error.BadRequest", message)
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
    body = body,
  })
end

local function write_response(stream, method, response)
  local headers = http_headers.new()
  headers:append(":status", tostring(response.status))
  headers:append("date", os.date("!%a, %d %b %Y %H:%M:%S GMT"))
  headers:append("api-supported-versions", parameters.API_VERSIONS)
  for name, value in pairs(response.headers) do
    headers:append(name, value)
  end
  if response.status == 204 and stream.peer_version == 1.1 then
    -- A 204 has no Content-Length (RFC 9110, 8.6), but lua-http adds one unless it is told how the body goes.
    stream.body_write_type = "missing"
    return stream:write_headers(headers, true, WRITE_SECONDS)
  end
  if response.body ~= "" then
    headers:append("content-length", ("%d"):format(#response.body))
  end
  if response.body == "" or method == "HEAD" then
    return stream:write_headers(headers, true, WRITE_SECONDS)
  end
  return stream:write_headers(headers, false, WRITE_SECONDS)
    and stream:write_chunk(response.body, true, WRITE_SECONDS)
end

-- Logged as method, path, status and time. The query stays out, it may hold a token.
local function log_request(self, headers, status, started, note)
  if self.quiet then
    return
  end
  local path = (headers:get(":path") or "-"):match("^[^?]*"):gsub("[^\33-\126]", "?")
  self.log(("%s %s %s %.1f ms%s"):format(headers:get(":method") or "-", path, status,
    (cqueues.monotime() - started) * 1000, note and " (" .. note .. ")" or ""))
end

-- Takes an unfinished request's connection away from lua-http, which would read on, and for ever if the client is gone.
local function cut_off(stream, farewell)
  local socket = stream.connection:take_socket()
  if socket then
    socket:onerror(function(_, _, why) return why end)
    socket:xwrite(farewell, "bn", WRITE_SECONDS)
    socket:shutdown("rw")
    socket:close()
  end
end

-- What a body's length is must be said once and be a number that can be.
local function has_clear_length(headers)
  local lengths = headers:get_as_sequence("content-length")
  if lengths.n > 1 or (lengths.n == 1 and headers:has("transfer-encoding")) then
    return false
  end
  return lengths.n == 0 or (not lengths[1]:find("%D") and #lengths[1] <= MAX_LENGTH_DIGITS)
end

local function on_stream(self, stream)
  local readable, headers, why = pcall(stream.get_headers, stream, READ_SECONDS)
  if not readable or not headers then
    local gone = readable and not why
    cut_off(stream, gone and "" or BAD_REQUEST)
    return
  elseif not has_clear_length(headers) then
    cut_off(stream, BAD_REQUEST)
    return
  end
  local started = cqueues.monotime()
  local response, note = respond(self, stream, headers, function()
    log_request(self, headers, 101, started)
  end)
  if response then
    write_response(stream, headers:get(":method"), response)
  end
  if stream.state == "open" or stream.state == "half closed (local)" then
    cut_off(stream, "")
  end
  log_request(self, headers, response and response.status or "ended", started, note)
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

---@class EmulatorServerOptions
---@field host string
---@field port integer 0: any free one
---@field key string
---@field tls_context table? serves https with it
---@field log fun(line: string)
---@field quiet boolean? do not log each request

--- Listens; requests are answered while step() is called.
---@param options EmulatorServerOptions
---@return table|nil server
---@return string|nil message why it cannot listen
function server.listen(options)
  cqueues_socket.setmaxline(MAX_LINE_BYTES)
  local self = setmetatable({
    key = options.key,
    log = options.log,
    quiet = options.quiet,
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
    intra_stream_timeout = KEEP_ALIVE_SECONDS,
    onstream = function(_, stream) on_stream(self, stream) end,
    onerror = function(_, _, operation, message) self.log(describe_failure(operation, tostring(message))) end,
  }
  if http then
    local listening
    listening, why = http:listen()
    http = listening and http
  end
  if not http then
    return nil, ("cannot listen on %s:%d: %s"):format(options.host, options.port, why)
  end
  self.http = http
  local _, _, port = http:localname()
  self.scheme = options.tls_context and "https" or "http"
  self.port = math.tointeger(tonumber(port))
  local host = options.host:find(":", 1, true) and ("[%s]"):format(options.host) or options.host
  self.endpoint = ("%s://%s:%d"):format(self.scheme, host, self.port)
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
