--- Starts programs/slow_server.c.

local curl = require "webpubsub.curl"

local START_SECONDS, POLL_SECONDS = 5, 0.01

--- A server that answers every request with 204 after `milliseconds`. It ends when this process does.
---@param program string
---@param milliseconds integer
---@return { origin: string, stop: fun() }
return function(program, milliseconds)
  local path = os.tmpname()
  local handle = io.popen(("%s %d > %s"):format(program, milliseconds, path), "w") -- its standard input stays open
  local deadline = curl.now() + START_SECONDS
  local port
  repeat
    curl.sleep(POLL_SECONDS)
    local file = assert(io.open(path))
    port = file:read("*l")
    file:close()
    assert(port or curl.now() < deadline, "the server did not start")
  until port
  os.remove(path)
  return { origin = "http://127.0.0.1:" .. port, stop = function() handle:close() end }
end
