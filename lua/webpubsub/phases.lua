--- What can be done in which of NGINX's phases.

-- luacheck: read globals ngx

local core = require "webpubsub.core"

local phases = {}

-- NGINX runs these to their end without going back to its loop. The value says what else is to be done.
local DEFER = "use client:defer(operation, arguments), which makes the call soon after"
local LATER = "make the call in a later phase, or in a timer"
local without_io = {
  init = LATER, exit_worker = "there is no later phase", init_worker = DEFER, set = DEFER, header_filter = DEFER,
  body_filter = DEFER, balancer = DEFER, log = DEFER, ssl_session_store = DEFER,
}

local without_timers = { init = true, exit_worker = true }

--- Raises an error in a phase in which nothing can wait.
function phases.check_io()
  local phase = ngx.get_phase()
  local instead = without_io[phase]
  if instead then
    core.raise("argument", "phase", ("NGINX allows no calls in its phase %s; %s"):format(phase, instead))
  end
end

--- Raises an error in a phase that allows no timers.
---@param method string
function phases.check_timers(method)
  local phase = ngx.get_phase()
  if without_timers[phase] then
    core.raise("argument", "phase", ("NGINX allows no timers in its phase %s"):format(phase), "client", method)
  end
end

return phases
