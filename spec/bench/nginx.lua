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

local configuration = [[
  daemon on; worker_processes 1; pid $directory/pid; error_log $directory/error.log warn; $main
  events { worker_connections 4096; }
  http {
    access_log off; keepalive_requests 1000000000; keepalive_timeout 600s;
    client_body_temp_path $directory/body; proxy_temp_path $directory/proxy; fastcgi_temp_path $directory/fastcgi;
    uwsgi_temp_path $directory/uwsgi; scgi_temp_path $directory/scgi;
    $blocks
    server { listen 127.0.0.1:$port; $locations }
  }
]]

--- Starts nginx with `locations` in a server block.
---@param locations string
---@param directives string?  for the main block
---@param blocks string?  beside the server block
---@return { origin: string, stop: fun() }
function nginx.start(locations, directives, blocks)
  local handle = io.popen("mktemp -d")
  local directory = handle:read("*l")
  handle:close()
  local port = free_port()
  local settings = {
    main = directives or "", blocks = blocks or "", directory = directory, port = port, locations = locations,
  }
  write(directory .. "/nginx.conf", (configuration:gsub("$(%w+)", settings)))
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
