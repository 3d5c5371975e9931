--- Calls made a little later and without anybody's waiting, for phases of NGINX that cannot: tasks, of which a client
-- has a bounded number, and counts what becomes of them.

-- luacheck: read globals ngx

local core = require "webpubsub.core"
local driver = require "webpubsub.driver"
local nginx = require "webpubsub.host.nginx"
local operations = require "webpubsub.operations"
local policies = require "webpubsub.policies"
local task = require "webpubsub.task"

local defer = {}

local DEFAULT_LIMIT = 1000 -- calls of a client

local function refuse(argument, code, message)
  core.raise("argument", code, message, argument, "defer")
end

local function check_surroundings()
  local here = rawget(_G, "ngx")
  if not (here and here.timer) then
    refuse("client", "unsupported", "defer is for NGINX, whose log and filter phases cannot wait; here, make the call "
      .. "itself, or its _async form")
  end
  nginx.check_timers("defer")
end

local function counts_of(client, method)
  local extras = core.extras(client, method)
  extras.deferred = extras.deferred or { queued = 0, sent = 0, failed = 0, dropped = 0 }
  return extras.deferred, extras.max_deferred or DEFAULT_LIMIT
end

-- What is left when a worker is out of time is dropped.
local function settle(counts, response, err)
  counts.queued = counts.queued - 1
  err = err or response.error -- the latter with no_throw
  if not err then
    counts.sent = counts.sent + 1
  elseif type(err) == "table" and err.kind == "cancelled" and ngx.worker.exiting() then
    counts.dropped = counts.dropped + 1
  else
    counts.failed, counts.last_error = counts.failed + 1, tostring(err)
  end
end

local function perform(self)
  local response, err = driver.run(self.call, self.extras, self.arguments, self)
  if not response then return false, err end
  return true, response
end

local function drop(counts)
  counts.dropped = counts.dropped + 1
  return false
end

--- See `client:defer` in library/webpubsub.lua.
function defer.run(client, operation, arguments)
  local counts, limit = counts_of(client, "defer")
  check_surroundings()
  operations.check(operation, "defer")
  local call = driver.prepare_for("defer", client, operation, arguments)
  policies.check_call(arguments, "defer")
  if counts.queued >= limit or not core.extras(client).transport.host:admit("defer") then return drop(counts) end
  counts.queued = counts.queued + 1
  task.start(client, "defer", arguments, perform, call):on_done(function(response, err)
    settle(counts, response, err)
  end)
  return true
end

--- See `client:deferred` in library/webpubsub.lua.
function defer.counts(client)
  local counts = counts_of(client, "deferred")
  return {
    queued = counts.queued, sent = counts.sent, failed = counts.failed, dropped = counts.dropped,
    last_error = counts.last_error,
  }
end

return defer
