--- What moves tasks on inside NGINX: each is a light thread of the request or timer that starts it, and ends with this
-- one. The worker's own loop does the rest. Takes the place of scheduler.lua; there is one for each worker.

-- luacheck: read globals ngx

local core = require "webpubsub.core"
local semaphore = require "ngx.semaphore"

local threads = {
  now = core.now,
  pending = 0,                                 -- tasks that are not over
  ended = setmetatable({}, { __mode = "k" }),  -- [thread] = those it has started, and that are over
}

-- Longest wait for a signal, seconds; a wait that is over early is begun again.
local LONGEST_WAIT = 60

-- ---------------------------------------------------------------- a task's way

-- NGINX keeps a thread that is over until its parent has asked for it, or is over as well.
local function bury(self, parent)
  for _, thread in ipairs(self.ended[parent] or {}) do ngx.thread.kill(thread) end
  self.ended[parent] = nil
end

--- Has the task run `perform(extras)`.
---@param task table
---@param perform fun(extras: table): ...
---@param extras table  the client's
function threads:start(task, perform, extras)
  local parent = coroutine.running()
  bury(self, parent)
  self.pending = self.pending + 1
  task.parent = parent
  task.thread = ngx.thread.spawn(function() task:finish(pcall(perform, extras)) end)
end

--- For a task that is over.
function threads:remove(task)
  self.pending = self.pending - 1
  local siblings = self.ended[task.parent] or {}
  siblings[#siblings + 1] = task.thread
  self.ended[task.parent] = siblings
end

--- A task that is cancelled notices by itself: its transport asks.
function threads.withdraw() end

--- Nor is a task killed: the transport may have threads of its own at work.
function threads.drop(_, task)
  task.cancelled = true
end

-- ---------------------------------------------------------------- waiting

local signal = { yields = true }
signal.__index = signal

function signal:wait()
  self.semaphore:wait(LONGEST_WAIT)
end

function signal:set()
  if self.semaphore:count() < 1 then self.semaphore:post(1) end
end

--- A way to wait for tasks here, as in loops.lua.
function threads.signal()
  return setmetatable({ semaphore = semaphore.new() }, signal)
end

--- Lets `seconds` pass, and tasks go on meanwhile. They do so without it.
function threads:poll(seconds)
  if self.pending > 0 and seconds and seconds > 0 then ngx.sleep(seconds) end
  return 0
end

--- For loops of other kinds.
function threads.descriptor(_, method)
  core.raise("argument", "unsupported", "inside NGINX tasks go on by themselves, in its own loop", "client", method)
end

threads.timeout = threads.descriptor

return threads
