--- Calls made a little later, for phases of NGINX that cannot wait: one bounded queue for each client and worker, and
--- one timer that empties it. A timer for every call would be dropped in silence under load.

-- luacheck: read globals ngx

local core = require "webpubsub.core"
local driver = require "webpubsub.driver"

local defer = {}

local unpack = table.unpack or unpack -- luacheck: ignore 113 143

local DEFAULT_LIMIT = 1000    -- calls that wait
local CONCURRENCY = 8         -- calls in flight
local CALLS_PER_TIMER = 1000  -- a timer's memory is given back when it ends
local EXIT_SECONDS = 5        -- that a worker which shuts down goes on with what is queued

local function refuse(argument, code, message)
  core.raise("argument", code, message, argument, "defer")
end

-- ---------------------------------------------------------------- what is asked for

local without_timers = { init = true, exit_worker = true }

local function check_surroundings()
  local nginx = rawget(_G, "ngx")
  if not (nginx and nginx.timer) then
    refuse("client", "unsupported", "defer is for NGINX, whose log and filter phases cannot wait; here, make the call "
      .. "itself, or its _async form")
  end
  if without_timers[ngx.get_phase()] then
    refuse("client", "phase", ("NGINX allows no timers in its phase %s"):format(ngx.get_phase()))
  end
end

local function check_operation(name)
  local names = {}
  for index, operation in ipairs(core.operations()) do
    if operation.name == name then return end
    names[index] = operation.name
  end
  local meant = core.nearest(tostring(name), names)
  refuse("operation", "unknown", ("there is no operation \"%s\"%s"):format(tostring(name),
    meant and "; did you mean \"" .. meant .. "\"?" or ""))
end

-- ---------------------------------------------------------------- the queue

local queue = {}
queue.__index = queue

local function queue_of(client, method)
  local extras = core.extras(client, method)
  if not extras.deferred then
    extras.deferred = setmetatable({
      extras = extras,
      waiting = {}, first = 1, last = 0, -- first to last
      running = {}, -- threads in any order
      sent = 0, failed = 0, dropped = 0,
    }, queue)
  end
  return extras.deferred
end

function queue:length()
  return self.last - self.first + 1
end

function queue:put(item)
  self.last = self.last + 1
  self.waiting[self.last] = item
end

function queue:take()
  local item = self.waiting[self.first]
  self.waiting[self.first] = nil
  self.first = self.first + 1
  return item
end

-- Is the worker shutting down, and the time over that it gives the queue?
function queue:gives_up()
  if not ngx.worker.exiting() then return false end
  self.exit_by = self.exit_by or core.now() + EXIT_SECONDS
  return core.now() >= self.exit_by
end

function queue:abandon()
  self.dropped = self.dropped + self:length()
  self.waiting, self.first, self.last = {}, 1, 0
end

-- ---------------------------------------------------------------- emptying it

-- One call. Never raises: nobody is there to be told.
function queue:perform(item)
  local context = item.arguments and core.field(item.arguments, "context")
  local own_cancel = context and core.field(context, "cancel")
  local extras = setmetatable({
    cancelled = function() return self:gives_up() or own_cancel and own_cancel() end,
  }, { __index = self.extras })
  local ok, response, err = pcall(driver.run, item.call, extras, item.arguments)
  if not ok then response, err = nil, response end
  err = err or response.error -- the latter with no_throw
  if err then
    self.failed, self.last_error = self.failed + 1, tostring(err)
  else
    self.sent = self.sent + 1
  end
end

-- Waits until one of the threads has ended, and forgets those that have.
function queue:wait_for_one()
  ngx.thread.wait(unpack(self.running))
  for index = #self.running, 1, -1 do
    if coroutine.status(self.running[index]) == "dead" then table.remove(self.running, index) end
  end
end

local start_timer

local function drain(_, self)
  local left = CALLS_PER_TIMER
  repeat
    if self:gives_up() then self:abandon() end
    while left > 0 and self:length() > 0 and #self.running < CONCURRENCY do
      left = left - 1
      self.running[#self.running + 1] = ngx.thread.spawn(self.perform, self, self:take())
    end
    if #self.running > 0 then self:wait_for_one() end
  until #self.running == 0 and (left == 0 or self:length() == 0)
  self.draining = false
  if self:length() > 0 then start_timer(self) end
end

-- Where NGINX gives no timer now, the next call that is deferred asks again.
start_timer = function(self)
  local ok, problem = ngx.timer.at(0, drain, self)
  self.draining = ok and true or false
  if not ok then self.last_error = "NGINX gave no timer: " .. tostring(problem) end
end

-- ---------------------------------------------------------------- for clients

--- See `client:defer` in annotations.lua.
function defer.run(client, operation, arguments)
  local self = queue_of(client, "defer")
  check_surroundings()
  check_operation(operation)
  local call = driver.prepare_for("defer", client, operation, arguments)
  if self:length() >= (self.extras.max_deferred or DEFAULT_LIMIT) then
    self.dropped = self.dropped + 1
    return false
  end
  self:put { call = call, arguments = arguments }
  if not self.draining then start_timer(self) end
  return true
end

--- See `client:deferred` in annotations.lua.
function defer.counts(client)
  local self = queue_of(client, "deferred")
  return {
    queued = self:length() + #self.running, sent = self.sent, failed = self.failed, dropped = self.dropped,
    last_error = self.last_error,
  }
end

return defer
