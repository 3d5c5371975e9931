--- Waiting for a condition with a deadline: the only way a spec waits.

local socket = require("socket")

local POLL_SECONDS = 0.005

local wait = {}

--- Calls `condition` until it returns a true value, and returns that value.
---@param condition fun(): any
---@param timeout_seconds number
---@param what string completes the sentence "timed out after 2 s waiting for …"
---@return any
function wait.until_true(condition, timeout_seconds, what)
  local deadline = socket.gettime() + timeout_seconds
  while true do
    local value = condition()
    if value then return value end
    if socket.gettime() >= deadline then
      error(("timed out after %g s waiting for %s"):format(timeout_seconds, what), 2)
    end
    socket.sleep(POLL_SECONDS)
  end
end

return wait
