-- What is tortured: the library is loaded, a client is made, a call succeeds, another is refused by the service, a
-- third by our own checks.

-- An error that is not about memory must be the one that was asked for.
local function expect(kind, ok, err)
  if type(err) == "string" then error(err, 0) end
  if ok or err.kind ~= kind then error("expected a " .. kind .. " error, got " .. tostring(err), 0) end
  return tostring(err) ~= ""
end

return function(connection_string)
  return function()
    local webpubsub = require "webpubsub"
    local client = webpubsub.new { connection_string = connection_string, hub = "torture" }
    local response = client:close_user_connections { user = "alice", excluded = { "a", "b" }, reason = "bye" }
    return response.status == 204
      and expect("service", pcall(client.add_connection_to_group, client, { group = "group", connection = "none" }))
      and expect("argument", pcall(client.close_user_connections, client, { user = "" }))
  end
end
