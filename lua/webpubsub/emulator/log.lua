--- The journal's entries as lines of text: `12:31:07 close user alice: 2 closed, 1 excluded · 0.3 ms`.

local log = {}

local MAX_TEXT = 500 -- characters of one line

local function client(entry)
  return entry.user and ("%s (%s)"):format(entry.user, entry.id) or entry.id
end

local DESCRIBE = {
  request = function(entry)
    if entry.text then
      return entry.text
    end
    return ("%s %s: %s%s"):format(entry.method, entry.path, entry.status or "broken off",
      entry.problem and " " .. entry.problem or "")
  end,
  opened = function(entry)
    return ("%s %s to %s, %s"):format(entry.recovered and "recover" or "connect", client(entry), entry.hub,
      entry.protocol)
  end,
  away = function(entry)
    return ("lose %s from %s: %s; it can recover within %g s"):format(client(entry), entry.hub, entry.reason,
      entry.seconds)
  end,
  -- A request that closes connections logs their number.
  closed = function(entry)
    return entry.by ~= "request" and ("disconnect %s from %s: %s"):format(client(entry), entry.hub, entry.reason) or nil
  end,
  event = function(entry)
    return ("event %s of %s: %s"):format(entry.name, client(entry), entry.status and not entry.problem and entry.status
      or entry.problem)
  end,
  note = function(entry)
    return entry.text
  end,
}

--- The line for an entry, without an end of line.
---@param entry EmulatorEntry
---@return string|nil line nil for what is not logged
function log.line(entry)
  local describe = DESCRIBE[entry.kind]
  local text = describe and describe(entry)
  if not text then
    return nil
  end
  text = text:gsub("%c", "?")
  if #text > MAX_TEXT then
    text = text:sub(1, (utf8.offset(text, 0, MAX_TEXT) or MAX_TEXT + 1) - 1) .. "…"
  end
  return ("%s %s%s"):format(os.date("%H:%M:%S", entry.time), text, entry.ms and (" · %.1f ms"):format(entry.ms) or "")
end

--- Writes a line for each entry from now on.
---@param journal table
---@param write fun(line: string)
---@param quiet boolean? notes only
function log.follow(journal, write, quiet)
  journal:listen(function(entry)
    local line = (not quiet or entry.kind == "note") and log.line(entry)
    if line then
      write(line)
    end
  end)
end

return log
