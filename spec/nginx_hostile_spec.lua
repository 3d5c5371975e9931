-- A server that does what it should not, inside a real nginx: the same cases and words as everywhere.

if _VERSION ~= "Lua 5.1" then return end -- NGINX loads the build for Lua 5.1

local certs = require("spec.support.certs")
local dns = require("spec.support.dns")
local hostile = require("spec.support.hostile")
local nginx = require("spec.support.nginx")
local scripted_server = require("spec.support.scripted_server")
local wire_format = require("spec.support.wire")

-- What is run inside NGINX, with the case as a value.
local CODE = [[
  local case = %s
  local client = webpubsub.new(case.options)
  local arguments = case.content and { content = ("x"):rep(case.content), content_type = "text" } or { user = "alice" }
  local function call()
    return tostring((outcome(client[case.method], client, arguments)))
  end
  local outcomes, threads = {}, {}
  for index = 1, case.warm do threads[index] = ngx.thread.spawn(call) end
  for index = 1, case.warm do outcomes[index] = select(2, ngx.thread.wait(threads[index])) end
  for index = 1, case.count do
    if index > 1 and case.pause then ngx.sleep(case.pause) end
    outcomes[case.warm + index] = call()
  end
  return table.concat(outcomes, "\n")]]

local pool_size = 100 -- of the case: a connection is not used by another

local function describe_cases(wire, cases, server_options)
  describe(("in NGINX, a hostile server is seen through over %s:"):format(wire), function()
    local server, names, web

    setup(function()
      server, names = scripted_server.start(server_options), dns.start()
      web = nginx.start({ set = { dns = names.port, ca = certs.ca.cert }, http = "lua_socket_log_errors off; "
        .. "resolver 127.0.0.1:$(dns); lua_ssl_trusted_certificate $(ca);" })
    end)
    teardown(function()
      web:stop()
      names.stop()
      server:stop()
    end)

    local function run(case, warm, count)
      pool_size = pool_size + 1
      local options = hostile.options(case, (server.origin:gsub("127%.0%.0%.1", "localhost")))
      options.pool_size = pool_size
      local value = wire_format.encode({ options = options, warm = warm, count = count, pause = case.pause,
        method = hostile.method(case), content = case.content })
      local outcomes = {}
      for outcome in (web:run(CODE:format(value)) .. "\n"):gmatch("([^\n]*)\n") do
        outcomes[#outcomes + 1] = outcome
      end
      return outcomes
    end

    for _, case in ipairs(cases) do
      it(case.name, function() hostile.play(server, case, run) end)
    end
  end)
end

describe_cases("plain HTTP", hostile.cases)
describe_cases("TLS", hostile.secure_cases, { tls = certs.valid })
