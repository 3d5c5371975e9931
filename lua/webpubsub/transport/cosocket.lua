--- Connections of an NGINX worker to one server, over cosockets: the pool that keeps them, how a new one is opened, and
--- what its failure means. What is said over them is decided elsewhere.

-- luacheck: read globals ngx

local core = require "webpubsub.core"
local gate = require "webpubsub.transport.gate"

local cosocket = {}

local OPENINGS = 16        -- connections to a server that a worker opens at a time
local LONGEST_READ = 65536 -- bytes
local LONG_TURN = 0.0015   -- seconds; NGINX counts in milliseconds

-- Seconds. Less would be none, which where NGINX lacks a patch of OpenResty's is a warning in the log, over and over.
local SHORTEST_SLEEP = 0.001

-- ---------------------------------------------------------------- the conversation

local function set_timeout(socket, seconds)
  socket:settimeout(math.max(1, math.ceil(seconds * 1000)))
end

-- NGINX's timers count from the beginning of its turn, so they may end a little before the exchange's time.
local function overdue(exchange)
  local left = exchange:due() - core.now()
  while left > 0 do
    ngx.sleep(math.max(SHORTEST_SLEEP, left))
    left = exchange:due() - core.now()
  end
  return exchange:tick(core.now())
end

local function printable(problem)
  return (problem:gsub("%c", " "))
end

local speak = {}

function speak.write(exchange, socket)
  local bytes = exchange:outgoing()
  local sent, problem = socket:send(bytes)
  if sent then return exchange:wrote(#bytes) end
  if problem == "timeout" then return overdue(exchange) end
  exchange:wrote(1) -- NGINX does not tell how much of it has left
  return exchange:broke(printable(problem))
end

function speak.read(exchange, socket)
  local bytes, problem = socket:receiveany(LONGEST_READ)
  if bytes then return exchange:received(bytes) end
  if problem == "timeout" then return overdue(exchange) end
  if problem == "closed" then return exchange:ended() end
  return exchange:broke(printable(problem))
end

--- Writes and reads as long as the exchange asks for nothing else; returns its next move.
function cosocket.converse(exchange, socket, move)
  while speak[move] do
    local seconds = exchange:due() - core.now()
    if seconds > 0 then
      set_timeout(socket, seconds)
      move = speak[move](exchange, socket)
    else
      move = overdue(exchange)
    end
  end
  return move
end

cosocket.overdue, cosocket.SHORTEST_SLEEP = overdue, SHORTEST_SLEEP

-- ---------------------------------------------------------------- pools

-- By the names of everything that was checked when their connections were opened, for NGINX hands a connection over
-- unchecked to whoever names its pool. One for each server that the program has clients for.
local pools = {}

-- NGINX closes no pool, but one whose name nobody uses any more empties itself after idle_timeout.
local function renew(pool)
  pool.generation = pool.generation + 1
  pool.options = { pool = pool.name .. "|" .. pool.generation, pool_size = pool.size }
  pool.born = core.now()
  pool.idle, pool.idle_until = 0, 0 -- about how many connections it keeps: NGINX does not tell when one is closed
end

local function pool_of(name, size)
  local pool = pools[name]
  if not pool then
    pool = { name = name, size = size, generation = 0 }
    renew(pool)
    pools[name] = pool
  end
  return pool
end

-- ---------------------------------------------------------------- failures

local TRUST = "its certificate is not trusted; NGINX needs the directive lua_ssl_trusted_certificate with the "
  .. "authority that signed it, such as lua_ssl_trusted_certificate /etc/ssl/certs/ca-certificates.crt;"

local NO_SESSION = "no TLS session could be agreed on; check that the port speaks TLS, and the directive "
  .. "lua_ssl_protocols"

-- What NGINX says when no connection comes about; the first pattern that is found decides.
local connect_failures = {
  { "no resolver defined", "resolver",
    "NGINX needs the directive resolver to find addresses, such as resolver 127.0.0.53;" },
  { "could not be resolved", "resolve", "its name could not be resolved" },
  { "certificate host mismatch", "certificate",
    "its certificate is for another name; the endpoint must name the host as the certificate does" },
  { "^9: ", "certificate", "its certificate is not valid yet" },
  { "^10: ", "certificate", "its certificate has expired" },
  { "^22: ", "certificate",
    "its certificate's chain is longer than the directive lua_ssl_verify_depth allows; raise it" },
  { "handshake failed", "tls", NO_SESSION },
  { "^%d+: ", "certificate", TRUST },
  { "^refused$", "certificate", "its certificate is not valid yet, has expired, is for another name, or "
    .. "is not trusted, for which NGINX needs the directive lua_ssl_trusted_certificate" },
  { "handshake", "tls", NO_SESSION },
  { "", "connect", "no connection could be made" },
}

-- Code and words for what NGINX says.
local function connect_failure(problem)
  problem = printable(problem)
  for _, entry in ipairs(connect_failures) do
    if problem:find(entry[1]) then return entry[2], ("%s (%s)"):format(entry[3], problem) end
  end
end

-- ---------------------------------------------------------------- a new connection

--- Does `work` and then `watch`, each in a light thread, and returns what the first to end returns. NGINX closes the
--- connections of the other.
function cosocket.first_of(work, watch)
  local worker, watcher = ngx.thread.spawn(work), ngx.thread.spawn(watch)
  local ok, first, second = ngx.thread.wait(worker, watcher)
  ngx.thread.kill(worker)
  ngx.thread.kill(watcher)
  if not ok then error(first, 0) end
  return first, second
end

-- One exchange's hold on a server: a place in its gates, and a connection.
local line = {}
line.__index = line

--- Has NGINX ended this thread and its request? Then it has closed the connection.
function line:is_gone()
  return self.connected and not self.socket:getreusedtimes()
end

-- Connections to a server are opened a few at a time: a handshake is a millisecond of work, and many at once would
-- stall all requests of the worker. The limit is each server's own, or one that is deaf would hold up the others.
function line:begin_opening()
  local pool = self.server.pool
  pool.openings = pool.openings or gate.new(OPENINGS, math.huge)
  local seconds = self.exchange:due() - core.now()
  self.opening = pool.openings:enter(self, seconds, seconds)
  return self.opening, "timeout"
end

function line:end_opening()
  if self.opening then self.server.pool.openings:leave(self) end
  self.opening = nil
end

-- A TCP connection from a pool; nil, what NGINX says, and perhaps words that say more.
--
-- Finding an address may take as long as the directive resolver_timeout says, whatever the connection's timeout. A
-- thread beside it sees to that, unless somebody watches the whole exchange; where a kept connection is expected,
-- none is needed.
function line:connect_socket(options)
  local server = self.server
  local socket, seconds = ngx.socket.tcp(), self.exchange:due() - core.now()
  self.socket, self.connected = socket, nil
  set_timeout(socket, seconds)
  local ok, problem
  if self.watched or not self.opening or server.is_address then
    ok, problem = socket:connect(server.peer.host, server.peer.port, options)
  else
    ok, problem = cosocket.first_of(function()
      return socket:connect(server.peer.host, server.peer.port, options)
    end, function()
      ngx.sleep(math.max(0, seconds))
      return nil, "timeout"
    end)
  end
  self.connected = ok
  if problem == "timeout" and server.proxy then
    return nil, problem, ("the proxy %s cannot be reached in the time there is to connect"):format(
      server.proxy.authority)
  end
  return ok, problem
end

-- Has the proxy open a tunnel; nil, "proxy" or "timeout", and words where it does not.
function line:open_tunnel()
  local server, now = self.server, core.now()
  local proxy, target = server.proxy, ("%s:%d"):format(server.host, server.port)
  local request = core.exchange(proxy.authority, server.connect_timeout, server.max_header_bytes)
  local seconds = self.exchange:due() - now
  request:begin_request("CONNECT", target, target, proxy.headers, nil, seconds, seconds, true, now)
  cosocket.converse(request, self.socket, request:connected(false, now))
  local kind, _, message = request:failure()
  if kind == "timeout" then
    return nil, "timeout", ("the proxy %s opened no tunnel in the time there is to connect"):format(proxy.authority)
  end
  if kind then return nil, "proxy", "the proxy opened no tunnel: " .. message end
  local status = request:result()
  if status == 407 then
    return nil, "proxy", ("the proxy %s asks for another user and password (407); check the proxy option"):format(
      proxy.authority)
  elseif status > 299 then
    return nil, "proxy", ("the proxy %s opened no tunnel, but answered %d"):format(proxy.authority, status)
  elseif not request:keep() then
    return nil, "proxy", ("the proxy %s sent bytes into the tunnel before it was used"):format(proxy.authority)
  end
  return true
end

function line:handshake()
  local server, socket = self.server, self.socket
  if server.certificate then
    local ok, problem = socket:setclientcert(server.certificate, server.private_key)
    if not ok then return nil, problem end
  end
  set_timeout(socket, self.exchange:due() - core.now())
  -- lua-resty-core 0.1.25 raises for a refused certificate if the server was so quick that NGINX need not wait for it.
  local ok, session, problem = pcall(socket.sslhandshake, socket, server.session, server.host, true)
  if not ok and not tostring(session):find("assertion failed!", 1, true) then error(session, 0) end
  server.session = ok and session or nil
  return server.session, ok and problem or "refused"
end

-- From a TCP connection that is new to one that carries requests.
function line:establish()
  local server, ok, problem, words = self.server, true, nil, nil
  if not self.opening and (server.secure or server.proxy) then ok, problem = self:begin_opening() end
  if ok and server.proxy then ok, problem, words = self:open_tunnel() end
  if ok and server.secure then ok, problem = self:handshake() end
  return ok, problem, words
end

-- NGINX watches the connections that it keeps, and closes those on which bytes or an end arrive, but between the turns
-- of its loop only. In one that has lasted long, a connection is taken after the next look.
local function look_at_kept()
  local began = ngx.now()
  ngx.update_time()
  if ngx.now() - began >= LONG_TURN then ngx.sleep(SHORTEST_SLEEP) end
end

-- A connection that is kept, or a new one, which takes its turn before it is opened if it can be foreseen, and else
-- before its handshake. A fresh one beside connections that are kept has a pool of its own, which keeps none.
function line:open()
  local exchange, pool = self.exchange, self.server:current_pool()
  local fresh, ok, problem, words = exchange:fresh(), true, nil, nil
  if fresh or pool.idle == 0 or core.now() >= pool.idle_until then
    ok, problem = self:begin_opening()
  else
    look_at_kept()
    pool.idle = pool.idle - 1
  end
  self.generation = pool.generation
  if ok then ok, problem, words = self:connect_socket(pool.options) end
  if ok and fresh and self.socket:getreusedtimes() > 0 then
    self:keep()
    self.generation = nil
    ok, problem, words = self:connect_socket({ pool = pool.options.pool .. "|fresh" })
  end
  local kept = ok and self.socket:getreusedtimes() > 0
  if ok and not kept then
    if not fresh then pool.idle = 0 end
    ok, problem, words = self:establish()
  end
  self:end_opening()
  return ok, kept, problem, words
end

-- Tells the exchange why there is no connection.
function line:fail(problem, words)
  local exchange, proxy = self.exchange, self.server.proxy
  if problem == "timeout" then
    return words and exchange:fail("timeout", "connect_timeout", words) or overdue(exchange)
  end
  if words then return exchange:unconnected(problem, words) end
  local code
  code, words = connect_failure(problem)
  if code == "resolver" then return exchange:fail("argument", code, words) end
  if proxy and not self.connected then
    code, words = "proxy", ("the proxy %s cannot be reached: %s"):format(proxy.authority, words)
  end
  return exchange:unconnected(code, words)
end

--- Gets the exchange a connection; returns its next move.
function line:connect()
  self:close()
  self.exchange:opening(core.now())
  local ok, kept, problem, words = self:open()
  if ok then return self.exchange:connected(kept, core.now()) end
  local move = self:fail(problem, words)
  self:close()
  return move
end

--- Closes the connection; without one does nothing.
function line:close()
  if self.socket then self.socket:close() end
  self.socket, self.connected = nil, nil
end

--- Keeps the connection for another exchange, unless its pool has been left.
function line:keep()
  local server = self.server
  local pool = server:current_pool()
  if self.generation == pool.generation and self.socket:setkeepalive(server.idle_timeout * 1000) then
    pool.idle, pool.idle_until = pool.idle + 1, core.now() + server.idle_timeout
    self.socket, self.connected = nil, nil
  else
    self:close()
  end
end

--- Leaves what is kept together with this connection.
function line:distrust()
  local pool = self.server.pool
  if self.generation == pool.generation then renew(pool) end
end

-- ---------------------------------------------------------------- a server

local server = {}
server.__index = server

-- Connections grow old with their pool, whichever is the youngest.
function server:current_pool()
  local pool = self.pool
  if core.now() > pool.born + self.max_connection_age then renew(pool) end
  return pool
end

--- A hold on this server for an exchange.
---@param exchange table
---@param watched boolean|nil  somebody else sees to the exchange's deadlines
function server:line(exchange, watched)
  return setmetatable({ server = self, exchange = exchange, watched = watched }, line)
end

---@class webpubsub.cosocket.Server
---@field host string
---@field port integer
---@field secure boolean  TLS
---@field proxy? { host: string, port: integer, authority: string, headers: string, identity: string }
---@field certificate? userdata
---@field private_key? userdata
---@field identity string  what tells the client certificate from others
---@field connect_timeout number  seconds
---@field max_header_bytes? integer
---@field pool_size integer
---@field idle_timeout number  seconds
---@field max_connection_age number  seconds

--- Connections to a server.
---@param self webpubsub.cosocket.Server
function cosocket.server(self)
  self.peer = self.proxy or self
  self.is_address = self.peer.host:find("^[%d.]+$") or self.peer.host:find("^%[")
  self.pool = pool_of(table.concat({ "webpubsub", self.secure and "https" or "http", self.host, self.port, "verified",
    self.identity, self.proxy and self.proxy.identity or "", self.pool_size, self.max_connection_age }, "|"),
    self.pool_size)
  return setmetatable(self, server)
end

return cosocket
