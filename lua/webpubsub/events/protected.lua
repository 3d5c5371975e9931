--- pcall for what may wait: a handler calls the service, sleeps, reads a database.
--
-- Lua 5.1 cannot yield through pcall. There a coroutine does what pcall would, and the one that runs waits for it; only
-- in a loop of cqueues, for elsewhere nobody would know which of the two to wake.

local loaded = package.loaded

local YIELDS_THROUGH_PCALL = _VERSION ~= "Lua 5.1" or rawget(_G, "jit") ~= nil

-- What cqueues' own functions yield is for cqueues, which is to know of the outer coroutine only.
local function go_on(cqueues, inner, ok, first, ...)
  if not ok or coroutine.status(inner) == "dead" then return ok, first, ... end
  if first == cqueues._POLL then return go_on(cqueues, inner, coroutine.resume(inner, cqueues.poll(...))) end
  return go_on(cqueues, inner, coroutine.resume(inner, coroutine.yield(first, ...)))
end

local function call_in_coroutine(action, ...)
  local cqueues = loaded["cqueues"]
  if not (cqueues and cqueues.running()) then return pcall(action, ...) end
  local inner = coroutine.create(action)
  return go_on(cqueues, inner, coroutine.resume(inner, ...))
end

return YIELDS_THROUGH_PCALL and pcall or call_in_coroutine
