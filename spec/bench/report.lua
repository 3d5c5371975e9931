--- The rows of a run: what is measured, its goal, its figure. A row is printed as soon as it is there.

local Report = {}
Report.__index = Report

local WIDTHS = { 74, 10, 12 }

-- In columns of terminals: of a character of several bytes, only the first counts.
local function pad(text, width)
  local _, continued = text:gsub("[\128-\191]", "")
  return text .. (" "):rep(width - (#text - continued))
end

local report = {}

function report.new()
  return setmetatable({ rows = {}, missed = 0 }, Report)
end

local function verdict_of(row)
  if not row.goal then return "" end
  local reached
  if row.at == "least" then reached = row.figure >= row.goal else reached = row.figure <= row.goal end
  return reached and "reached" or "MISSED"
end

--- Adds a row: `at` is "least" or "most", for the goal; `form` prints figure and goal; `note` says what stands behind
--- the figure. Without a goal it is there to compare.
---@param row { what: string, figure: number, goal: number?, at: string?, form: string?, note: string? }
function Report:add(row)
  local form = row.form or "%.2f"
  local line = {
    what = row.what, figure = form:format(row.figure), verdict = verdict_of(row), note = row.note or "",
    goal = row.goal and (row.at == "least" and "≥ " or "≤ ") .. form:format(row.goal) or "",
  }
  if line.verdict == "MISSED" then self.missed = self.missed + 1 end
  self.rows[#self.rows + 1] = line
  io.write(pad(line.what, WIDTHS[1]), pad(line.goal, WIDTHS[2]), pad(line.figure, WIDTHS[3]), pad(line.verdict, 9),
    line.note, "\n")
  io.flush()
end

--- Says that something is not measured, and why.
function Report:leave_out(what, reason)
  self.rows[#self.rows + 1] = { what = what, goal = "", figure = "–", verdict = "", note = reason }
  print(pad(what, WIDTHS[1]) .. "not measured: " .. reason)
end

function Report:title(text)
  print("\n" .. text)
  self.rows[#self.rows + 1] = { title = text }
end

--- The rows as a table in Markdown.
function Report:markdown()
  local lines = { "| | goal | measured | | |", "|---|---|---|---|---|" }
  for _, row in ipairs(self.rows) do
    if row.title then
      lines[#lines + 1] = ("| **%s** | | | | |"):format(row.title)
    else
      lines[#lines + 1] = ("| %s | %s | %s | %s | %s |"):format(row.what, row.goal, row.figure, row.verdict, row.note)
    end
  end
  return table.concat(lines, "\n")
end

return report
