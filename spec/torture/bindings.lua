-- What is tortured besides whole calls: the bindings by themselves, on objects that outlive the failure. Their next use
-- must be as good as the first.

local KEY = "an access key, as text"
local IDS = {} -- so many that a token outgrows its first buffer
for index = 1, 60 do IDS[index] = "connection-" .. index end
local WALL = 1700000000 -- seconds since the epoch

local BODY = [[{"code":"Error.X","message":"caf\u00e9","details":[{"code":"a"},{"message":"b"}],
  "inner":{"code":"i","inner":{"code":"j"}}}]]
local PROBLEM = '{"title":"wrong","errors":{"filter":["at 14","at\\n15"]}}'
local PAGE = '{"value":[{"connectionId":"c","userId":"\\u0075"}],"nextLink":"https://contoso.webpubsub.azure.com/n"}'

local function answer(core, call, status, headers, body)
  assert(call:begin(0) == "token")
  assert(call:sign(0, WALL) == "send")
  core.headers(select(3, call:outgoing()))
  call:deliver(status, headers, body)
  assert(call:respond(1, WALL, 0.5) == "done")
  return call:result()
end

-- Each of them does one thing to the state, which it makes where it is not there yet.
local uses = {}

function uses.call(core, state)
  local call = core.prepare(state.client, "close_user_connections", { user = "alice", excluded = IDS,
    context = { headers = { ["x-one"] = "1" }, retries = 0 } }, state.spare)
  state.spare = call
  return answer(core, call, 204, "Date: today\r\n", "").status == 204
end

function uses.json(core, state)
  local call = core.prepare(state.client, "send_to_all",
    { json = { list = { 1.5, true, core.null, core.empty_array, ("x"):rep(2000) }, text = "zoë \1" } })
  call:begin(0)
  call:sign(0, WALL)
  return #select(4, call:outgoing()) > 2000
end

function uses.refusal(core, state)
  local ok, err = pcall(core.prepare, state.client, "send_to_all", { json = { a = { 1, { [3] = 1 } } } })
  if type(err) == "string" then error(err, 0) end
  return not ok and tostring(err):find("json.a[2] is a list with holes", 1, true) ~= nil
end

function uses.errors(core, state)
  local arguments = { user = "u", group = "g", context = { retries = 0 } }
  local _, err = answer(core, core.prepare(state.client, "add_user_to_group", arguments), 400, "X-A: b\r\n", BODY)
  local _, problem = answer(core, core.prepare(state.client, "add_user_to_group", arguments), 400, "", PROBLEM)
  return err.code == "Error.X" and #err.details == 2 and err.inner.inner.code == "j" and tostring(err) ~= ""
    and problem.details[2].message == "at\n15" and problem.message == "wrong"
end

function uses.listing(core, state)
  local page = answer(core, core.prepare(state.client, "list_connections_in_group", { group = "g" }), 200, "", PAGE)
  return page.items[1].user == "u" and page.next_link ~= nil
end

function uses.access(core, state)
  local url, token = core.access(state.client, { user = "alice", roles = { "a", "b" }, groups = { "g" } }, WALL)
  return url ~= nil and token ~= nil
end

function uses.exchange(core, state)
  state.exchange = state.exchange or core.exchange("localhost:80", 5)
  local exchange = state.exchange
  exchange:begin_request("POST", "/", "localhost", "X-One: 1\r\n", ("x"):rep(2000), 5, 5, false, 0)
  exchange:connected(false, 0)
  exchange:wrote(#exchange:outgoing())
  exchange:received("HTTP/1.1 200 OK\r\nContent-Length: 3000\r\n\r\n" .. ("y"):rep(3000))
  local kind, _, message = exchange:failure() -- raises where memory ended
  if kind then error(message, 0) end
  local status, _, body = exchange:result()
  return status == 200 and #body == 3000
end

function uses.key(core, state)
  core.set_key(state.client, KEY .. " again")
  return core.has_key(state.client)
end

local ORDER = { "call", "json", "refusal", "errors", "listing", "access", "exchange", "key" }

return function()
  local core = require "webpubsub.core"
  require "webpubsub.results"
  -- Lua 5.4 makes a metatable for its buffers at their first use, and leaves it half made where memory ends.
  assert(#("x"):rep(10000):upper() == 10000)
  local state = { client = core.client { endpoint = "https://contoso.webpubsub.azure.com", key = KEY, hub = "chat" } }

  local function all()
    core.client { endpoint = "https://contoso.webpubsub.azure.com", key = KEY, hub = "chat" }
    for _, name in ipairs(ORDER) do
      if not uses[name](core, state) then error(name .. " is wrong", 0) end
    end
    return true
  end
  return all, all
end
