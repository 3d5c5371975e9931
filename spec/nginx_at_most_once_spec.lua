-- Messages sent from inside a real nginx, with `retries = 0`, to a server that lets connections die at random.

if _VERSION ~= "Lua 5.1" then return end -- NGINX loads the build for Lua 5.1

local at_most_once = require("spec.support.at_most_once")
local nginx = require("spec.support.nginx")
local scripted_server = require("spec.support.scripted_server")

local MESSAGES, BATCH, THREADS, SEED = 10000, 2000, 16, 20241201

-- Sends messages `first` to `last`, so many at a time; returns what came of each, in lines.
local CODE = [[
  local next_number, threads, told = %d, {}, {}
  for index = 1, %d do
    threads[index] = ngx.thread.spawn(function()
      while next_number <= %d do
        local number = next_number
        next_number = number + 1
        told[number] = tostring((outcome(client.send_to_all, client, { content = "message " .. number })))
      end
    end)
  end
  for _, thread in ipairs(threads) do assert(ngx.thread.wait(thread)) end
  return table.concat(told, "\n", %d, %d)]]

it(("in NGINX %d messages with retries = 0 arrive once, or not at all, as their senders are told"):format(MESSAGES),
  function()
    local server = scripted_server.start()
    local web = nginx.start({ http = "lua_socket_log_errors off;" })
    local unread = at_most_once.script(server, MESSAGES, SEED)
    local told = {}
    for first = 1, MESSAGES, BATCH do
      local last = first + BATCH - 1
      local text = web:run(nginx.with_client(server.origin, "once", "retries = 0, timeout = 20",
        CODE:format(first, THREADS, last, first, last)))
      for line in (text .. "\n"):gmatch("([^\n]*)\n") do told[#told + 1] = line end
    end
    assert.are.equal(MESSAGES, #told)
    at_most_once.check(server, told, unread)
    web:stop()
    server:stop()
  end)
