--- Instructions in user space by valgrind's callgrind. A program is run twice, with more calls the second time; what
--- comes on top, divided by the calls that come on top, is one call's, without start and end.

local harness = require "spec.bench.harness"

local VALGRIND = "valgrind --quiet --tool=callgrind --separate-threads=yes --trace-children=yes" -- env is the parent

local callgrind = {}

-- Thread by thread, the first is the program's; the file without a number is of no thread.
local function totals(folder)
  local threads = {}
  local list = io.popen("ls " .. folder)
  for name in list:lines() do
    local number = tonumber(name:match("%-(%d+)$"))
    local file = io.open(folder .. "/" .. name)
    local total = tonumber(file:read("a"):match("\ntotals: (%d+)"))
    file:close()
    if number then threads[number] = total end
  end
  list:close()
  return threads
end

local function count(command)
  local folder = io.popen("mktemp -d"):read("l")
  harness.numbers(("%s --callgrind-out-file=%s/out %s"):format(VALGRIND, folder, command))
  local threads = totals(folder)
  os.execute("rm -r " .. folder)
  return threads
end

--- Instructions of one call in the program's thread, and in all threads together.
---@param make_command fun(calls: integer): string
---@param few integer  calls, enough for whatever settles down
---@param many integer
---@return number first, number all
function callgrind.per_call(make_command, few, many)
  local less, more = count(make_command(few)), count(make_command(many))
  local all = 0
  for number, total in pairs(more) do all = all + total - (less[number] or 0) end
  return (more[1] - less[1]) / (many - few), all / (many - few)
end

return callgrind
