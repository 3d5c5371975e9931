-- What is tortured: the library is loaded, a client is made, a call succeeds, another is refused by the service, a
-- third by our own checks; a task succeeds, another is cancelled, a third forgotten; an exchange writes a
-- request and reads a response that outgrows its first buffers.

-- An error that is not about memory must be the one that was asked for.
local function expect(kind, ok, err)
  if type(err) == "string" then error(err, 0) end
  if ok or err.kind ~= kind then error("expected a " .. kind .. " error, got " .. tostring(err), 0) end
  return tostring(err) ~= ""
end

local function exchange_works()
  local exchange = require("webpubsub.core").exchange("localhost", 5)
  local body = ("x"):rep(5000)
  exchange:begin_request("POST", "/", "localhost", "X-One: 1\r\n", body, 15, 60, false, 0)
  exchange:connected(false, 0)
  exchange:wrote(#exchange:outgoing())
  exchange:received("HTTP/1.1 200 OK\r\nX-Long: " .. ("y"):rep(2000) .. "\r\nContent-Length: 5000\r\n\r\n")
  exchange:received(body)
  exchange:failure() -- raises where memory ran out
  local status, _, content = exchange:result()
  return status == 200 and content == body
end

local function tasks_work(client)
  local arguments = { user = "alice" }
  client:close_user_connections_async(arguments)
  local cancelled = client:close_user_connections_async(arguments)
  cancelled:cancel()
  return expect("cancelled", pcall(cancelled.await, cancelled))
    and client:close_user_connections_async(arguments):await().status == 204
end

return function(connection_string)
  return function()
    local webpubsub = require "webpubsub"
    local client = webpubsub.new { connection_string = connection_string, hub = "torture" }
    local response = client:close_user_connections { user = "alice", excluded = { "a", "b" }, reason = "bye" }
    return response.status == 204
      and expect("service", pcall(client.add_connection_to_group, client, { group = "group", connection = "none" }))
      and expect("argument", pcall(client.close_user_connections, client, { user = "" }))
      and exchange_works()
      and tasks_work(client)
  end
end
