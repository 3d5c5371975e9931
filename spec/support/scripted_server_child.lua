-- The process of a scripted server (Lua 5.4, cqueues). Reads its options from standard input, prints its ports, then
-- obeys the control connection until standard input ends. Any unforeseen error ends it with a traceback, which the
-- spec's next call reports.

local root = arg[0]:match("^(.*/)spec/support/[^/]*$") or "./"
package.path = root .. "?.lua;" .. package.path

local cqueues = require("cqueues")
local socket = require("cqueues.socket")
local connection = require("spec.support.child.connection")
local stage = require("spec.support.child.stage")
local tls = require("spec.support.child.tls")
local wire = require("spec.support.wire")

local HOST = "127.0.0.1"
local STDIN_FD = 0

local function listen()
  local listener = assert(socket.listen({ host = HOST, port = 0 }))
  local _, _, port = listener:localname()
  return listener, port
end

local ok, options = wire.read(function() return io.read("l") end, function(count) return io.read(count) end)
assert(ok, options)

local loop = cqueues.new()
local tls_context = options.tls and tls.server_context(options)
local listener, port = listen()
local control_listener, control_port = listen()
local current = stage.new(options.proxy)

local function accept(timeout)
  local client = listener:accept({ nodelay = true }, timeout)
  if not client then return false end
  local peer = connection.new(client, current, tls_context)
  loop:wrap(function() peer:run() end)
  return true
end

local commands = {}

function commands.script(script)
  current:set_script(script)
end

function commands.remaining()
  return #current.entries
end

function commands.requests()
  return current.requests
end

function commands.times_seen()
  local lines = {}
  for _, request in ipairs(current.requests) do lines[#lines + 1] = request.body end
  return table.concat(lines, "\n")
end

function commands.connections()
  -- Connections the kernel has completed belong to the count even if their turn has not come yet.
  while accept(0) do end
  return current.accepted
end

function commands.open_connections()
  return current:open_connections()
end

function commands.reset()
  while accept(0) do end
  current:abandon()
  current = stage.new(options.proxy)
end

function commands.quit()
  return true
end

local function control()
  local client = assert(control_listener:accept())
  client:setmode("b", "bn")
  while true do
    local received, message = wire.read(function() return client:read("*l") end,
      function(count) return client:read(count) end)
    if not received then return end
    client:write(wire.pack(commands[message.command](message.argument)))
    if message.command == "quit" then os.exit(0) end
  end
end

loop:wrap(function()
  while accept() do end
  error("the listening socket failed")
end)
loop:wrap(control)
loop:wrap(function()
  cqueues.poll({ pollfd = STDIN_FD, events = "r" })
  os.exit(0)
end)

io.write(("ready %d %d\n"):format(port, control_port))
io.flush()

local finished, problem, _, thread = loop:loop()
if not finished then
  io.stderr:write(thread and debug.traceback(thread, tostring(problem)) or tostring(problem), "\n")
  os.exit(1)
end
