--- Event loops in whose coroutines a call waits without holding up the others: cqueues by itself, luv once attached.

local loops = {}

-- The running coroutine, or nil in the main one.
local function current_coroutine()
  local thread, is_main = coroutine.running()
  return not is_main and thread or nil
end

-- ---------------------------------------------------------------- cqueues

-- [controller][group] = true where a coroutine of that controller polls for all that wait there.
local pumps = setmetatable({}, { __mode = "k" })

local function start_pump(cqueues, controller, group)
  local running = pumps[controller] or {}
  pumps[controller] = running
  if running[group] then return end
  running[group] = true
  local pollable = {
    pollfd = group.background:fd(),
    events = "r",
    timeout = function() return group:timeout() end,
  }
  controller:wrap(function()
    while group.pending > 0 do
      if group:poll(0) == 0 then cqueues.poll(pollable) end
    end
    running[group] = nil
  end)
end

local function wait_in_cqueues(task)
  local cqueues = package.loaded["cqueues"]
  local controller, yieldable = nil, nil
  if cqueues then controller, yieldable = cqueues.running() end
  if not (controller and yieldable) then return false end
  local condition = require("cqueues.condition").new()
  task:on_done(function() condition:signal() end)
  start_pump(cqueues, controller, task.group)
  if not task:done() then condition:wait() end
  return true
end

--- Would a call made here hold up other coroutines of a cqueues loop?
function loops.inside()
  local cqueues = package.loaded["cqueues"]
  if not cqueues then return false end
  local controller, yieldable = cqueues.running()
  return controller ~= nil and yieldable
end

-- ---------------------------------------------------------------- luv

local adapter = {}
adapter.__index = adapter

-- Runs what is ready and arranges to be called again when more can be.
function adapter:turn()
  while self.group:poll(0) > 0 do end
  if self.group.pending == 0 then return self:rest() end
  local timeout = self.group:timeout()
  if timeout then
    self.timer:start(math.ceil(timeout * 1000), 0, function() self:turn() end)
  else
    self.timer:stop()
  end
end

-- Without tasks nothing of ours keeps the loop alive.
function adapter:rest()
  if self.active then
    self.active = false
    self.poll:stop()
    self.timer:stop()
  end
end

function adapter:started()
  if not self.active then
    self.active = true
    self.poll:start("r", function() self:turn() end)
  end
  self.timer:start(0, 0, function() self:turn() end)
end

--- Detaches from the loop; tasks then go on with `client:poll` only.
function adapter:close()
  self:rest()
  self.group.loop = nil
  self.poll:close()
  self.timer:close()
end

local function wait_attached(task)
  local thread = task.group.loop and current_coroutine()
  if not thread then return false end
  task:on_done(function()
    local ok, err = coroutine.resume(thread)
    if not ok then error(err, 0) end
  end)
  coroutine.yield()
  return true
end

--- Has luv's loop drive the client's tasks: `await` in a coroutine then yields to the loop.
---@param group table  the client's tasks, see task.lua
---@return { close: fun(self) }
function loops.attach_luv(group)
  local uv = require "luv"
  local self = setmetatable({
    group = group, poll = uv.new_poll(group.background:fd()), timer = uv.new_timer(), active = false,
  }, adapter)
  group.loop = self
  if group.pending > 0 then self:started() end
  return self
end

-- ---------------------------------------------------------------- either

--- Lets the loop's other coroutines run until the task is over; false where there is no loop to do so.
function loops.wait(task)
  return wait_in_cqueues(task) or wait_attached(task)
end

return loops
