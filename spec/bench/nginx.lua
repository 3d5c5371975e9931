--- An nginx of our own on a free port, for benchmarks.

local nginx = {}

local function write(path, text)
  local file = assert(io.open(path, "w"))
  file:write(text)
  file:close()
end

-- A port that nobody listens on; whoever takes it first until we do makes nginx fail loudly.
local function free_port()
  local socket = require("socket").bind("127.0.0.1", 0)
  local _, port = socket:getsockname()
  socket:close()
  return port
end

--- Starts nginx with `locations` in a server block.
---@param locations string
---@param directives string?  for the main block
---@return { origin: string, stop: fun() }
function nginx.start(locations, directives)
  local handle = io.popen("mktemp -d")
  local directory = handle:read("*l")
  handle:close()
  local port = free_port()
  write(directory .. "/nginx.conf", ([[
    daemon on; worker_processes 1; %s pid %s/pid; error_log %s/error.log warn;
    events { worker_connections 4096; }
    http {
      access_log off; keepalive_requests 1000000000; keepalive_timeout 600s;
      client_body_temp_path %s/body; proxy_temp_path %s/proxy; fastcgi_temp_path %s/fastcgi;
      uwsgi_temp_path %s/uwsgi; scgi_temp_path %s/scgi;
      server { listen 127.0.0.1:%d; %s }
    }
  ]]):format(directives or "", directory, directory, directory, directory, directory, directory, directory, port, locations))
  local command = ("PATH=$PATH:/usr/sbin nginx -p %s -c %s/nginx.conf -e %s/error.log"):format(directory, directory,
    directory)
  assert(os.execute(command), "nginx did not start")
  return {
    origin = ("http://127.0.0.1:%d"):format(port),
    stop = function()
      os.execute(command .. " -s stop")
      os.execute("rm -rf " .. directory)
    end,
  }
end

return nginx
