--- The transport inside NGINX (OpenResty, ngx_lua): the core's exchanges over cosockets, which hold up the request that
--- made the call and no other. libcurl is not loaded.

-- luacheck: read globals ngx

local io, require = io, require

local core = require "webpubsub.core"
local cosocket = require "webpubsub.transport.cosocket"
local gate = require "webpubsub.transport.gate"
local world = require "webpubsub.host.nginx"

local nginx = {}

local DEFAULT_CONNECT_TIMEOUT = 5                          -- seconds
local DEFAULT_POOL_SIZE, DEFAULT_BACKLOG = 100, 256
local DEFAULT_IDLE_TIMEOUT, DEFAULT_MAX_AGE = 60, 300      -- seconds
local DEFAULT_PROXY_PORT = 1080                            -- as with libcurl

-- Seconds between two looks at the caller's `cancel`, and while a call waits at whether the worker shuts down.
local CANCEL_SLICE, EXIT_SLICE = 0.05, 0.5

-- ---------------------------------------------------------------- one exchange

-- Waits for a place among the calls that are allowed at a time; returns the exchange's next move.
local function enter(self, line, seconds)
  local exchange = line.exchange
  self.places = self.places or gate.new(self.server.pool_size, self.backlog)
  local ok, problem = self.places:enter(line, exchange:due() - core.now(), seconds)
  if ok then return "connect" end
  if problem == "timeout" then return cosocket.overdue(exchange) end
  return exchange:fail("transport", "busy", "too many calls wait for a connection; raise pool_size or backlog")
end

local function perform(self, line, call)
  local exchange = line.exchange
  local move = exchange:begin(call, core.now())
  if move == "connect" then move = enter(self, line, call:seconds()) end
  while move ~= "finished" do
    move = move == "connect" and line:connect() or cosocket.converse(exchange, line.socket, move)
  end
end

-- The same in a thread of its own, for a wait for the network cannot be asked to stop.
local function perform_unless(self, line, call, cancelled)
  local exchange = line.exchange
  cosocket.first_of(function() perform(self, line, call) end, function()
    local move
    repeat
      ngx.sleep(CANCEL_SLICE)
      move = cancelled() and exchange:cancel() or exchange:tick(core.now() - CANCEL_SLICE)
    until move == "finished"
  end)
end

-- Gives back what the exchange held.
local function leave(self, line)
  local exchange = line.exchange
  if line.socket and exchange:keep() then line:keep() end
  if exchange:distrust() then line:distrust() end
  line:close()
  line:end_opening()
  if self.places then self.places:leave(line) end
end

local function new_exchange(self)
  local server = self.server
  return core.exchange(self.authority, server.connect_timeout, server.max_header_bytes, self.max_response_bytes)
end

local function exchange_once(self, call, cancelled)
  local spare = self.spare
  local exchange = table.remove(spare) or new_exchange(self)
  local line = self.server:line(exchange, cancelled and true)
  local ok, problem = pcall(cancelled and perform_unless or perform, self, line, call, cancelled)
  leave(self, line)
  if not ok then error(problem, 0) end
  local kind, code, message, stale = exchange:failure()
  if not kind then exchange:deliver(call) end
  exchange:recycle()
  if #spare < self.server.pool_size then spare[#spare + 1] = exchange end
  return kind, code, message, stale
end

-- ---------------------------------------------------------------- the options

local function refuse(argument, message)
  core.raise("argument", "invalid", message, argument, "new")
end

-- What NGINX decides by its own directives would be left out in silence.
local function refuse_unusable(options)
  if core.field(options, "ca_file") then
    refuse("ca_file", "ca_file has no effect in NGINX; use the directive lua_ssl_trusted_certificate")
  end
  if core.field(options, "client_key_password") then
    refuse("client_key_password", "client_key_password cannot be used in NGINX; the file must hold the key decrypted")
  end
end

local function unescape(text)
  return (text:gsub("%%(%x%x)", function(digits) return string.char(tonumber(digits, 16)) end))
end

-- The proxy that is asked for tunnels. Its text may hold a password, so no error quotes it.
local function read_proxy(options)
  local text = core.field(options, "proxy")
  if not text then return nil end
  local scheme, rest = tostring(text):match("^(%a[%w+.-]*)://([^/]*)/?$")
  scheme = scheme and scheme:lower()
  if scheme == "https" or scheme and scheme:find("^socks") then
    refuse("proxy", ("proxy cannot be an %s:// one in NGINX, whose sockets reach http:// proxies only"):format(scheme))
  end
  local user, authority = (rest or ""):match("^(.*)@(.-)$")
  authority = authority or rest or ""
  local host, port = authority:match("^(.*):(%d+)$")
  host, port = host or authority, tonumber(port or DEFAULT_PROXY_PORT)
  if scheme ~= "http" or port < 1 or port > 65535 or not (host:find("^[%w._-]+$") or host:find("^%[[%x:.]+%]$")) then
    refuse("proxy", "proxy must be http://[user:password@]host[:port] in NGINX")
  end
  local authorization = user and ngx.encode_base64(unescape(user:find(":", 1, true) and user or user .. ":"))
  return {
    host = host, port = port, authority = ("%s:%d"):format(host, port), identity = ngx.md5(text),
    headers = authorization and "Proxy-Authorization: Basic " .. authorization .. "\r\n" or "",
  }
end

local function read_file(name, path)
  local file, problem = io.open(path, "rb")
  if not file then refuse(name, ("%s cannot be read: %s"):format(name, problem)) end
  local text = file:read("*a")
  file:close()
  return text
end

-- Sets the certificate, its key, and what tells them from others.
local function read_client_certificate(server, options)
  local path = server.secure and core.field(options, "client_cert")
  if not path then return end
  local ssl = require "ngx.ssl"
  local pem = read_file("client_cert", path)
  local key = read_file("client_key", core.field(options, "client_key") or path)
  local problem
  server.certificate, problem = ssl.parse_pem_cert(pem)
  if not server.certificate then refuse("client_cert", "client_cert is no PEM certificate: " .. problem) end
  server.private_key, problem = ssl.parse_pem_priv_key(key)
  if not server.private_key then refuse("client_key", "client_key is no PEM key: " .. problem) end
  server.identity = ngx.md5(pem .. key)
end

-- The server behind an origin.
local function read_server(scheme, authority, options)
  local host, port = authority:match("^(.*):(%d+)$")
  local server = {
    secure = scheme == "https",
    host = host or authority,
    port = tonumber(port) or scheme == "https" and 443 or 80,
    proxy = read_proxy(options),
    identity = "",
    connect_timeout = core.field(options, "connect_timeout") or DEFAULT_CONNECT_TIMEOUT,
    max_header_bytes = core.field(options, "max_header_bytes"),
    pool_size = core.field(options, "pool_size") or DEFAULT_POOL_SIZE,
    idle_timeout = core.field(options, "idle_timeout") or DEFAULT_IDLE_TIMEOUT,
    max_connection_age = core.field(options, "max_connection_age") or DEFAULT_MAX_AGE,
  }
  read_client_certificate(server, options)
  return cosocket.server(server)
end

--- A transport that sends to `origin`.
---@param origin string  scheme, host and port
---@param options webpubsub.Options
function nginx.new(origin, options)
  refuse_unusable(options)
  local scheme, authority = origin:match("^(%a+)://(.*)$")
  local self = {
    authority = authority,
    server = read_server(scheme, authority, options),
    max_response_bytes = core.field(options, "max_response_bytes"),
    backlog = core.field(options, "backlog") or DEFAULT_BACKLOG,
    spare = {}, -- exchanges that are not in use
  }
  self.spare[1] = new_exchange(self) -- raises what is wrong with the limits

  local function exchange(call, cancelled)
    world.check_io()
    local kind, code, message, stale = exchange_once(self, call, cancelled)
    if kind == "argument" then core.raise(kind, code, message) end -- the configuration's fault
    if kind then return nil, kind, code, message, stale end
    return true
  end

  return {
    now = core.now, wall = ngx.now, sleep = nginx.sleep, exchange = exchange,
    host = world.new(),
  }
end

--- Lets time pass. A worker that shuts down does not wait for a call's next attempt: then the failure that ends the
--- call is returned.
function nginx.sleep(seconds, cancelled)
  local wake = core.now() + seconds
  while seconds > 0 and not (cancelled and cancelled()) do
    if ngx.worker.exiting() then
      return "cancelled", "exiting", "the NGINX worker shuts down, and the call does not wait for its next attempt"
    end
    ngx.sleep(math.max(cosocket.SHORTEST_SLEEP, math.min(seconds, cancelled and CANCEL_SLICE or EXIT_SLICE)))
    seconds = wake - core.now()
  end
end

return nginx
