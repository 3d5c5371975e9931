--- Puts what was measured into README.md, between the markers that are there for it.

local readme = {}

local function output(command)
  local handle = io.popen(command)
  local line = handle:read("l") or ""
  handle:close()
  return line
end

local function first_match(path, pattern)
  local file = io.open(path)
  local text = file and file:read("a") or ""
  if file then file:close() end
  return text:match(pattern) or "?"
end

--- The processor's name.
function readme.processor()
  return first_match("/proc/cpuinfo", "model name%s*:%s*([^\n]+)")
end

--- When, where and with what, in a line.
function readme.surroundings()
  return ("%s, commit %s. %s, %s processors, %s. %s, %s, %s, %s."):format(os.date("!%Y-%m-%d"),
    output("git rev-parse --short HEAD"), readme.processor(), output("nproc"),
    first_match("/etc/os-release", 'PRETTY_NAME="([^"]+)"'), output("curl-config --version"),
    output("lua5.4 -v | cut -d' ' -f1,2"), output("luajit -v | cut -d' ' -f1,2"),
    output("PATH=$PATH:/usr/sbin nginx -v 2>&1 | sed 's/.*: //'"))
end

--- Replaces what stands between `<!-- name -->` and `<!-- end of name -->`.
---@param path string
---@param name string
---@param text string
function readme.put(path, name, text)
  local file = assert(io.open(path))
  local whole = file:read("a")
  file:close()
  local first, last = ("<!-- %s -->"):format(name), ("<!-- end of %s -->"):format(name)
  local _, from = whole:find(first, 1, true)
  local to = whole:find(last, 1, true)
  assert(from and to, path .. " has no place for " .. name)
  file = assert(io.open(path, "w"))
  file:write(whole:sub(1, from), "\n", text, "\n", whole:sub(to))
  file:close()
end

return readme
