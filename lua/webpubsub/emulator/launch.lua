--- Starts the emulator as a child process, for tests, demos and benchmarks. Runs on every Lua from 5.1 on; the child
-- is always lua5.4.

local DEFAULT_KEY = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789ABCDEFGH"
local START_SECONDS = 15
local POLL_SECONDS = 0.05

local main_path = debug.getinfo(1, "S").source:match("^@(.*)launch%.lua$") .. "main.lua"

local function quote(text)
  return "'" .. text:gsub("'", "'\\''") .. "'"
end

local function read_file(path)
  local file = io.open(path)
  if not file then
    return ""
  end
  local text = file:read("*a")
  file:close()
  return text
end

-- The inner shell becomes the emulator, so the number it logs is the emulator's; the outer one logs its end, also when
-- a signal reaches all of them. The emulator blocks and reads these signals, so it hears them all the same.
-- Paths and settings of the parent's Lua are not the child's: it may be another version.
local function command_line(options, files)
  local arguments = {
    quote(main_path), "--exit-on-eof",
    "--port", ("%d"):format(options.port or 0),
    options.listen and "--listen " .. quote(options.listen) or "",
    options.key and "--key " .. quote(options.key) or "",
    options.tls and "--tls --tls-cert-out " .. quote(files.certificate) or "",
    options.keep_seconds and ("--keep-seconds %g"):format(options.keep_seconds) or "",
    options.open_page and "--open-page" or "",
    options.quiet and "--quiet" or "",
  }
  if options.event_handler then
    arguments[#arguments + 1] = "--event-handler " .. quote(options.event_handler)
  end
  if options.event_handler_events then
    arguments[#arguments + 1] = "--event-handler-events " .. quote(table.concat(options.event_handler_events, ","))
  end
  for _, origin in ipairs(options.allow_origin or {}) do
    arguments[#arguments + 1] = "--allow-origin " .. quote(origin)
  end
  local inner = "echo pid $$; exec lua5.4 " .. table.concat(arguments, " ")
  return ([[trap "" INT TERM; unset LUA_PATH LUA_CPATH LUA_INIT
    { sh -c %s; echo "ended with status $?"; } >%s 2>&1]]):format(quote(inner), quote(files.log))
end

-- os.execute() would not do: while it runs, the parent loses every SIGINT, also one it has blocked for later.
local function run(command)
  io.popen(command, "r"):close()
end

-- Returns the endpoint, or nil and how it failed.
local function wait_until_listening(log_path)
  for _ = 1, START_SECONDS / POLL_SECONDS do
    local output = read_file(log_path)
    local endpoint = output:match("\nlistening on ([^%s,]+)[^\n]*\n")
    if endpoint then
      return endpoint
    elseif output:find("\nended with status") then
      return nil, "the emulator did not start"
    end
    run(("sleep %.2f"):format(POLL_SECONDS))
  end
  return nil, ("the emulator did not start within %d s"):format(START_SECONDS)
end

---@class EmulatorProcess
---@field endpoint string `http://127.0.0.1:PORT`, or https
---@field port integer
---@field key string
---@field connection_string string
---@field log_path string what it wrote so far; gone after stop()
---@field ca_file string|nil with tls: the certificate to trust, as PEM
---@field stop fun() ends it, waits until it has ended and removes its files; harmless when called again

---@class EmulatorLaunchOptions
---@field listen string? address, default 127.0.0.1
---@field port integer? default 0: any free one
---@field key string? default the public constant
---@field tls boolean?
---@field quiet boolean?
---@field keep_seconds number? how long a reliable client whose connection was cut can recover
---@field event_handler string? URL to deliver events to
---@field event_handler_events string[]? which ones
---@field open_page boolean? serve the page to other machines too
---@field allow_origin string[]? web sites that may use it besides those on this machine

--- Starts an emulator and waits until it listens, at most 15 seconds. It also ends when this process does.
---@param options EmulatorLaunchOptions?
---@return EmulatorProcess process raises the child's output when it does not start
local function launch(options)
  options = options or {}
  local files = { log = os.tmpname(), certificate = options.tls and os.tmpname() or nil }
  local child = assert(io.popen(command_line(options, files), "w"))

  -- A signal ends it even if another process has inherited its standard input and keeps that open.
  local function stop()
    if not child then
      return
    end
    local output = read_file(files.log)
    local pid = output:match("^pid (%d+)\n")
    if pid and not output:find("\nended with status") then
      run(("kill %s 2>&1"):format(pid))
    end
    child:close()
    child = nil
    for _, path in pairs(files) do
      os.remove(path)
    end
  end

  local endpoint, why = wait_until_listening(files.log)
  if not endpoint then
    local output = read_file(files.log)
    stop()
    error(why .. "; its output:\n" .. output, 0)
  end
  local key = options.key or DEFAULT_KEY
  return {
    endpoint = endpoint,
    port = tonumber(endpoint:match(":(%d+)$")),
    key = key,
    connection_string = ("Endpoint=%s;AccessKey=%s;Version=1.0;"):format(endpoint, key),
    log_path = files.log,
    ca_file = files.certificate,
    stop = stop,
  }
end

return launch
