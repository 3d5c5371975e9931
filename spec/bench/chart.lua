--- A line chart as SVG: a logarithmic axis below, a linear one at the left, the lines' names at their right ends.

local chart = {}

local WIDTH, HEIGHT = 900, 520
local LEFT, RIGHT, TOP, BOTTOM = 76, 206, 84, 64
local LABEL_HEIGHT = 18
local STEPS = { 1, 2, 2.5, 5, 10 } -- between lines of the grid, times a power of ten
local MOST_LINES = 8
local AXIS = "#8a95a3"

local HEAD = [[
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" role="img" aria-label="%s"
 font-family="system-ui, -apple-system, 'Segoe UI', 'DejaVu Sans', sans-serif">
<rect width="%d" height="%d" fill="#ffffff"/>
<text x="24" y="34" font-size="19" font-weight="600" fill="#1c2430">%s</text>
<text x="24" y="57" font-size="13" fill="#5a6675">%s</text>]]

local ESCAPES = { ["&"] = "&amp;", ["<"] = "&lt;", [">"] = "&gt;" }

local function escape(text)
  return (text:gsub("[&<>]", ESCAPES))
end

--- 12345 as 12,345.
function chart.thousands(number)
  local text = ("%.0f"):format(number)
  return (text:reverse():gsub("(%d%d%d)", "%1,"):reverse():gsub("^,", ""))
end

-- The step between lines of the grid, and the highest of them.
local function scale(highest)
  local power = 10 ^ math.floor(math.log(highest / MOST_LINES, 10))
  for _, factor in ipairs(STEPS) do
    local step = factor * power
    if highest / step <= MOST_LINES then return step, math.ceil(highest / step) * step end
  end
end

-- Moves labels apart, from the top down and then from the bottom up, so that each has its own height.
local function spread(labels, lowest)
  table.sort(labels, function(one, other) return one.y < other.y end)
  for index = 2, #labels do labels[index].y = math.max(labels[index].y, labels[index - 1].y + LABEL_HEIGHT) end
  local limit = lowest
  for index = #labels, 1, -1 do
    labels[index].y = math.min(labels[index].y, limit)
    limit = labels[index].y - LABEL_HEIGHT
  end
end

--- Draws it.
---@param options { title: string, subtitle: string, below: string, ticks: number[], lines: table[] }  a line has
---  `name`, `colour`, `width`, maybe `dashes`, and `points`, a list of { x, y }
---@return string
function chart.draw(options)
  local plot_width, plot_height = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM
  local first, last, highest = options.ticks[1], options.ticks[#options.ticks], 0
  for _, line in ipairs(options.lines) do
    for _, point in ipairs(line.points) do highest = math.max(highest, point[2]) end
  end
  local step, top = scale(highest)
  local function x_of(value) return LEFT + plot_width * math.log(value / first) / math.log(last / first) end
  local function y_of(value) return TOP + plot_height * (1 - value / top) end

  local title = escape(options.title)
  local out = { HEAD:format(WIDTH, HEIGHT, title, WIDTH, HEIGHT, title, escape(options.subtitle)) }
  local function add(form, ...) out[#out + 1] = form:format(...) end

  for value = 0, top, step do
    local colour = value == 0 and AXIS or "#e4e8ed"
    add('<path d="M%d %.1f H%d" stroke="%s"/>', LEFT, y_of(value), WIDTH - RIGHT, colour)
    add('<text x="%d" y="%.1f" font-size="12" fill="#5a6675" text-anchor="end">%s</text>', LEFT - 9, y_of(value) + 4,
      chart.thousands(value))
  end
  for _, tick in ipairs(options.ticks) do
    add('<path d="M%.1f %d v5" stroke="%s"/>', x_of(tick), TOP + plot_height, AXIS)
    add('<text x="%.1f" y="%d" font-size="12" fill="#5a6675" text-anchor="middle">%s</text>', x_of(tick),
      TOP + plot_height + 20, chart.thousands(tick))
  end
  add('<text x="%.1f" y="%d" font-size="13" fill="#1c2430" text-anchor="middle">%s</text>', LEFT + plot_width / 2,
    HEIGHT - 16, escape(options.below))

  local labels = {}
  for _, line in ipairs(options.lines) do
    local points, marks = {}, {}
    for index, point in ipairs(line.points) do
      points[index] = ("%.1f,%.1f"):format(x_of(point[1]), y_of(point[2]))
      marks[index] = ('<circle cx="%.1f" cy="%.1f" r="%.1f"/>'):format(x_of(point[1]), y_of(point[2]), line.width + 0.6)
    end
    add('<polyline points="%s" fill="none" stroke="%s" stroke-width="%g" stroke-linejoin="round"%s/>',
      table.concat(points, " "), line.colour, line.width,
      line.dashes and (' stroke-dasharray="%s"'):format(line.dashes) or "")
    add('<g fill="%s">%s</g>', line.colour, table.concat(marks))
    local final = line.points[#line.points]
    labels[#labels + 1] = { line = line, x = x_of(final[1]), y = y_of(final[2]), from = y_of(final[2]) }
  end
  spread(labels, TOP + plot_height)
  for _, label in ipairs(labels) do
    local x = WIDTH - RIGHT + 14
    add('<path d="M%.1f %.1f L%.1f %.1f" fill="none" stroke="%s" stroke-width="0.8" opacity="0.6"/>', label.x + 5,
      label.from, x - 4, label.y, label.line.colour)
    add('<text x="%.1f" y="%.1f" font-size="13"%s fill="%s">%s</text>', x, label.y + 4.5,
      label.line.width > 2 and ' font-weight="600"' or "", label.line.colour, escape(label.line.name))
  end
  add("</svg>\n")
  return table.concat(out, "\n")
end

return chart
