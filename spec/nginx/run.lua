--- Runs what was POSTed as Lua code inside nginx and answers with what it returned. The code sees the library and the
--- functions below; globals it sets stay with the worker.

-- luacheck: read globals ngx

local webpubsub = require("webpubsub")

local environment = setmetatable({ webpubsub = webpubsub, state = {} }, { __index = _G })

--- A client of hub chat, kept by the worker under a name of its own.
function environment.client(name, options)
  local clients = environment.state.clients or {}
  environment.state.clients = clients
  if not clients[name] then
    options.key, options.hub = options.key or "k", "chat"
    clients[name] = webpubsub.new(options)
  end
  return clients[name]
end

--- What an action comes to: a status, or "kind code: message".
function environment.outcome(action, ...)
  local ok, result = pcall(action, ...)
  if ok then return type(result) == "table" and result.status or result end
  if type(result) ~= "table" then return result end
  return ("%s %s: %s"):format(result.kind, result.code, result.message)
end

--- Closes the connections of alice, and returns what that comes to.
function environment.close(client, context)
  return environment.outcome(client.close_user_connections, client, { user = "alice", context = context })
end

--- Waits until a condition holds.
function environment.wait_until(condition)
  local deadline = ngx.now() + 10
  while not condition() do
    assert(ngx.now() < deadline, "timed out")
    ngx.sleep(0.005)
  end
end

return function()
  ngx.req.read_body()
  local action = assert(loadstring(ngx.req.get_body_data(), "=run")) -- luacheck: ignore 113 (LuaJIT)
  setfenv(action, environment) -- luacheck: ignore 113
  local results = { action() }
  for index = 1, #results do results[index] = tostring(results[index]) end
  ngx.print(table.concat(results, " "))
end
