-- Names with several addresses.

local process = require("spec.support.process")
local scripted_server = require("spec.support.scripted_server")
local socket = require("socket")
local steps = require("spec.support.steps")

-- Every name has two addresses, the first of which is an IPv6 one.
local NAME_SERVICE = [[
  #define _GNU_SOURCE
  #include <dlfcn.h>
  #include <netdb.h>
  #include <string.h>
  int getaddrinfo(const char *name, const char *service, const struct addrinfo *hints, struct addrinfo **list)
  {
      int (*real)(const char *, const char *, const struct addrinfo *, struct addrinfo **)
          = dlsym(RTLD_NEXT, "getaddrinfo");
      int code = real("::1", service, hints, list);
      return code || strchr(name, ':') ? code : real("127.0.0.1", service, hints, &(*list)->ai_next);
  }
]]

local CHILD = [[
  local curl = require("webpubsub.curl")
  local profile = curl.profile({ origin = (...), proxy = false, connect_timeout = 3 })
  local started = curl.now()
  local exchange = curl.start(profile, "POST", "/", "", nil, 5, 5)
  while not exchange:step(1) do end
  print((exchange:result()), curl.now() - started < 2)
]]

local library, server

setup(function()
  library = os.tmpname()
  local compiled = process.run({ "cc", "-shared", "-fPIC", "-x", "c", "-", "-o", library, "-ldl" },
    { stdin = NAME_SERVICE })
  assert.are.equal(0, compiled.code, compiled.stderr)
  server = scripted_server.start()
  server:script({ default = steps.reply({ status = 204 }) })
end)
teardown(function()
  server:stop()
  os.remove(library)
end)

-- What a child prints that sends a request to "twofold", whose IPv4 address is the server's.
local function send_from_child()
  local preloaded = (os.getenv("LD_PRELOAD") or "") .. " " .. library
  return process.run_lua(CHILD, { arguments = { "http://twofold.invalid:" .. server.port },
    env = { LD_PRELOAD = preloaded } }).stdout
end

describe("a name with two addresses", function()
  it("is reached when the first of them refuses", function()
    assert.are.equal("204\ttrue\n", send_from_child())
  end)

  it("is reached when the first of them does not answer", function()
    local silent = socket.tcp6()
    if not silent:bind("::1", server.port) then
      silent:close()
      return pending("there is no ::1 here")
    end
    assert(silent:listen(0))
    local callers = {}
    for index = 1, 3 do -- as many as it lets wait, and more: nobody is answered after them
      callers[index] = socket.tcp6()
      callers[index]:settimeout(0)
      callers[index]:connect("::1", server.port)
    end
    assert.are.equal("204\ttrue\n", send_from_child())
    silent:close()
    for _, caller in ipairs(callers) do caller:close() end
  end)
end)
