--- Policies: functions that see, and may change, the request of a call.
--
-- `per_call` runs once, before the first attempt; `per_attempt` before each attempt is signed; `before_send` when the
-- request is signed and about to leave. Each is a function or a list of functions; the client's run before the call's.
-- What a policy raises ends the call and reaches the caller unchanged.

local core = require "webpubsub.core"

local policies = {}

local stages = { "per_call", "per_attempt", "before_send" }

local function refuse(operation, code, argument, message)
  core.raise("argument", code, message, argument, operation)
end

local function check_stage(stage, functions, operation)
  if type(functions) == "function" then return { functions } end
  if type(functions) ~= "table" then
    refuse(operation, "type", stage, stage .. " must be a function or a list of functions; it is a " .. type(functions))
  end
  local list, entries = {}, 0
  for index, policy in ipairs(functions) do list[index] = policy end
  for _, entry in pairs(functions) do
    entries = entries + 1
    if type(entry) ~= "function" or entries > #list then
      refuse(operation, "type", stage, stage .. " must be a list of functions only, without holes or names")
    end
  end
  return list
end

--- Checks a `policies` table; returns each stage as a list, or nil where there are no policies.
---@param given table|nil
---@param operation string|nil  for the error
function policies.check(given, operation)
  if given == nil then return nil end
  local checked = {}
  for stage in pairs(given) do
    local known
    for _, name in ipairs(stages) do known = known or name == stage end
    if not known then
      local meant = core.nearest(tostring(stage), stages)
      refuse(operation, "unknown", tostring(stage), "policies has no \"" .. tostring(stage) .. "\"; "
        .. (meant and "did you mean \"" .. meant .. "\"?" or "it takes per_call, per_attempt and before_send"))
    end
    local functions = core.field(given, stage)
    if functions ~= nil then checked[stage] = check_stage(stage, functions, operation) end
  end
  return checked
end

--- Checks those of a call's context.
---@param arguments table|nil  the call's
function policies.check_call(arguments, operation)
  local context = arguments and core.field(arguments, "context")
  return context and policies.check(core.field(context, "policies"), operation)
end

--- The policies of two levels, the outer ones first; nil where neither has any.
function policies.join(outer, inner)
  if not (outer and inner) then return outer or inner end
  local joined = {}
  for _, stage in ipairs(stages) do
    local list = {}
    for _, policy in ipairs(outer[stage] or {}) do list[#list + 1] = policy end
    for _, policy in ipairs(inner[stage] or {}) do list[#list + 1] = policy end
    joined[stage] = list
  end
  return joined
end

-- The request as a policy sees it: a view of the call, not a copy. These are the keys of what it stands on.
local view, header_view = {}, {}

local read = {
  operation = function(call) return call:operation() end,
  method = function(call) return call:method() end,
  url = function(call) return call:url() end,
  body = function(call) return call:body() end,
  attempt = function(call) return call:attempt() end,
  request_id = function(call) return call:header("x-ms-client-request-id") end,
}

local headers_type = {
  __index = function(headers, name) return headers[view]:header(name) end,
  __newindex = function(headers, name, value) headers[view]:set_header(name, value) end,
}

local request_methods = {}

--- Adds a query parameter, escaped. Not in `before_send`: the URL is signed by then.
function request_methods:add_query(name, value)
  self[view]:add_query(name, value)
end

--- All headers as a table, their names in lower case.
function request_methods:all_headers()
  return self[view]:headers()
end

local request_type = {
  __index = function(request, key)
    if key == "headers" then return request[header_view] end
    if read[key] then return read[key](request[view]) end
    return request_methods[key]
  end,
  __newindex = function(_, key)
    error("a policy may set request.headers[...] and call request:add_query(); it cannot set " .. tostring(key), 2)
  end,
}

--- Runs the policies of one stage.
function policies.apply(functions, call)
  if not functions or #functions == 0 then return end
  local headers = setmetatable({ [view] = call }, headers_type)
  local request = setmetatable({ [view] = call, [header_view] = headers }, request_type)
  for _, policy in ipairs(functions) do policy(request) end
end

return policies
