-- What is tortured: the library is loaded, a client is made, a call succeeds, another is refused by the service, a
-- third by our own checks; a task succeeds, another is cancelled, a third forgotten; an exchange writes a request and
-- reads a response that outgrows its first buffers; an event is answered, another refused.

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

-- HMAC-SHA256 of "c" under "k"
local SIGNATURE = "sha256=7aa2abf547bf1a1f096eedeeab61b60aa6435f34d7fb4f09abe3f30cf5c00f4f"

local function events_work(client)
  local events = require("webpubsub").events.new { hub = "torture", keys = { "other", "k" }, client = client,
    origins = "*", user_event = { echo = function(event) return { json = event.json, state = event.state } end } }
  local headers = { ["ce-specversion"] = "1.0", ["ce-type"] = "azure.webpubsub.user.echo", ["ce-hub"] = "torture",
    ["ce-connectionId"] = "c", ["ce-signature"] = SIGNATURE, ["ce-connectionState"] = "eyJhIjoxfQ==",
    ["Content-Type"] = "application/json" }
  local status, answered, body = events:handle("POST", headers, '{"b":[2]}')
  if status == 500 then error("not enough memory", 0) end -- the service is told no more
  headers["ce-connectionId"] = "d"
  return status == 200 and body == '{"b":[2]}' and answered["ce-connectionState"] == "eyJhIjoxfQ=="
    and events:handle("POST", headers, "{}") == 401
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
      and events_work(client)
      and tasks_work(client)
  end
end
