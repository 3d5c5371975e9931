--- Requests to a location of NGINX.

-- luacheck: globals ngx

local io = io

local core = require "webpubsub.core"

local nginx = {}

local MAX_HEADERS = 200 -- the service sends some 30

-- The body, from memory or from the file that NGINX puts a larger one into.
local function read_body(limit)
  ngx.req.read_body()
  local body = ngx.req.get_body_data()
  local name = not body and ngx.req.get_body_file()
  if not name then return body or "" end
  local file, problem = io.open(name, "rb")
  if not file then return nil, 500, "The body could not be read: " .. tostring(problem) end
  body = file:read(limit + 1) or "" -- one more tells that it is too long
  file:close()
  return body
end

--- Answers the request at hand.
---@param handler webpubsub.events.Handler
function nginx.serve(handler)
  if not rawget(_G, "ngx") then
    core.raise("argument", "missing", "there is no NGINX here; give serve a stream of lua-http, or use handle",
      "stream", "events.serve")
  end
  local given, problem = ngx.req.get_headers(MAX_HEADERS, true)
  local status, headers, body
  if problem then
    status, headers, body = 431, {}, "There are more headers than the service sends.\n"
  else
    status, headers, body = handler:handle(ngx.req.get_method(), given, read_body)
  end
  ngx.status = status
  for name, value in pairs(headers) do ngx.header[name] = value end
  if status ~= 204 then ngx.header["Content-Length"] = #body end
  if body ~= "" then
    ngx.print(body)
  else
    ngx.send_headers()
  end
end

return nginx
