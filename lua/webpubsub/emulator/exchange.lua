--- One HTTP request and its response over a stream of lua-http: reads a body of limited size, writes a response with
-- the service's headers, and closes the connection of a request that was not read to its end.

local cqueues = require "cqueues"
local http_headers = require "http.headers"

local parameters = require "webpubsub.emulator.parameters"
local responses = require "webpubsub.emulator.responses"

local exchange = {}

local MAX_BODY_BYTES = 1024 * 1024
local MAX_LENGTH_DIGITS = 15
local READ_SECONDS = 30 -- for a request's body
local WRITE_SECONDS = 30
local MAX_DISCARDED_BYTES = 16 * 1024 * 1024 -- of an unread body, so that its sender can read the response
local DISCARD_SECONDS = 2
local DISCARDED_BYTES = 64 * 1024 -- at a time

local PROBLEM = "^application/problem%+json"

exchange.BAD_REQUEST = "HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"

--- Whether a request states the length of its body at most once, as a valid number.
---@param headers table of lua-http
---@return boolean
function exchange.has_clear_length(headers)
  local lengths = headers:get_as_sequence("content-length")
  if lengths.n > 1 or (lengths.n == 1 and headers:has("transfer-encoding")) then
    return false
  end
  return lengths.n == 0 or (not lengths[1]:find("%D") and #lengths[1] <= MAX_LENGTH_DIGITS)
end

local function too_large()
  return responses.error(413, "Error.RequestTooLarge",
    ("The body has to have at most %d bytes."):format(MAX_BODY_BYTES))
end

--- Reads a request's body. The rest of one that is too large is discarded by finish().
---@param stream table of lua-http
---@param headers table
---@return string|nil body
---@return EmulatorResponse|nil failure nil when the client broke off
function exchange.read_body(stream, headers)
  if tonumber(headers:get("content-length") or 0) > MAX_BODY_BYTES then
    return nil, too_large()
  elseif (headers:get("expect") or ""):lower() == "100-continue" then
    stream:write_continue(WRITE_SECONDS)
  end
  local chunks, bytes = {}, 0
  local deadline = cqueues.monotime() + READ_SECONDS
  repeat
    local chunk, why = stream:get_next_chunk(deadline - cqueues.monotime())
    if why or (not chunk and stream.state == "open") then
      return nil
    end
    bytes = bytes + #(chunk or "")
    if bytes > MAX_BODY_BYTES then
      return nil, too_large()
    end
    chunks[#chunks + 1] = chunk
  until not chunk
  return table.concat(chunks)
end

local function is_unread(stream)
  return stream.state == "open" or stream.state == "half closed (local)"
end

--- Writes a response. The connection ends with it if the request has a body that was not read.
---@param stream table
---@param method string
---@param response EmulatorResponse
function exchange.write(stream, method, response)
  local headers = http_headers.new()
  headers:append(":status", tostring(response.status))
  headers:append("date", os.date("!%a, %d %b %Y %H:%M:%S GMT"))
  if not (response.headers["content-type"] or ""):find(PROBLEM) then
    headers:append("api-supported-versions", parameters.API_VERSIONS)
  end
  for name, value in pairs(response.headers) do
    headers:append(name, value)
  end
  if is_unread(stream) then
    headers:upsert("connection", "close")
  end
  if response.status == 204 and stream.peer_version == 1.1 then
    -- A 204 has no Content-Length (RFC 9110, 8.6), but lua-http adds one unless it is told how the body goes.
    stream.body_write_type = "missing"
    return stream:write_headers(headers, true, WRITE_SECONDS)
  end
  headers:append("content-length", ("%d"):format(#response.body))
  if response.body == "" or method == "HEAD" then
    return stream:write_headers(headers, true, WRITE_SECONDS)
  end
  return stream:write_headers(headers, false, WRITE_SECONDS)
    and stream:write_chunk(response.body, true, WRITE_SECONDS)
end

-- A peer in the middle of sending would lose the answer to a reset if its input were left unread.
local function discard_input(socket)
  local deadline, bytes = cqueues.monotime() + DISCARD_SECONDS, 0
  repeat
    local left = deadline - cqueues.monotime()
    local chunk = left > 0 and socket:xread(-DISCARDED_BYTES, "b", left)
    bytes = bytes + #(chunk or "")
  until not chunk or bytes > MAX_DISCARDED_BYTES
end

--- Takes an unfinished request's connection away from lua-http, which would read on, for ever if the client is gone.
---@param stream table
---@param farewell string what to write before the end
function exchange.cut_off(stream, farewell)
  local socket = stream.connection:take_socket()
  if socket then
    socket:onerror(function(_, _, why) return why end)
    socket:xwrite(farewell, "bn", WRITE_SECONDS)
    socket:shutdown("w")
    discard_input(socket)
    cqueues.cancel(socket:pollfd())
    socket:close()
  end
end

--- Ends a request whose body was not read to its end.
---@param stream table
function exchange.finish(stream)
  if is_unread(stream) then
    exchange.cut_off(stream, "")
  end
end

return exchange
