--- Runs a command to its end and returns what it did: for exit codes, environments and whatever must not happen
--- inside the process that runs the specs.

local socket = require("socket")
local shell = require("spec.support.shell")

local DEFAULT_TIMEOUT_SECONDS = 10
local KILL_AFTER_SECONDS = 1 -- between the polite signal and the one that cannot be refused

local process = {}

local function write_file(path, bytes)
  local file = assert(io.open(path, "wb"))
  assert(file:write(bytes))
  assert(file:close())
end

local function read_file(path)
  local file = assert(io.open(path, "rb"))
  local bytes = file:read("*a")
  file:close()
  return bytes
end

local function environment_words(env)
  local unset, set = {}, {}
  for name, value in pairs(env) do
    if value == false then
      unset[#unset + 1] = "-u"
      unset[#unset + 1] = name
    else
      set[#set + 1] = name .. "=" .. tostring(value)
    end
  end
  for _, word in ipairs(set) do unset[#unset + 1] = word end
  return unset
end

local function command_line(argv, options, timeout, paths)
  local words = { "timeout", "-k", KILL_AFTER_SECONDS, timeout, "env" }
  for _, word in ipairs(environment_words(options.env or {})) do words[#words + 1] = word end
  for _, word in ipairs(argv) do words[#words + 1] = word end
  local change_directory = options.directory and "cd " .. shell.quote(options.directory) .. " && " or ""
  -- The exit status goes through a file: Lua 5.1 cannot get it out of io.popen, and os.execute reports it differently
  -- in every version.
  return ("{ %s%s; } <%s >%s 2>%s; echo $? >%s"):format(change_directory, shell.join(words), paths.stdin,
    paths.stdout, paths.stderr, paths.status)
end

---@class process.Result
---@field code integer exit status; 128 + n when signal n ended it
---@field stdout string
---@field stderr string

---@class process.Options
---@field env? table<string, string|number|false> added to the inherited environment; false removes a variable
---@field stdin? string what the command reads; empty by default
---@field timeout? number seconds (default 10); running longer raises an error with the output so far
---@field directory? string where it runs (default: here)

--- Runs `argv` and waits for it.
---@param argv string[] the command and its arguments, taken literally
---@param options? process.Options
---@return process.Result
function process.run(argv, options)
  options = options or {}
  local timeout = options.timeout or DEFAULT_TIMEOUT_SECONDS
  local paths = { stdin = os.tmpname(), stdout = os.tmpname(), stderr = os.tmpname(), status = os.tmpname() }
  write_file(paths.stdin, options.stdin or "")

  local started = socket.gettime()
  os.execute(command_line(argv, options, timeout, paths))
  local elapsed = socket.gettime() - started

  local result = {
    code = tonumber(read_file(paths.status)),
    stdout = read_file(paths.stdout),
    stderr = read_file(paths.stderr),
  }
  for _, path in pairs(paths) do os.remove(path) end
  if elapsed >= timeout then
    error(("%s did not end within %g s\nstdout: %s\nstderr: %s"):format(shell.join(argv), timeout, result.stdout,
      result.stderr), 2)
  end
  return result
end

--- The interpreter that runs this code.
---@return string
function process.interpreter()
  local lowest = 0
  while arg[lowest - 1] do lowest = lowest - 1 end
  return arg[lowest]
end

--- Runs Lua source in a new process of the same interpreter, with the same module search paths.
---@param source string
---@param options? process.Options|{ arguments?: string[] } `arguments` become `...`
---@return process.Result
function process.run_lua(source, options)
  options = options or {}
  local env = { LUA_PATH = package.path, LUA_CPATH = package.cpath }
  for name, value in pairs(options.env or {}) do env[name] = value end

  local script = os.tmpname()
  write_file(script, source)
  local argv = { process.interpreter(), script }
  for _, argument in ipairs(options.arguments or {}) do argv[#argv + 1] = argument end
  local ok, result = pcall(process.run, argv,
    { env = env, stdin = options.stdin, timeout = options.timeout, directory = options.directory })
  os.remove(script)
  if not ok then error(result, 0) end
  return result
end

return process
