--- How far a long run has come, on one line of a terminal that is drawn anew and wiped at the end.

local now = require("webpubsub.curl").now
local terminal = require "webpubsub.cli.terminal"

local progress = {}
progress.__index = progress

local REDRAW_SECONDS = 0.1
local BAR_COLUMNS = 30
local WIPE = "\r\27[K"

--- Progress on standard error.
---@param total integer|nil  how many items there are, where that is known
function progress.new(total)
  return setmetatable({
    total = total, columns = terminal.columns(), started = now(), drawn = -math.huge, done = 0, failed = 0,
  }, progress)
end

local function clock(seconds)
  return ("%d:%02d"):format(math.floor(seconds / 60), math.floor(seconds % 60))
end

local function bar(share)
  local filled = math.floor(share * BAR_COLUMNS)
  return "[" .. ("#"):rep(filled) .. ("-"):rep(BAR_COLUMNS - filled) .. "]"
end

function progress:line()
  local elapsed = now() - self.started
  local rate = elapsed > 0 and self.done / elapsed or 0
  local parts = {}
  if self.total and self.total > 0 then
    parts[1] = bar(math.min(self.done / self.total, 1))
    parts[2] = ("%d of %d"):format(self.done, self.total)
  else
    parts[1] = ("%d done"):format(self.done)
  end
  parts[#parts + 1] = ("%.0f/s"):format(rate)
  if self.total and rate > 0 then parts[#parts + 1] = clock(math.max(self.total - self.done, 0) / rate) .. " left" end
  parts[#parts + 1] = ("%d failed"):format(self.failed)
  return table.concat(parts, "  "):sub(1, self.columns - 1)
end

local function draw(self)
  self.drawn = now()
  io.stderr:write(WIPE, self:line())
end

--- Counts one item that is finished.
function progress:add(failed)
  self.done = self.done + 1
  if failed then self.failed = self.failed + 1 end
  if now() - self.drawn >= REDRAW_SECONDS then draw(self) end
end

--- Takes the line away, so that something else can be printed or nothing is left; the next item draws it again.
function progress:wipe()
  io.stderr:write(WIPE)
  self.drawn = -math.huge
end

return progress
