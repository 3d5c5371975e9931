--- A real nginx with Debian's Lua module, which runs the library under test, on a free port.

local assert = require("luassert")
local companion = require("spec.support.companion")
local socket = require("socket")
local wait = require("spec.support.wait")

local START_TIMEOUT_SECONDS, ANSWER_TIMEOUT_SECONDS, EXIT_TIMEOUT_SECONDS = 10, 20, 20

-- The shell ends nginx when its own standard input ends, and cleans up; signals of the terminal do not reach it first.
local SCRIPT = [[
trap '' HUP INT
directory=$1
PATH=$PATH:/usr/sbin
if nginx -p "$directory" -c "$directory/nginx.conf" -e "$directory/error.log"; then
  echo "ready $directory"
  cat
  kill -TERM "$(cat "$directory/pid")" 2>/dev/null
else
  cat "$directory/error.log"
fi
rm -rf "$directory"
]]

-- What keeps an nginx within its directory, and has it find the library.
local MAIN = "user root; worker_processes 1; pid $directory/pid; error_log $directory/error.log notice;"
local HTTP = [[
    client_body_temp_path $directory/body; proxy_temp_path $directory/proxy; fastcgi_temp_path $directory/fastcgi;
    uwsgi_temp_path $directory/uwsgi; scgi_temp_path $directory/scgi;
    lua_package_path "$package_path"; lua_package_cpath "$package_cpath";
]]

local CONFIGURATION = [[
  load_module /usr/lib/nginx/modules/ndk_http_module.so;
  load_module /usr/lib/nginx/modules/ngx_http_lua_module.so;
  ]] .. MAIN .. [[
  $main
  events { worker_connections 1024; }
  http {
    access_log off;
    ]] .. HTTP .. [[
    $http
    server {
      listen 127.0.0.1:$port;
      location = /run { client_body_buffer_size 64k; content_by_lua_block { require("spec.nginx.run")() } }
      $server
    }
  }
]]

local nginx = {}

--- Expects each of the pieces in a text, as they stand.
---@param text string
---@param ... string
function nginx.contains(text, ...)
  for _, piece in ipairs({ ... }) do assert.is_truthy(text:find(piece, 1, true), piece .. " is not in: " .. text) end
end

--- Code to run that makes a client of a server, or finds it where the worker has one of that name, and goes on.
---@param origin string
---@param name string  keeps its connections from those of others
---@param options string  more fields of the options
---@param code string
function nginx.with_client(origin, name, options, code)
  return ("local client = client(%q, { endpoint = %q, %s }) %s"):format(name, origin, options, code)
end

local Nginx = {}
Nginx.__index = Nginx

local function read(path)
  local file = assert(io.open(path, "rb"))
  local text = file:read("*a")
  file:close()
  return text
end

local function write(path, text)
  local file = assert(io.open(path, "wb"))
  file:write(text)
  file:close()
end

local function make_directory()
  local pipe = io.popen("mktemp -d")
  local directory = pipe:read("*l")
  pipe:close()
  return directory
end

--- A port that nobody listens on; whoever takes it first until we do makes nginx fail loudly.
function nginx.free_port()
  local listener = assert(socket.bind("127.0.0.1", 0))
  local _, port = listener:getsockname()
  listener:close()
  return port
end

-- Starts an nginx with that configuration and waits until it listens; `values` stand for their "$name", and may stand
-- for their "$(name)" within one another.
local function start(configuration, values)
  local directory, port = make_directory(), nginx.free_port()
  values.directory, values.port = directory, port
  values.package_path, values.package_cpath = package.path, package.cpath
  local text = configuration:gsub("%$([%l_]+)", values):gsub("%$%(([%l_]+)%)", function(name)
    return tostring(assert(values[name], name))
  end)
  write(directory .. "/nginx.conf", text)
  local child = companion.start({ "sh", "-c", SCRIPT, "sh", directory },
    { ready = "ready ([^\n]+)\n", timeout = START_TIMEOUT_SECONDS })
  return setmetatable({
    child = child, directory = directory, host = "127.0.0.1", port = port,
    pid = read(directory .. "/pid"):match("%d+"), -- nginx removes the file when it exits
  }, Nginx)
end

---@class nginx.Options
---@field main? string directives of the main block
---@field http? string directives of the http block
---@field server? string directives of the server block
---@field set? table<string, string|number> what "$(name)" stands for in them

--- Starts nginx and waits until it listens.
---@param options nginx.Options
function nginx.start(options)
  local values = { main = options.main or "", http = options.http or "", server = options.server or "" }
  for name, value in pairs(options.set or {}) do values[name] = value end
  return start(CONFIGURATION, values)
end

--- Starts nginx with a configuration of its own, but for the port and where its files are.
---@param configuration string
function nginx.start_whole(configuration)
  return start((configuration:gsub("\nevents ", "\n" .. MAIN .. "%0", 1):gsub("\nhttp {\n", "%0" .. HTTP, 1)
    :gsub("listen 127%.0%.0%.1:%d+;", "listen 127.0.0.1:$port;", 1)), {})
end

-- A connection on which a request was sent; `finish` reads the answer.
---@param path string
---@param body? string POSTs it
function Nginx:send(path, body)
  local client = assert(socket.connect(self.host, self.port))
  client:settimeout(ANSWER_TIMEOUT_SECONDS)
  assert(client:send(("%s %s HTTP/1.0\r\nContent-Length: %d\r\n\r\n%s"):format(body and "POST" or "GET", path,
    body and #body or 0, body or "")))
  return client
end

--- The body and status of what was asked for with `send`.
function Nginx.finish(client)
  local response = assert(client:receive("*a"))
  client:close()
  local status, body = response:match("^HTTP/1.1 (%d+).-\r\n\r\n(.*)$")
  return body, tonumber(status)
end

--- GETs a path; returns body and status.
---@param path string
function Nginx:get(path)
  return self.finish(self:send(path))
end

--- Sends a request with headers of one's own; returns status, the block of the answer's headers, and its body.
---@param method string
---@param path string
---@param headers table<string, string|string[]>
---@param body? string
function Nginx:request(method, path, headers, body)
  local lines = { ("%s %s HTTP/1.0"):format(method, path) }
  for name, values in pairs(headers) do
    for _, value in ipairs(type(values) == "table" and values or { values }) do
      lines[#lines + 1] = ("%s: %s"):format(name, value)
    end
  end
  if body then lines[#lines + 1] = "Content-Length: " .. #body end
  local client = assert(socket.connect(self.host, self.port))
  client:settimeout(ANSWER_TIMEOUT_SECONDS)
  client:send(table.concat(lines, "\r\n") .. "\r\n\r\n" .. (body or "")) -- not all of it, where it is refused before
  local response, problem, partial = client:receive("*a")
  client:close()
  local status, block, text = (response or partial or ""):match("^HTTP/1.1 (%d+)[^\n]*\n(.-\r\n)\r\n(.*)$")
  return tonumber(assert(status, problem)), block, text
end

--- Starts Lua code in the content phase of a worker; `finish` returns what it returned, as text.
---@param code string
function Nginx:start_run(code)
  return self:send("/run", code)
end

--- Runs Lua code in the content phase of a worker; returns what it returned, as text.
---@param code string
function Nginx:run(code)
  local text, status = self.finish(self:start_run(code))
  if status ~= 200 then error(("nginx answered %s: %s"):format(status, self:log()), 2) end
  return text
end

--- Everything in the error log so far.
---@return string
function Nginx:log()
  return read(self.directory .. "/error.log")
end

-- What has exited and was not waited for is still listed, as a zombie.
local function is_alive(pid)
  local file = io.open(("/proc/%s/stat"):format(pid), "rb")
  local text = file and file:read("*a")
  if file then file:close() end
  return text ~= nil and not text:find("%) Z ")
end

-- The pids of the worker processes.
function Nginx:workers()
  local pipe = io.popen(("ps -o pid= --ppid %s"):format(self.pid))
  local pids = {}
  for pid in pipe:read("*a"):gmatch("%d+") do pids[#pids + 1] = pid end
  pipe:close()
  return pids
end

-- kill(1) with a signal of nginx's: HUP reloads, QUIT ends when all is done.
function Nginx:signal(name)
  os.execute(("kill -%s %s 2>/dev/null"):format(name, self.pid)) -- it may be gone
end

--- Ends it as an administrator would, letting the workers finish; returns the seconds that took.
function Nginx:quit()
  local started = socket.gettime()
  self:signal("QUIT")
  wait.until_true(function() return not is_alive(self.pid) end, EXIT_TIMEOUT_SECONDS, "nginx to exit")
  return socket.gettime() - started
end

--- Ends it at once; a second time does nothing.
function Nginx:stop()
  self.child:stop()
end

return nginx
