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

-- All lines, and those that are neither empty nor comments.
local function count_lines()
  local total, of_code = 0, 0
  for _, pattern in ipairs(TASK_AREA) do
    for _, path in ipairs(lines_of("ls lua/webpubsub/" .. pattern .. " 2>/dev/null")) do
      for line in read(path):gmatch("[^\n]*\n") do
        total = total + 1
        if not line:find("^%s*$") and not line:find("^%s*%-%-") then of_code = of_code + 1 end
      end
    end
  end
  return total, of_code
end

-- As make lint finds them, in the symbols of object files that it compiles for that.
local function count_circles()
  return #lines_of("for file in csrc/*/*.c; do make -s compile-strictly FILE=$file; done && "
    .. "lua5.4 .ci/c_circles.lua build/lint")
end

return function(_, report)
  report:title("Size")
  local total, of_code = count_lines()
  report:add { what = "lines of Lua for tasks: task, hosts, defer, each, transports", goal = LINES_GOAL, at = "most",
    form = "%d", figure = total, note = ("%d without empty lines and comments"):format(of_code) }
  local rooms = #lines_of("ls -d csrc/*/")
  report:add { what = "rooms of csrc", goal = ROOMS_GOAL, at = "most", form = "%d", figure = rooms }
  report:add { what = "circles of files in csrc", goal = CIRCLES_GOAL, at = "most", form = "%d",
    figure = count_circles() }
end
