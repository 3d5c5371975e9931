--- The world of cqueues: a call in a coroutine of a controller waits on a condition, and a pump, one more coroutine of
--- that controller, polls the reactor as long as there is anything to poll for.

local loaded, require = package.loaded, require

local world = {}

local unpack = table.unpack or unpack -- luacheck: ignore 113 143

-- Of the loop's own coroutines, so many are woken before all others have their turn: each is work of some 20 µs.
local MOST_WOKEN = 32

-- Of each controller: its pump. [host][controller] = pump; weak, for a controller that is dropped half way never ends
-- it.
local pumps = setmetatable({}, { __mode = "k" })

local pump = {}
pump.__index = pump

function pump:nudge()
  self.nudged:signal()
end

local function pump_of(host, controller)
  pumps[host] = pumps[host] or setmetatable({}, { __mode = "kv" })
  return pumps[host][controller]
end

local function stop_pump(self)
  if pump_of(self.host, self.controller) ~= self then return end
  pumps[self.host][self.controller] = nil
  self.host.loops[self] = nil
end

-- What is guarded is a round of polling and not the whole, which Lua 5.1 could not yield from. After each of them the
-- loop's other coroutines have their turn. What a callback raises ends this coroutine, and must not end the wait of
-- all the others for ever.
local function run_pump(self)
  local host, cqueues = self.host, self.cqueues
  local due = { pollfd = host:descriptor(), events = "r", timeout = function() return host:timeout() end }
  while host:is_busy() do
    local ok, problem = pcall(host.poll, host, 0, MOST_WOKEN)
    if not ok then
      stop_pump(self)
      if host:is_busy() then world.enter(host) end
      error(problem, 0)
    end
    if host:is_busy() then cqueues.poll(due, self.nudged) end
  end
  stop_pump(self)
end

-- The controller in whose coroutines this runs, and whether what runs is one of these coroutines itself.
local function controller_here()
  local cqueues = loaded["cqueues"]
  if not cqueues then return nil end
  local controller, is_its_own = cqueues.running()
  return cqueues, controller, is_its_own
end

--- Has the controller that is here, if any, poll. Several in a process need no agreement: whichever polls serves all.
function world.enter(host)
  local cqueues, controller = controller_here()
  if not controller or pump_of(host, controller) then return end
  local self = setmetatable({
    cqueues = cqueues, controller = controller, host = host, nudged = require("cqueues.condition").new(),
  }, pump)
  pumps[host][controller] = self
  host.loops[self] = true
  controller:wrap(run_pump, self)
end

--- Does this run in a coroutine of a controller itself?
function world.is_here()
  local _, controller, is_its_own = controller_here()
  return controller ~= nil and is_its_own
end

--- A coroutine of ours has yielded what cqueues is to wait for, which knows its own coroutines only: one of these
--- waits, and resumes the other. False where it is something else.
function world.wait_instead(place, mark, ...)
  local cqueues, controller = controller_here()
  if not controller or mark ~= cqueues._POLL then return false end
  local count, awaited = select("#", ...), { ... }
  controller:wrap(function() place:resume(cqueues.poll(unpack(awaited, 1, count))) end)
  return true
end

--- Waits in a coroutine of a controller. The host's table of waits is weak: the coroutine itself keeps how it is woken.
function world.suspend(host, _, begin, ...)
  local wait = { condition = require("cqueues.condition").new(), is_over = false }
  function wait.wake()
    wait.is_over = true
    wait.condition:signal()
  end
  local withdraw = begin(wait.wake, ...)
  world.enter(host)
  while not wait.is_over do wait.condition:wait() end
  if withdraw then withdraw() end
end

return world
