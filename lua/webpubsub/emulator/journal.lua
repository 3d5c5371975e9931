--- A bounded record of what happened recently. The log and the page listen to it.

local Journal = {}
Journal.__index = Journal

local journal = {}

local MAX_ENTRIES = 1000

function journal.new()
  return setmetatable({
    entries = {}, -- a ring: the entry of serial n is at n modulo its size
    serial = 0, -- of the newest entry
    listeners = {}, -- set of functions
  }, Journal)
end

---@class EmulatorEntry
---@field kind "request"|"opened"|"away"|"closed"|"group"|"message"|"event"|"note"
---@field serial integer 1, 2, 3 …
---@field time integer seconds since 1970
---@field hub string? in which it happened
---@field text string? of a request that did something, and of a note: what
---@field ms number? how long it took
---@field status integer? of a request or of an event's answer
---@field problem string? why it failed

--- Records an entry. The caller must not change the table afterwards.
---@param kind string
---@param entry table
function Journal:record(kind, entry)
  self.serial = self.serial + 1
  entry.kind, entry.serial, entry.time = kind, self.serial, os.time()
  self.entries[self.serial % MAX_ENTRIES] = entry
  for listener in pairs(self.listeners) do
    listener(entry)
  end
end

--- Records a sentence.
---@param text string
function Journal:note(text)
  self:record("note", { text = text })
end

--- The recent entries, oldest first.
---@return EmulatorEntry[]
function Journal:recent()
  local list = {}
  for serial = math.max(1, self.serial - MAX_ENTRIES + 1), self.serial do
    list[#list + 1] = self.entries[serial % MAX_ENTRIES]
  end
  return list
end

--- Calls a function with each entry from now on.
---@param listener fun(entry: EmulatorEntry) must neither wait nor raise
---@return fun() stop
function Journal:listen(listener)
  self.listeners[listener] = true
  return function() self.listeners[listener] = nil end
end

return journal
