--- A local emulator of the Azure Web PubSub data plane, to develop and test against.
--
-- It serves the 25 REST operations and WebSocket clients, raw or JSON, with the service's status codes, error shapes
-- and token checks, and delivers events to an event handler. All state is in memory and gone when it stops.
-- README.md is its guide, with what it leaves out.

require "webpubsub.emulator.path"

local cqueues = require "cqueues"
local signal = require "cqueues.signal"

local auth = require "webpubsub.emulator.auth"
local journal = require "webpubsub.emulator.journal"
local log = require "webpubsub.emulator.log"
local origins = require "webpubsub.emulator.origins"
local server = require "webpubsub.emulator.server"
local tls = require "webpubsub.emulator.tls"

local emulator = { DEFAULT_KEY = auth.DEFAULT_KEY }

local DEFAULT_HOST, DEFAULT_PORT = "127.0.0.1", 8080
local DEFAULT_KEEP_SECONDS = 60
local EXIT_SUCCESS, EXIT_FAILURE = 0, 1

local function write_to_stderr(line)
  io.stderr:write(line, "\n")
end

local function write_to_stdout(line)
  io.stdout:write(line, "\n")
  io.stdout:flush()
end

local function write_file(path, text)
  local file, why = io.open(path, "w")
  if not file then
    return nil, why
  end
  file:write(text)
  return file:close()
end

-- Returns the context to serve with, nil for plain http; or false and a message.
local function tls_context(options)
  if not options.tls then
    return nil
  end
  local context, certificate = tls.new()
  if options.tls_cert_out then
    local written, why = write_file(options.tls_cert_out, certificate)
    if not written then
      return false, "cannot write the certificate: " .. why
    end
  end
  return context
end

-- What to type next. A key that is not the public one is not shown.
local function announce(serving, key, host, write)
  local is_default = key == auth.DEFAULT_KEY
  write(("export WebPubSubConnectionString='Endpoint=%s;AccessKey=%s;Version=1.0;'%s"):format(serving.endpoint,
    is_default and key or "KEY", is_default and "" or "   # KEY: what --key was given"))
  write("webpubsub url --hub chat --user alice   # a URL for a WebSocket client")
  write(("# live view in a browser: %s/"):format(serving.endpoint))
  if is_default and not origins.is_loopback(host) then
    write(("warning: everybody knows the default access key, and %s is not this machine only: "
      .. "give it a --key of your own"):format(host))
  end
  write("listening on " .. serving.endpoint .. (serving.is_open and ", on every address of this machine" or ""))
end

-- Reads standard input until it ends, which is when the process at its other end is gone.
local function wait_for_end_of_input()
  io.stdin:setvbuf("no")
  repeat
    cqueues.poll { pollfd = 0, events = "r" }
  until not io.stdin:read(1)
end

local function serve_until_stopped(serving, options)
  local stopping = false
  signal.block(signal.SIGINT, signal.SIGTERM)
  serving.controller:wrap(function()
    signal.listen(signal.SIGINT, signal.SIGTERM):wait()
    stopping = true
  end)
  local input_watch
  if options.exit_on_eof then
    input_watch = coroutine.create(function()
      wait_for_end_of_input()
      stopping = true
    end)
    serving.controller:attach(input_watch)
  end
  while not stopping do
    local ok, message, failed = serving:step()
    if failed ~= nil and failed == input_watch then
      -- A file or /dev/null cannot be polled, and has no process at its other end.
      stopping = true
    elseif not ok then
      serving.journal:note("a coroutine failed: " .. tostring(message))
    end
  end
end

---@class EmulatorOptions
---@field listen string? address to listen on, default 127.0.0.1
---@field port integer? default 8080, 0 for any free one
---@field key string? access key, default the public constant auth.DEFAULT_KEY
---@field tls boolean? serve https and wss with a self-signed certificate
---@field tls_cert_out string? file to write that certificate to, as PEM
---@field allow_origin string[]? web sites that may use it besides those on this machine
---@field keep_seconds number? how long a reliable client whose connection was cut can recover, default 60
---@field event_handler string? URL to deliver events to; `{hub}` stands for the hub
---@field event_handler_events string[]? which ones, default: connect, connected, disconnected and `*`, all user events
---@field open_page boolean? serve the page to other machines too
---@field log (fun(line: string))? where log lines go, default standard error
---@field quiet boolean? do not log what clients and callers do
---@field exit_on_eof boolean? also stop when standard input ends

--- Runs the emulator until SIGINT or SIGTERM. It says on standard output what to type next, then where it listens.
---@param options EmulatorOptions?
---@return integer status for os.exit(): 0 after an orderly end, 1 when it could not start
function emulator.run(options)
  options = options or {}
  local write = options.log or write_to_stderr
  local recorded = journal.new()
  log.follow(recorded, write, options.quiet)
  local key = options.key or auth.DEFAULT_KEY
  signal.ignore(signal.SIGPIPE)
  local context, why = tls_context(options)
  local serving
  if context ~= false then
    serving, why = server.listen {
      host = options.listen or DEFAULT_HOST,
      port = options.port or DEFAULT_PORT,
      key = key,
      tls_context = context,
      allow_origins = options.allow_origin,
      keep_seconds = options.keep_seconds or DEFAULT_KEEP_SECONDS,
      event_handler = options.event_handler,
      event_handler_events = options.event_handler_events,
      open_page = options.open_page,
      journal = recorded,
    }
  end
  if not serving then
    write("emulator: " .. why)
    return EXIT_FAILURE
  end
  announce(serving, key, options.listen or DEFAULT_HOST, write_to_stdout)
  serve_until_stopped(serving, options)
  serving:stop()
  return EXIT_SUCCESS
end

return emulator
