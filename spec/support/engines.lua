--- The two ways an exchange can take, for specs whose cases are the same in both: `for name, send in pairs(engines)`.
--- Each `send(profile, request)` returns status, header block, body, info; or nil, kind, code, message, info.

local exchange = require("spec.support.exchange")
local support = require("spec.support.background")

local engines = {}

engines["in place"] = exchange.send

engines["in the background"] = function(profile, request)
  local submitted = support.submit(profile, request)
  assert(rawequal(submitted, support.take()))
  return exchange.result_of(submitted)
end

return engines
