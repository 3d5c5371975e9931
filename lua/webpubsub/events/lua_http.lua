--- Requests to a server of lua-http, each in a coroutine of cqueues.

local require = require

local lua_http = {}

local READ_SECONDS = 30 -- for the headers, and for the whole body
local WRITE_SECONDS = 30

-- As a table of names and lists.
local function collect(fields)
  local given = {}
  for name, value in fields:each() do
    given[name] = given[name] or {}
    table.insert(given[name], value)
  end
  return given
end

local function body_reader(stream, fields)
  local cqueues = require "cqueues"
  return function(limit)
    local deadline, chunks, bytes = cqueues.monotime() + READ_SECONDS, {}, 0
    if (fields:get("expect") or ""):lower() == "100-continue" then stream:write_continue(WRITE_SECONDS) end
    while bytes <= limit do
      local chunk, problem = stream:get_next_chunk(deadline - cqueues.monotime())
      if problem or (not chunk and stream.state == "open") then return nil, 408, "The body did not arrive." end
      if not chunk then break end
      chunks[#chunks + 1], bytes = chunk, bytes + #chunk
    end
    return table.concat(chunks)
  end
end

--- Answers a stream's request.
---@param handler webpubsub.events.Handler
---@param stream table
---@param fields? table  its headers, where they have been read already
---@return true|nil
---@return string|nil  why the answer did not get through
function lua_http.serve(handler, stream, fields)
  local problem
  if not fields then
    fields, problem = stream:get_headers(READ_SECONDS)
    if not fields then return nil, tostring(problem) end
  end
  local status, headers, body = handler:handle(fields:get(":method"), collect(fields), body_reader(stream, fields))
  local answer = require("http.headers").new()
  answer:append(":status", ("%d"):format(status))
  for name, value in pairs(headers) do answer:append(name:lower(), value) end
  if status == 204 and stream.peer_version == 1.1 then
    stream.body_write_type = "missing" -- or lua-http gives it a Content-Length, which a 204 must not have
  elseif status ~= 204 then
    answer:append("content-length", ("%d"):format(#body))
  end
  local written, why = stream:write_headers(answer, body == "", WRITE_SECONDS)
  if written and body ~= "" then written, why = stream:write_chunk(body, true, WRITE_SECONDS) end
  if not written then return nil, tostring(why) end
  return true
end

return lua_http
