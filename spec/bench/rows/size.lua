--- How large the task area is, and how the C files hang together.

local TASK_AREA = { "task.lua", "scheduler.lua", "loops.lua", "timers.lua", "fifo.lua", "defer.lua", "each.lua",
  "host/*.lua", "transport/*.lua" } -- of these, what is there
local LINES_GOAL, ROOMS_GOAL, CIRCLES_GOAL = 1100, 3, 0

local function lines_of(command)
  local list, handle = {}, io.popen(command)
  for line in handle:lines() do list[#list + 1] = line end
  handle:close()
  return list
end

local function read(path)
  local file = assert(io.open(path))
  local text = file:read("a")
  file:close()
  return text
end

local function count_lines()
  local total = 0
  for _, pattern in ipairs(TASK_AREA) do
    for _, path in ipairs(lines_of("ls lua/webpubsub/" .. pattern .. " 2>/dev/null")) do
      total = total + select(2, read(path):gsub("\n", ""))
    end
  end
  return total
end

-- [part] = the set of parts that it includes; a part is a C file and its header.
local function inclusions()
  local parts = {}
  for _, path in ipairs(lines_of("ls csrc/*/*.[ch]")) do
    local part = path:match("^csrc/(.*)%.[ch]$")
    parts[part] = parts[part] or {}
    for included in read(path):gmatch('#include "([^"]+)%.h"') do
      if included ~= part then parts[part][included] = true end
    end
  end
  return parts
end

-- Circles of parts, by Tarjan: each is a set in which every part reaches every other.
local function count_circles(parts)
  local stack, on_stack, order, lowest, visited, circles = {}, {}, {}, {}, 0, 0
  local function visit(part)
    visited = visited + 1
    order[part], lowest[part] = visited, visited
    stack[#stack + 1], on_stack[part] = part, true
    for other in pairs(parts[part] or {}) do
      if not order[other] then
        visit(other)
        lowest[part] = math.min(lowest[part], lowest[other])
      elseif on_stack[other] then
        lowest[part] = math.min(lowest[part], order[other])
      end
    end
    if lowest[part] ~= order[part] then return end
    local size = 0
    repeat
      local last = table.remove(stack)
      on_stack[last] = nil
      size = size + 1
    until last == part
    if size > 1 then circles = circles + 1 end
  end
  for part in pairs(parts) do
    if not order[part] then visit(part) end
  end
  return circles
end

return function(_, report)
  report:title("Size")
  report:add { what = "lines of Lua for tasks: task, hosts, defer, each, transports", goal = LINES_GOAL, at = "most",
    form = "%d", figure = count_lines() }
  local rooms = #lines_of("ls -d csrc/*/")
  report:add { what = "rooms of csrc", goal = ROOMS_GOAL, at = "most", form = "%d", figure = rooms }
  report:add { what = "circles of files in csrc", goal = CIRCLES_GOAL, at = "most", form = "%d",
    figure = count_circles(inclusions()) }
end
