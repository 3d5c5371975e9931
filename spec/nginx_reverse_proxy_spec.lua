-- A real nginx as reverse proxy, in the two ways in which it can be set, and what becomes of ids behind it.

if _VERSION ~= "Lua 5.1" then return end -- nginx is installed for the suite of Lua 5.1

local calls = require("spec.support.calls")
local nginx = require("spec.support.nginx")
local scripted_server = require("spec.support.scripted_server")
local steps = require("spec.support.steps")
local webpubsub = require("webpubsub")

local SERVICE = "https://service.example"
local USERS, CLOSE = "/api/hubs/chat/users/", "/:closeConnections"

-- Every id of up to four of these pieces.
local PIECES = { ".", "..", "/", "\\", ";", "%2f", "%2E", "%5c", "%252e", "a" }
local function ids()
  local all, from = { "" }, 1
  for _ = 1, 4 do
    local last = #all
    for index = from, last do
      for _, piece in ipairs(PIECES) do all[#all + 1] = all[index] .. piece end
    end
    from = last + 1
  end
  table.remove(all, 1)
  return all
end

describe("behind nginx", function()
  local service, web, decoding, keeping

  setup(function()
    service = scripted_server.start()
    local other_port = nginx.free_port()
    web = nginx.start({ set = { service = service.port, other_port = other_port },
      http = [[
        upstream backend { server 127.0.0.1:$(service); keepalive 4; }
        proxy_http_version 1.1;
        proxy_set_header Connection "";
        server {
          listen 127.0.0.1:$(other_port);
          location / { proxy_pass http://backend; }
        }]],
      server = "location / { proxy_pass http://backend/; }" })
    decoding = ("http://127.0.0.1:%d"):format(web.port)
    keeping = ("http://127.0.0.1:%d"):format(other_port)
  end)
  teardown(function()
    web:stop()
    service:stop()
  end)
  before_each(function()
    service:reset()
    service:script({ default = steps.reply({ status = 204 }) })
  end)

  local function client(proxy)
    return webpubsub.new({ endpoint = SERVICE, key = "k", hub = "chat", reverse_proxy = proxy, proxy = false,
      retries = 0 })
  end

  local function arrived()
    local targets = {}
    for index, request in ipairs(service:requests()) do targets[index] = request.target:match("^[^?]*") end
    return targets
  end

  it("with proxy_pass without a path, every id arrives as it was sent", function()
    for _, id in ipairs({ "a/b", "https://id.example//x", "a;b?c#d", "100%2f" }) do
      client(keeping):close_user_connections({ user = id })
    end
    assert.are.same({ USERS .. "a%2Fb" .. CLOSE, USERS .. "https%3A%2F%2Fid.example%2F%2Fx" .. CLOSE,
      USERS .. "a%3Bb%3Fc%23d" .. CLOSE, USERS .. "100%252f" .. CLOSE }, arrived())
  end)

  it("with a path in proxy_pass, an id is decoded, and dot segments would lead to the whole hub", function()
    web:get(USERS .. "..%2F" .. CLOSE)
    web:get(USERS .. "..%2Fgroups%2Fvip" .. CLOSE)
    client(decoding):close_user_connections({ user = "a/b" })
    assert.are.same({ "/api/hubs/chat" .. CLOSE, "/api/hubs/chat/groups/vip" .. CLOSE, USERS .. "a/b" .. CLOSE },
      arrived())
  end)

  it("no id leads out of its place, however nginx decodes it", function()
    local own, accepted = client(decoding), 0
    for _, id in ipairs(ids()) do
      local ok, err = pcall(own.close_user_connections, own, { user = id })
      if ok then
        accepted = accepted + 1
      else
        assert.are.same({ "argument", "invalid", "user" }, { err.kind, err.code, err.argument }, tostring(err))
      end
    end
    local targets = arrived()
    assert.are.equal(accepted, #targets)
    assert.is_true(accepted > 100)
    for _, target in ipairs(targets) do
      assert.are.same({ USERS, CLOSE }, { target:sub(1, #USERS), target:sub(-#CLOSE) }, target)
    end
  end)

  it("no link to a next page leads out of the reverse proxy's path", function()
    for _, path in ipairs({ "/..%2f", "/..%5c", "/..;/", "/api/%2e%2e%2fx" }) do
      service:reset()
      service:script({ steps.reply({ status = 200, headers = { ["Content-Type"] = "application/json" },
        body = ('{"value":[],"nextLink":"%s%s"}'):format(SERVICE, path) }) })
      local err = calls.refusal(client(decoding):list_connections_in_group({ group = "g" }))
      assert.are.same({ "protocol", "malformed" }, { err.kind, err.code })
      assert.are.equal(1, #service:requests())
    end
  end)
end)
