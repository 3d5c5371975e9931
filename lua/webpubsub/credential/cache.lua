--- A credential: a source of tokens, and the token that it gave last. However many calls need one, one request is made;
--- the others wait for what comes of it, or go on with the old token while that is valid.
---
--- A source is a table with `fetch(self, request)`, which may wait, and returns the token, when it expires and when to
--- ask for the next (seconds since the epoch; 0: nobody says), or nil, a code, a message, and the seconds to wait before
--- another request. `request` has `claims`, `seconds` to take at most, `retries` where those
--- are limited, `transport`, whose clocks count, and `reach(origin, near)`, which makes the transport to another server.

local cache = {}

-- Seconds before a token's end when a new one is asked for, unless its answer knows better: as the vendor's clients do.
local REFRESH_MARGIN = 300

-- Seconds between two tries to refresh while the old token is still good.
local REFRESH_PAUSE = 30

-- Seconds without a request after one that failed and left no token: doubled with each that follows.
local FIRST_PAUSE, LONGEST_PAUSE = 1, 30

-- Seconds for a request where its source does not say.
local REQUEST_SECONDS = 60

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

-- A flight has come down, whoever waits for it. What a call's own deadline has cut short says nothing to others, nor
-- what belongs to the parent process.
local function land(flight, ok, token, expires, refresh, pause)
  local state, transport = flight.state, flight.transport
  local now, wall = transport.now(), transport.wall()
  if state.flights[flight.key] == flight then state.flights[flight.key] = nil end
  flight.over = true
  if not ok then
    flight.code, flight.message = "credential", "the credential failed: " .. tostring(token)
  elseif token then
    flight.token = token
    keep(state, wall, token, expires, refresh)
  else
    flight.code, flight.message, flight.pause = expires, refresh, pause
  end
  flight.is_cut = not flight.token and flight.due_with_call and now >= flight.due
  if not flight.token and flight.key == "" and not flight.is_cut and flight.code ~= "forked" then
    note_failure(state, flight, now, wall)
  end
  local waiting = flight.waiting
  flight.waiting = {}
  for wake in pairs(waiting) do wake() end
end

-- ---------------------------------------------------------------- one request

local function perform(flight)
  return flight.state.source:fetch(flight)
end

-- Begins a request: where others go on meanwhile in a coroutine of its own, so that no call's end is its own; else in
-- place, within the seconds of the call.
local function take_off(state, claims, transport, reach, seconds)
  local is_refresh = not claims and has_token(state, transport.wall())
  local host = transport.host
  local apart = host and host:here() and (reach.host and reach.host() or host)
  local limit = state.source.seconds or REQUEST_SECONDS
  if not apart then limit = math.min(limit, seconds, is_refresh and SHORT_REFRESH or math.huge) end
  local flight = {
    state = state, key = claims or "", claims = claims, transport = transport, reach = reach,
    seconds = limit, due = transport.now() + limit, due_with_call = not apart and limit >= seconds,
    retries = is_refresh and 0 or nil, thread = not apart and (coroutine.running() or "main"),
    over = false, waiting = {}, token = false, wake = false,
  }
  state.flights[flight.key] = flight
  if apart then
    apart:spawn(perform, land, flight)
  else
    land(flight, pcall(perform, flight))
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

local function await(flight, transport, due)
  local host = transport.host
  due = math.min(due, flight.due)
  while not flight.over and transport.now() < due do host:suspend(begin_waiting, flight, host, due) end
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
  if wall < state.refresh or transport.now() < state.retry_at or state.flights[""] then return state.token end
  local host = transport.host
  if not (host and host:here()) then return nil end
  take_off(state, nil, transport, reach, REQUEST_SECONDS)
  return state.token
end

-- What a call that has waited for the flight gets.
local function outcome(state, flight, transport)
  if flight.token then return flight.token end
  if flight.key == "" and has_token(state, transport.wall()) then return state.token end
  if not flight.over or flight.is_cut then
    return nil, "deadline", "no token was there within the call's timeout", "timeout"
  end
  return nil, flight.code, flight.message, "credential"
end

--- The token, for which the caller waits at most `seconds`; or nil, code, message and kind.
function Credential:get(claims, transport, reach, seconds)
  local state, due = states[self], transport.now() + seconds
  local flight
  for _ = 1, 2 do
    flight = state.flights[claims or ""]
    if flight and transport.now() >= flight.due then flight = nil end -- lost: somebody else's turn
    if not flight and not claims and state.failure and transport.now() < state.retry_at then flight = state.failure end
    flight = flight or take_off(state, claims, transport, reach, seconds)
    if not flight.over and flight.thread == (coroutine.running() or "main") then
      return nil, "credential", "the credential function has made a call that needs a token of its own",
        "credential"
    end
    if not flight.over then await(flight, transport, due) end
    if flight.token or flight.code ~= "forked" then break end -- the parent process asks for that one
  end
  return outcome(state, flight, transport)
end

return cache
