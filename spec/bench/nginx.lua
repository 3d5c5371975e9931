--- An nginx of our own on a free port, for benchmarks.

local nginx = {}

local function write(path, text)
  local file = assert(io.open(path, "w"))
  file:write(text)
  file:close()
end

-- The first line that a command prints.
local function output(command)
  local handle = io.popen(command)
  local line = handle:read("*l")
  handle:close()
  return line
end

--- A port that nobody listens on; whoever takes it first until we do makes nginx fail loudly.
function nginx.free_port()
  local socket = require("socket").bind("127.0.0.1", 0)
  local _, port = socket:getsockname()
  socket:close()
  return port
end

local configuration = [[
  daemon on; user root; worker_processes 1; worker_rlimit_nofile 20000; $main
  pid $directory/pid; error_log $directory/error.log warn;
  events { worker_connections 12000; }
  http {
    $http
    access_log off; keepalive_requests 1000000000; keepalive_timeout 600s;
    client_body_temp_path $directory/body; proxy_temp_path $directory/proxy; fastcgi_temp_path $directory/fastcgi;
    uwsgi_temp_path $directory/uwsgi; scgi_temp_path $directory/scgi;
    server { listen 127.0.0.1:$port; $locations }
  }
]]

--- Starts nginx with `locations` in a server block.
---@param locations string
---@param main string?  directives of the main block
---@param http string?  directives of the http block
---@return { origin: string, port: integer, stop: fun(), worker: fun(): string }
function nginx.start(locations, main, http)
  local directory = output("mktemp -d")
  local port = nginx.free_port()
  local settings = {
    main = main or "", http = http or "", directory = directory, port = port, locations = locations,
  }
  write(directory .. "/nginx.conf", (configuration:gsub("$(%w+)", settings)))
  local command = ("PATH=$PATH:/usr/sbin nginx -p %s -c %s/nginx.conf -e %s/error.log"):format(directory, directory,
    directory)
  assert(os.execute(command), "nginx did not start")
  return {
    origin = ("http://127.0.0.1:%d"):format(port),
    port = port,
    worker = function() return output("pgrep -P $(cat " .. directory .. "/pid)") end, -- its process
    stop = function()
      os.execute(command .. " -s stop")
      os.execute("rm -rf " .. directory)
    end,
  }
end

return nginx
