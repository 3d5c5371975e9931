-- picture.lua ROUNDS SECONDS README SVG: calls per second over 1 to 10,000 in flight, as a picture, and as a table into
-- the README. Every call in flight has its connection; 1 is calls one after another, without tasks.

local chart = require "spec.bench.chart"
local flights = require "spec.bench.flights"
local harness = require "spec.bench.harness"
local median = require "spec.bench.median"
local readme = require "spec.bench.readme"

local COUNTS = { 1, 3, 10, 30, 100, 300, 1000, 3000, 10000 }
local TICKS = { 1, 10, 100, 1000, 10000 }
local OURS = "webpubsub, "
local LOOKS = {
  ["5.4"] = { name = OURS .. "Lua 5.4", colour = "#0b6bcb", width = 3 },
  LuaJIT = { name = OURS .. "LuaJIT", colour = "#0a8f6a", width = 3 },
  raw = { name = "C, libcurl", colour = "#444c56", width = 1.6, dashes = "6 4" },
  ["lua-http, 5.4"] = { name = "lua-http, Lua 5.4", colour = "#d9730d", width = 1.6 },
  ["lua-http, LuaJIT"] = { name = "lua-http, LuaJIT", colour = "#e0a200", width = 1.6 },
  ["vendor's JavaScript SDK"] = { name = "vendor's JavaScript SDK", colour = "#9b4dca", width = 1.6 },
}

local rounds, seconds, readme_path, picture_path = tonumber(arg[1]), tonumber(arg[2]), arg[3], arg[4]

local function commands_for(bench, count)
  local commands = flights(bench, bench.plain, count, true)
  if count > 1 then return commands end
  for _, entry in ipairs(commands) do
    if entry.name == "raw" then entry.command = harness.raw("raw_calls", bench.plain.origin, "-", bench.limit) end
  end
  for index, lua in ipairs(harness.LUAS) do
    commands[index + 1].command = harness.ours(lua, "calls", bench.limit, bench.plain.origin, "-")
  end
  return commands
end

-- The lines in the order in which they were first measured; [name] = the line.
local function measure(bench)
  local lines, by_name = {}, {}
  for _, count in ipairs(COUNTS) do
    local commands = commands_for(bench, count)
    local values = bench:compare(commands)
    local shown = { ("%d in flight:"):format(count) }
    for _, entry in ipairs(commands) do
      local rate, look = median(values[entry.name]), LOOKS[entry.name]
      if look and not by_name[entry.name] then
        local line = { name = look.name, colour = look.colour, width = look.width, dashes = look.dashes, points = {} }
        lines[#lines + 1], by_name[entry.name] = line, line
      end
      if look then table.insert(by_name[entry.name].points, { count, rate }) end
      shown[#shown + 1] = ("%s %.0f"):format(entry.name, rate)
    end
    print(table.concat(shown, "  "))
  end
  return lines
end

local function table_of(lines)
  local head, rule = { "| in flight" }, { "|---" }
  for _, line in ipairs(lines) do head[#head + 1], rule[#rule + 1] = "| " .. line.name, "|---:" end
  local rows = { table.concat(head, " ") .. " |", table.concat(rule) .. "|" }
  for index, count in ipairs(COUNTS) do
    local cells = { "| " .. chart.thousands(count) }
    for _, line in ipairs(lines) do
      local point = line.points[index]
      cells[#cells + 1] = "| " .. (point and chart.thousands(point[2]) or "–")
    end
    rows[#rows + 1] = table.concat(cells, " ") .. " |"
  end
  return table.concat(rows, "\n")
end

local function draw(lines)
  table.sort(lines, function(one, other) return one.width < other.width end) -- ours on top
  local file = assert(io.open(picture_path, "w"))
  file:write(chart.draw {
    title = "Calls per second", ticks = TICKS, lines = lines, below = "calls in flight",
    subtitle = ("Client and server (nginx, http, 204) share one core; medians of %d. %s, %s."):format(rounds,
      os.date("!%Y-%m-%d"), readme.processor()),
  })
  file:close()
end

local bench = harness.new(rounds, seconds)
local ok, result = xpcall(measure, debug.traceback, bench)
bench:stop()
if not ok then error(result, 0) end
readme.put(readme_path, "picture", readme.surroundings() .. "\n\n" .. table_of(result))
draw(result)
