--- What the scripted server does for one request: a step, or a list of steps played in order.
--- Each function here only describes; the server's process acts.

local steps = {}

local REPLY_FIELDS = { status = true, reason = true, headers = true, body = true, framing = true, chunk_size = true,
  version = true }
local FRAMINGS = { length = true, chunked = true, close = true }

local function check(condition, message, ...)
  if not condition then error(message:format(...), 3) end
end

local function copy_with(step, field, value)
  local copy = {}
  for key, existing in pairs(step) do copy[key] = existing end
  copy[field] = value
  return copy
end

---@class steps.Reply
---@field status integer 100–999; a 1xx reply is an interim one and another has to follow
---@field reason? string
---@field headers? table<string, string|number|string[]> a list repeats the field; one that is given here is never added
---@field body? string never sent in answer to HEAD, though its length is announced
---@field framing? "length"|"chunked"|"close" what ends the body: Content-Length (default), the last chunk, FIN
---@field chunk_size? integer bytes in a chunk (default: the whole body in one)
---@field version? string default "HTTP/1.1"

--- A complete, well-formed reply. The connection is kept alive unless the request or a header says `Connection: close`.
---@param fields steps.Reply
function steps.reply(fields)
  check(type(fields) == "table", "reply takes a table such as { status = 204 }")
  for name in pairs(fields) do check(REPLY_FIELDS[name], "reply knows no field %q", tostring(name)) end
  local status = fields.status
  check(type(status) == "number" and status >= 100 and status <= 999, "reply needs a status from 100 to 999")
  check(fields.framing == nil or FRAMINGS[fields.framing], "framing is length, chunked or close, not %q",
    tostring(fields.framing))
  check(not fields.chunk_size or fields.framing == "chunked", "chunk_size needs framing = \"chunked\"")
  local bodiless = status < 200 or status == 204 or status == 304
  check(not (bodiless and fields.body), "a %s has no body; send a malformed one with raw", status)
  return copy_with(fields, "kind", "reply")
end

--- These bytes, whatever they are.
---@param bytes string
function steps.raw(bytes)
  check(type(bytes) == "string", "raw takes a string of bytes")
  return { kind = "raw", bytes = bytes }
end

--- Takes so many bytes of what the client sends, whatever they are; to be played on_accept, before a request is read.
---@param bytes integer
function steps.take(bytes)
  check(type(bytes) == "number" and bytes >= 1, "take takes the number of bytes")
  return { kind = "take", bytes = bytes }
end

--- Nothing for a while.
---@param seconds number
function steps.delay(seconds)
  check(type(seconds) == "number", "delay takes seconds")
  return { kind = "delay", seconds = seconds }
end

--- These bytes again and again, until the client goes away.
---@param bytes string
function steps.endless(bytes)
  check(type(bytes) == "string" and bytes ~= "", "endless takes a non-empty string of bytes")
  return { kind = "endless", bytes = bytes }
end

--- Headers that never end.
function steps.endless_headers()
  return { steps.raw("HTTP/1.1 200 OK\r\n"), steps.endless("X-Filler: " .. ("x"):rep(64) .. "\r\n") }
end

--- A body that never ends, delimited by the end of the connection that does not come.
function steps.endless_body()
  return { steps.raw("HTTP/1.1 200 OK\r\n\r\n"), steps.endless(("x"):rep(1024)) }
end

--- Only the beginning of a reply or of raw bytes.
---@param step table from `reply` or `raw`
---@param bytes? integer how many; default half of them
function steps.truncate(step, bytes)
  check(step.kind == "reply" or step.kind == "raw", "truncate takes a reply or raw bytes")
  return copy_with(step, "limit", bytes or "half")
end

--- The same bytes in small pieces, a moment apart.
---@param step table from `reply`, `raw`, `truncate` or `endless`
---@param seconds number between two pieces
---@param bytes? integer in a piece; default 1
function steps.slowly(step, seconds, bytes)
  check(step.kind == "reply" or step.kind == "raw" or step.kind == "endless",
    "slowly takes a reply, raw bytes or endless bytes")
  check(type(seconds) == "number", "slowly takes the seconds between two pieces")
  return copy_with(step, "pace", { seconds = seconds, bytes = bytes or 1 })
end

--- Keeps the connection open without a word, until the client closes it.
function steps.silence()
  return { kind = "silence" }
end

--- Ends the connection with FIN. Over TLS no close_notify goes before it: cqueues has no way to send one.
function steps.close()
  return { kind = "close" }
end

--- Ends the connection with a TCP reset.
function steps.abort()
  return { kind = "abort" }
end

--- Does what an HTTP proxy does with the request: opens a tunnel for CONNECT, passes on a request with an absolute URL.
--- Reaches loopback only; anything else is answered 403.
function steps.forward()
  return { kind = "forward" }
end

--- Plays steps on the next connection as soon as it is accepted, before TLS and before anything is read.
--- When they end and have not ended the connection, it is served as usual.
---@param entry table a step or a list of steps
function steps.on_accept(entry)
  local list = steps.list(entry)
  for _, step in ipairs(list) do
    check(step.kind ~= "forward" and step.kind ~= "on_accept", "%s cannot be played on_accept", step.kind)
  end
  return { kind = "on_accept", steps = list }
end

--- The entry as a list of steps, nested lists flattened.
---@param entry table
---@return table[]
function steps.list(entry)
  check(type(entry) == "table", "a step is made with one of the functions of spec.support.steps, not a %s", type(entry))
  if entry.kind then return { entry } end
  local list = {}
  for _, nested in ipairs(entry) do
    for _, step in ipairs(steps.list(nested)) do list[#list + 1] = step end
  end
  check(#list > 0, "a script's entry is a step or a list of steps; this one holds none")
  for _, step in ipairs(list) do
    check(#list == 1 or step.kind ~= "on_accept", "on_accept is an entry of its own; give it all the steps")
  end
  return list
end

return steps
