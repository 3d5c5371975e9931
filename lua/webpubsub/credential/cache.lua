--- A credential: a source of tokens, and the token that it gave last. However many calls need one, one request is made;
--- the others wait for what comes of it, or go on with the old token while that is valid.
---
--- A source is a table with `fetch(self, request)`, which may wait, and returns the token, when it expires and when to
--- ask for the next (seconds since the epoch; 0: nobody says), or nil, a code, a message, and the seconds to wait
--- before another request. `request` has `claims`, `seconds` to take at most, `retries` where those are limited,
--- `cancelled` as transports have it, `transport`, whose clocks count, and `reach(origin, near)`, which makes the
--- transport to another server.

local cache = {}

-- Seconds before a token's end when a new one is asked for, unless its answer knows better: as the vendor's clients do.
local REFRESH_MARGIN = 300

-- Seconds between two tries to refresh while the old token is still good.
local REFRESH_PAUSE = 30

-- Seconds without a request after one that failed and left no token: doubled with each that follows.
local FIRST_PAUSE, LONGEST_PAUSE = 1, 30

-- Seconds for a request where its source does not say.
local REQUEST_SECONDS = 60

-- Seconds in which a request that nobody waits for ends by itself; what does not, such as a function, is left alone.
local LEAVING_SECONDS = 0.25

-- Seconds between two times that the program is asked whether it withdraws a call.
local ASKING_SLICE = 0.05

-- Seconds for a request in the place of its call, while the old token is still good.
local SHORT_REFRESH = 5

local Credential = {}
Credential.__index = Credential
Credential.__metatable = "webpubsub.credential"

-- [credential] = what it keeps: not in the object itself, for that is printed and passed around.
local states = setmetatable({}, { __mode = "k" })

--- A credential over a source.
---@param source table
---@param name string  for people
---@return webpubsub.Credential
function cache.new(source, name)
  local self = setmetatable({}, Credential)
  states[self] = {
    source = source, name = name,
    token = false, expires = 0, refresh = 0, -- by the wall's clock
    retry_at = 0, failures = 0, failure = false, -- by the steady one
    flights = {}, -- [claims or ""] = the request that is under way
  }
  return self
end

--- The source of a credential, or nil where the value is something else.
function cache.source_of(value)
  local state = states[value]
  if state then return state.source, state.name end
end

function Credential:__tostring()
  return ("webpubsub credential (%s)"):format(states[self].name)
end

local function has_token(state, wall)
  return state.token and wall < state.expires
end

-- ---------------------------------------------------------------- what came of a request

local function keep(state, wall, token, expires, refresh)
  state.token, state.expires = token, expires
  state.refresh = refresh and refresh > 0 and refresh
    or math.max(expires - REFRESH_MARGIN, wall + (expires - wall) / 2)
  state.retry_at, state.failures, state.failure = 0, 0, false
end

local function note_failure(state, flight, now, wall)
  local pause = REFRESH_PAUSE
  if not has_token(state, wall) then
    pause = math.min(FIRST_PAUSE * 2 ^ state.failures, LONGEST_PAUSE)
    state.failures, state.failure = state.failures + 1, flight
  end
  state.retry_at = now + math.max(pause, math.min(flight.pause or 0, LONGEST_PAUSE))
end

-- Has it ended for a reason that is nobody's but one call's, or the parent process's?
local function is_cut(flight, now)
  flight.is_late = flight.is_short and now >= flight.due
  return flight.is_late or flight.code == "cancelled" or flight.code == "forked"
end

-- A request is over, whoever waits for it.
local function land(flight, ok, token, expires, refresh, pause)
  local state, transport = flight.state, flight.transport
  local now, wall = transport.now(), transport.wall()
  if state.flights[flight.key] == flight then state.flights[flight.key] = nil end
  flight.over = true
  if ok and token then
    flight.token = token
    keep(state, wall, token, expires, refresh)
  elseif ok then
    flight.code, flight.message, flight.pause = expires, refresh, pause
  else
    flight.code, flight.message = "credential", ("the %s failed: %s"):format(state.name, tostring(token))
  end
  flight.is_cut = not flight.token and is_cut(flight, now)
  if not (flight.token or flight.claims or flight.is_cut) then note_failure(state, flight, now, wall) end
  local waiting = flight.waiting
  flight.waiting = {}
  for wake in pairs(waiting) do wake() end
end

-- ---------------------------------------------------------------- one request

local function fetch(flight)
  flight.first, flight.second, flight.third, flight.fourth = flight.state.source:fetch(flight)
end

-- In a coroutine of its own, until nobody waits for it any more.
local function perform(flight)
  local over, why = flight.host:call(flight.seconds, flight.is_stuck, fetch, flight)
  if over then return flight.first, flight.second, flight.third, flight.fourth end
  if why == "cancelled" then return nil, "cancelled", "nobody waits for the token any more" end
  return nil, "timeout", ("the %s gave no token within %g s"):format(flight.state.name, flight.seconds)
end

local function own_thread()
  return coroutine.running() or "main"
end

-- Where the request can run in a coroutine of its own, so that no call's end is its end; nil: in place.
local function host_for(transport)
  local host = transport.host
  return host and host:here() and host:apart() or nil
end

-- Begins a request, of which one in place keeps to the call's seconds.
local function take_off(state, request, host)
  local transport = request.transport
  local is_refresh = not request.claims and has_token(state, transport.wall())
  local limit = state.source.seconds or REQUEST_SECONDS
  if not host then limit = math.min(limit, request.seconds, is_refresh and SHORT_REFRESH or math.huge) end
  local flight = {
    state = state, key = request.claims or "", claims = request.claims, transport = transport, reach = request.reach,
    seconds = limit, due = transport.now() + limit, retries = is_refresh and 0 or nil,
    thread = not host and own_thread(), cancelled = request.cancelled,
    request = not host and request or nil,
    is_short = not host and limit >= request.seconds, -- its end says nothing to calls that have more time
    over = false, waiting = {}, token = false, wake = false, host = host, waiters = 0,
  }
  if host then
    function flight.cancelled() return flight.left_at ~= nil end
    function flight.is_stuck() return flight.left_at and transport.now() > flight.left_at + LEAVING_SECONDS end
  end
  state.flights[flight.key] = flight
  if not host then
    land(flight, pcall(state.source.fetch, state.source, flight))
  else
    local ok, problem = pcall(host.spawn, host, perform, land, flight)
    if not ok then
      land(flight, false, problem)
      error(problem, 0)
    end
  end
  return flight
end

local function begin_waiting(wake, flight, host, due)
  flight.waiting[wake] = true
  local timer = host.at and host:at(due, wake)
  return function()
    flight.waiting[wake] = nil
    if timer then host:forget(timer) end
  end
end

-- Waits for what comes of somebody else's request, with the host that performs it: who waits there sees to its timers.
local function await(flight, request)
  local transport, cancelled = request.transport, request.cancelled
  local host, due = flight.host or transport.host, math.min(transport.now() + request.seconds, flight.due)
  while not flight.over and transport.now() < due and not (cancelled and cancelled()) do
    host:suspend(begin_waiting, flight, host, cancelled and math.min(due, transport.now() + ASKING_SLICE) or due)
  end
end

-- A call does not wait any more. A request that nobody waits for must not keep a loop alive.
local function leave(flight)
  flight.waiters = flight.waiters - 1
  if flight.over or flight.waiters > 0 then return end
  flight.left_at = flight.transport.now()
  if flight.state.flights[flight.key] == flight then flight.state.flights[flight.key] = nil end
end

-- One that should have come back is lost: it is the next call's turn.
local function under_way(state, key, now)
  local flight = state.flights[key]
  return flight and now < flight.due and flight or nil
end

-- ---------------------------------------------------------------- for the driver

--- The token, where it can be had without waiting. One that should be replaced soon is, meanwhile, where calls can wait
--- in the background.
---@param claims string|nil  that the token must answer
---@param transport table
---@param reach function
---@return string|nil
function Credential:current(claims, transport, reach)
  local state, wall = states[self], transport.wall()
  if claims or not has_token(state, wall) then return nil end
  local now = transport.now()
  if wall < state.refresh or now < state.retry_at or under_way(state, "", now) then return state.token end
  local host = host_for(transport)
  if not host then return nil end
  take_off(state, { transport = transport, reach = reach, seconds = REQUEST_SECONDS }, host)
  return state.token
end

-- The request that the call waits for: one that is under way, or that has failed a moment ago, or a new one.
local function flight_for(state, request)
  local now = request.transport.now()
  local flight = under_way(state, request.claims or "", now)
  if not flight and not request.claims and state.failure and now < state.retry_at then flight = state.failure end
  return flight or take_off(state, request, host_for(request.transport))
end

--- The token, for which the caller waits; or nil, code and message. The code "deadline": not within the call's seconds.
---@param request { claims: string?, transport: table, reach: function, seconds: number, cancelled: function? }
function Credential:get(request)
  local state, transport = states[self], request.transport
  local due = transport.now() + request.seconds
  local flight
  repeat
    flight = flight_for(state, request)
    if flight.thread == own_thread() and not flight.over then
      return nil, "credential", "the credential function has made a call that needs a token of its own"
    end
    if not flight.over then
      request.flight, flight.waiters = flight, flight.waiters + 1
      await(flight, request)
      request.flight = nil
      leave(flight)
    end
    request.seconds = due - transport.now()
    -- what has ended with another call, or in the parent process, says nothing to this one
  until not flight.is_cut or flight.request == request or request.seconds <= 0
  if flight.token then return flight.token end
  if not request.claims and has_token(state, transport.wall()) then return state.token end
  if not flight.over or flight.is_late then return nil, "deadline", "no token came within the call's timeout" end
  return nil, flight.code, flight.message
end

--- Tells that the caller of `get` was taken away while it waited.
function Credential.leave(_, request)
  if request.flight then leave(request.flight) end
end

return cache
