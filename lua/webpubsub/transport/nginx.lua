--- The transport inside NGINX (OpenResty, ngx_lua): the core's HTTP/1.1 codec over cosockets, which hold up the request
--- that made the call and no other. libcurl is not loaded.

-- luacheck: read globals ngx

local core = require "webpubsub.core"
local gate = require "webpubsub.transport.gate"
local phases = require "webpubsub.phases"
local timers = require "webpubsub.timers"

local nginx = {}

local DEFAULT_CONNECT_TIMEOUT = 5                       -- seconds
local DEFAULT_POOL_SIZE, DEFAULT_BACKLOG = 100, 256
local OPENINGS = 16                                     -- connections that a worker opens at a time
local IDLE_SECONDS = 30                                 -- that a connection is kept for the next call
local LONGEST_READ = 65536                              -- bytes

-- Seconds between two looks at the caller's `cancel`, and while a call waits at whether the worker shuts down.
local CANCEL_SLICE, EXIT_SLICE = 0.05, 0.5

-- Seconds. Less would be none, which where NGINX lacks a patch of OpenResty's is a warning in the log, over and over.
local SHORTEST_SLEEP = 0.001

-- ---------------------------------------------------------------- one exchange

-- One request and its response, on one connection after the other: `self.transport` sends within `self.seconds`, that
-- is by `self.deadline`.
local exchange = {}
exchange.__index = exchange

local function failure(kind, code, message)
  return { kind = kind, code = code, message = message }
end

function exchange:timed_out()
  return failure("timeout", "attempt_timeout", ("%s: no complete response within %g s"):format(
    self.transport.authority, self.seconds))
end

-- On a connection that was kept and brought nothing: the server has most likely closed it long before.
function exchange:broken(problem)
  local received = self.http:received()
  local result = failure("transport", "closed", ("%s: the connection was closed %s (%s)"):format(
    self.transport.authority, received and "in the middle of the response" or "before any answer",
    (problem:gsub("%c", " "))))
  result.stale = self.reused and not received
  return result
end

local TRUST = "its certificate is not trusted; NGINX needs the directive lua_ssl_trusted_certificate with the "
  .. "authority that signed it, such as lua_ssl_trusted_certificate /etc/ssl/certs/ca-certificates.crt;"

local NO_SESSION = "no TLS session could be agreed on; check that the port speaks TLS, and the directive "
  .. "lua_ssl_protocols"

-- What NGINX says when no connection comes about; the first pattern that is found decides.
local connect_failures = {
  { "no resolver defined", "argument", "resolver",
    "NGINX needs the directive resolver to find addresses, such as resolver 127.0.0.53;" },
  { "could not be resolved", "transport", "resolve", "its name could not be resolved" },
  { "certificate host mismatch", "transport", "certificate",
    "its certificate is for another name; the endpoint must name the host as the certificate does" },
  { "^9: ", "transport", "certificate", "its certificate is not valid yet" },
  { "^10: ", "transport", "certificate", "its certificate has expired" },
  { "^22: ", "transport", "certificate",
    "its certificate's chain is longer than the directive lua_ssl_verify_depth allows; raise it" },
  { "handshake failed", "transport", "tls", NO_SESSION },
  { "^%d+: ", "transport", "certificate", TRUST },
  { "^refused$", "transport", "certificate", "its certificate is not valid yet, has expired, is for another name, or "
    .. "is not trusted, for which NGINX needs the directive lua_ssl_trusted_certificate" },
  { "handshake", "transport", "tls", NO_SESSION },
  { "", "transport", "connect", "no connection could be made" },
}

local function connect_failure(authority, problem)
  problem = problem:gsub("%c", " ")
  for _, entry in ipairs(connect_failures) do
    if problem:find(entry[1]) then
      return failure(entry[2], entry[3], ("%s: %s (%s)"):format(authority, entry[4], problem))
    end
  end
end

function exchange:not_connected(problem)
  local transport = self.transport
  if problem == "timeout" then
    return failure("timeout", "connect_timeout", ("%s: not connected within %g s"):format(transport.authority,
      self.connect_seconds))
  end
  return connect_failure(transport.authority, problem)
end

local function set_timeout(socket, seconds)
  socket:settimeout(math.max(1, math.ceil(seconds * 1000)))
end

local function handshake(transport, socket)
  if transport.certificate then
    local ok, problem = socket:setclientcert(transport.certificate, transport.private_key)
    if not ok then return nil, problem end
  end
  -- lua-resty-core 0.1.25 raises for a refused certificate if the server was so quick that NGINX need not wait for it.
  local ok, session, problem = pcall(socket.sslhandshake, socket, transport.session, transport.host, true)
  if not ok and not tostring(session):find("assertion failed!", 1, true) then error(session, 0) end
  transport.session = ok and session or nil
  return transport.session, ok and problem or "refused"
end

function exchange:begin_connecting()
  local now = core.now()
  self.connect_seconds = math.min(self.transport.connect_timeout, self.deadline - now)
  self.connect_by = now + self.connect_seconds
end

-- Has NGINX ended this thread and its request? Then it has closed the connection.
function exchange:is_gone()
  return self.connected and not self.socket:getreusedtimes()
end

-- A worker's connections are opened a few at a time: a handshake is a millisecond of work, and many at once would stall
-- all of its requests.
local openings

function exchange:begin_opening()
  openings = openings or gate.new(OPENINGS, math.huge)
  self.opening = openings:enter(self, self.connect_by - core.now(), self.connect_by)
  return self.opening, "timeout"
end

function exchange:end_opening()
  if self.opening then openings:leave(self) end
  self.opening = nil
end

-- Does `work` and then `watch`, each in a light thread, and returns what the first to end returns. NGINX closes the
-- connections of the other.
local function first_of(work, watch)
  local worker, watcher = ngx.thread.spawn(work), ngx.thread.spawn(watch)
  local ok, first, second, third, fourth = ngx.thread.wait(worker, watcher)
  ngx.thread.kill(worker)
  ngx.thread.kill(watcher)
  if not ok then error(first, 0) end
  return first, second, third, fourth
end

-- Finding an address may take as long as the directive resolver_timeout says, whatever the connection's timeout. A
-- thread beside it sees to that, unless somebody watches the whole exchange; where a kept connection is expected,
-- none is needed.
function exchange:connect_socket()
  local transport = self.transport
  set_timeout(self.socket, self.connect_by - core.now())
  if self.watched or not self.opening or transport.is_address then
    return self.socket:connect(transport.host, transport.port, transport.pool)
  end
  return first_of(function()
    return self.socket:connect(transport.host, transport.port, transport.pool)
  end, function()
    ngx.sleep(math.max(0, self.connect_by - core.now()))
    return nil, "timeout"
  end)
end

-- A new connection takes its turn before it is opened, if it can be foreseen, and else before its handshake.
function exchange:open()
  local transport = self.transport
  local ok, problem = true, nil
  if transport.idle > 0 and core.now() < transport.idle_until then
    transport.idle = transport.idle - 1
  else
    ok, problem = self:begin_opening()
  end
  if ok then
    ok, problem = self:connect_socket()
    self.connected = ok
    self.reused = ok and self.socket:getreusedtimes() > 0
  end
  if ok and not self.reused then
    transport.idle = 0
    if transport.secure then
      if not self.opening then ok, problem = self:begin_opening() end
      if ok then
        set_timeout(self.socket, self.connect_by - core.now())
        ok, problem = handshake(transport, self.socket)
      end
    end
  end
  self:end_opening()
  return ok, problem
end

-- A connection, from the pool or new; nil and the failure.
function exchange:connect()
  self:begin_connecting()
  self.connected = nil
  self.socket = ngx.socket.tcp()
  local ok, problem = self:open()
  if ok then return self.socket end
  self.socket:close()
  return nil, self:not_connected(problem)
end

function exchange:send(socket, bytes)
  set_timeout(socket, self.deadline - core.now())
  local sent, problem = socket:send(bytes)
  if not sent then return problem == "timeout" and self:timed_out() or self:broken(problem) end
end

-- Reads until the response is whole, or returns the failure.
function exchange:receive(socket)
  local http = self.http
  local done, kind, code, message = false, nil, nil, nil
  while done == false do
    local seconds = self.deadline - core.now()
    if seconds <= 0 then return self:timed_out() end
    set_timeout(socket, seconds)
    local bytes, problem = socket:receiveany(LONGEST_READ)
    if bytes then
      done, kind, code, message = http:feed(bytes)
    elseif problem == "timeout" then
      return self:timed_out()
    elseif problem ~= "closed" or not http:finish() then
      return self:broken(problem)
    else
      done = true
    end
  end
  if not done then return failure(kind, code, ("%s: %s"):format(self.transport.authority, message)) end
end

-- Returns status, header block and body, or nil and the failure.
function exchange:attempt(bytes)
  local socket, problem = self:connect()
  if not socket then return nil, problem end
  problem = self:send(socket, bytes) or self:receive(socket)
  if problem then
    socket:close()
    return nil, problem
  end
  local status, headers, body, keep_alive = self.http:result()
  if keep_alive and socket:setkeepalive(IDLE_SECONDS * 1000) then
    local transport = self.transport
    transport.idle, transport.idle_until = transport.idle + 1, core.now() + IDLE_SECONDS
  else
    socket:close()
  end
  return status, headers, body
end

-- A connection for this exchange, be it that it waits for one; returns the failure.
function exchange:enter()
  local transport = self.transport
  transport.places = transport.places or gate.new(transport.pool.pool_size, transport.backlog)
  self:begin_connecting()
  local ok, problem = transport.places:enter(self, self.connect_seconds, self.deadline)
  if ok then return nil end
  if problem == "timeout" then return self:not_connected(problem) end
  return failure("transport", "busy", transport.authority
    .. ": too many calls wait for a connection; raise pool_size or backlog")
end

function exchange:leave()
  self:end_opening()
  if self.transport.places then self.transport.places:leave(self) end
end

local function new_exchange(transport, method, target, headers, body, seconds, once)
  return setmetatable({
    transport = transport, method = method, target = target, headers = headers, body = body, once = once,
    seconds = seconds, deadline = core.now() + seconds,
  }, exchange)
end

function exchange:request()
  return self.http:request(self.method, self.target, self.transport.authority, self.headers, self.body)
end

-- The exchange: status, header block and body, or nil, kind, code and message. What died with a kept connection is sent
-- again, until there is a connection that lives; the server may have seen it, so not with `once`.
local function perform(self)
  local transport = self.transport
  local spare = transport.spare
  self.http = table.remove(spare) or core.http1(transport.max_header_bytes, transport.max_response_bytes)
  local bytes = self:request()
  local status, received, content = nil, self:enter(), nil
  if not received then
    status, received, content = self:attempt(bytes)
    while not status and received.stale and not self.once and core.now() < self.deadline do
      transport.counts.resent = transport.counts.resent + 1
      status, received, content = self:attempt(self:request())
    end
    self:leave()
  end
  self.http:clear()
  if #spare < transport.pool.pool_size then spare[#spare + 1] = self.http end
  if status then return status, received, content end
  return nil, received.kind, received.code, received.message
end

-- ---------------------------------------------------------------- withdrawing

-- The exchange in a thread of its own, for a wait for the network cannot be asked to stop.
local function perform_unless(cancelled, self)
  self.watched = true
  local ok, status, headers, body, message = pcall(first_of, function() return perform(self) end, function()
    repeat
      ngx.sleep(CANCEL_SLICE)
      if cancelled() then return nil, "cancelled", "cancelled", "the call was cancelled" end
    until core.now() > self.deadline + CANCEL_SLICE
    local late = self:timed_out()
    return nil, late.kind, late.code, late.message
  end)
  self:leave()
  if not ok then error(status, 0) end
  return status, headers, body, message
end

-- ---------------------------------------------------------------- the options

local function refuse(argument, message)
  core.raise("argument", "invalid", message, argument, "new")
end

-- What NGINX decides by its own directives, or its cosockets cannot do, would be left out in silence.
local function refuse_unusable(options)
  if core.field(options, "ca_file") then
    refuse("ca_file", "ca_file has no effect in NGINX; use the directive lua_ssl_trusted_certificate")
  end
  if core.field(options, "proxy") then
    refuse("proxy", "proxy cannot be used in NGINX; reverse_proxy can")
  end
  if core.field(options, "client_key_password") then
    refuse("client_key_password", "client_key_password cannot be used in NGINX; the file must hold the key decrypted")
  end
end

local function read_file(name, path)
  local file, problem = io.open(path, "rb")
  if not file then refuse(name, ("%s cannot be read: %s"):format(name, problem)) end
  local text = file:read("*a")
  file:close()
  return text
end

-- Sets the certificate and its key; returns what tells them from others.
local function read_client_certificate(self, options)
  local path = core.field(options, "client_cert")
  if not path then return "" end
  local ssl = require "ngx.ssl"
  local pem = read_file("client_cert", path)
  local key = read_file("client_key", core.field(options, "client_key") or path)
  local problem
  self.certificate, problem = ssl.parse_pem_cert(pem)
  if not self.certificate then refuse("client_cert", "client_cert is no PEM certificate: " .. problem) end
  self.private_key, problem = ssl.parse_pem_priv_key(key)
  if not self.private_key then refuse("client_key", "client_key is no PEM key: " .. problem) end
  return ngx.md5(pem .. key)
end

-- A connection is handed over unchecked to whoever names its pool, so the name holds all that was checked. The size is
-- the first user's.
local function pool_of(self, scheme, identity, options)
  local size = core.field(options, "pool_size") or DEFAULT_POOL_SIZE
  return {
    pool = table.concat({ "webpubsub", scheme, self.host, self.port, "verified", identity, size }, "|"),
    pool_size = size,
  }
end

--- A transport that sends to `origin`.
---@param origin string  scheme, host and port
---@param options webpubsub.Options
function nginx.new(origin, options)
  refuse_unusable(options)
  local scheme, authority = origin:match("^(%a+)://(.*)$")
  local host, port = authority:match("^(.*):(%d+)$")
  local self = {
    authority = authority,
    secure = scheme == "https",
    host = host or authority,
    port = tonumber(port) or scheme == "https" and 443 or 80,
    is_address = (host or authority):find("^[%d.]+$") or (host or authority):find("^%["),
    connect_timeout = core.field(options, "connect_timeout") or DEFAULT_CONNECT_TIMEOUT,
    max_header_bytes = core.field(options, "max_header_bytes"),
    max_response_bytes = core.field(options, "max_response_bytes"),
    backlog = core.field(options, "backlog") or DEFAULT_BACKLOG,
    idle = 0, idle_until = 0, -- about how many connections are kept, for NGINX does not tell when one is closed
    spare = {}, -- codecs that are not in use
    counts = { resent = 0 },
  }
  self.pool = pool_of(self, scheme, self.secure and read_client_certificate(self, options) or "", options)
  self.spare[1] = core.http1(self.max_header_bytes, self.max_response_bytes) -- raises what is wrong with the limits

  local function guarded(call, cancelled)
    phases.check_io()
    local status, received, content, message
    local method, target, headers, body, seconds, _, _, once = call:outgoing()
    local one = new_exchange(self, method, target, headers, body, seconds, once)
    if cancelled then
      status, received, content, message = perform_unless(cancelled, one)
    else
      status, received, content, message = perform(one)
    end
    if received == "argument" then core.raise(received, content, message) end -- the configuration's fault
    if not status then return nil, received, content, message end
    return call:deliver(status, received, content)
  end

  return {
    now = core.now, wall = ngx.now, sleep = nginx.sleep, exchange = guarded, counts = self.counts,
    scheduler = function() return timers end,
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
    ngx.sleep(math.max(SHORTEST_SLEEP, math.min(seconds, cancelled and CANCEL_SLICE or EXIT_SLICE)))
    seconds = wake - core.now()
  end
end

return nginx
