--- Exchanges of the libcurl engine in one line, for the specs about it.

local curl = require("webpubsub.curl")
local assert = require("luassert")
local wait = require("spec.support.wait")

local STEP_SECONDS = 0.1
local UNFINISHED_SECONDS = 10 -- no exchange of a spec takes that long, unless something is wrong

local exchange = {}

--- A profile without a proxy, whatever the environment says.
---@param origin string
---@param options? table
function exchange.profile(origin, options)
  local settings = { origin = origin, proxy = false }
  for name, value in pairs(options or {}) do settings[name] = value end
  return assert(curl.profile(settings))
end

--- `request` may have a method (POST), target (/), headers, body, seconds (5), patience (as many) and fresh.
function exchange.start(profile, request)
  request = request or {}
  return curl.start(profile, request.method or "POST", request.target or "/", request.headers or "", request.body,
    request.seconds or 5, request.patience or request.seconds or 5, request.fresh)
end

--- The result of an exchange that is done, with its info as the last value.
function exchange.result_of(done)
  local info = done:info()
  local status, headers, body, message, stale = done:result()
  if status then return status, headers, body, info end
  info.stale = stale
  return nil, headers, body, message, info
end

--- Drives a started exchange to its end and returns its result, with its info as the last value.
function exchange.finish(started)
  wait.until_true(function() return started:step(STEP_SECONDS) end, UNFINISHED_SECONDS, "the exchange to end")
  return exchange.result_of(started)
end

--- A whole exchange: status, header block, body, info; or nil, kind, code, message, info.
function exchange.send(profile, request)
  return exchange.finish(exchange.start(profile, request))
end

--- Takes what `send` returned, expects a failure of that kind and code, and returns its message and info.
function exchange.assert_fails(kind, code, status, actual_kind, actual_code, message, info)
  assert.is_nil(status)
  assert.are.same({ kind, code }, { actual_kind, actual_code }, message)
  return message, info
end

return exchange
