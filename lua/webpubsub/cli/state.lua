--- How far a run over a list has come, in a file: the run that has the file next goes on from there.
--
-- It holds how many names were begun, a hash of them, by which a list that is not the same any more is noticed, and the
-- places of those that are not over. It is written over in place before a name is begun and after it is over, so that
-- it is right whatever ends the program: what was on its way is done again, and nothing else.

local shard = require "webpubsub.shard"

local state = {}
state.__index = state

local HEAD = "webpubsub run: %s\n"
local COUNTS, COUNTS_PATTERN = "%016d %010d %03d\n", "^(%d+) (%d+) (%d+)\n"
local PLACE, PLACE_PATTERN = "%016d\n", "^(%d+)\n"

local MAX_BYTES = 32768 -- more than the head and as many names as may be on their way

-- Reads what a file holds into the state. Returns what is wrong with it.
local function parse(self, text, identity)
  if text == "" then return nil end
  if text:sub(1, #self.head) ~= self.head then
    local other = text:match("^" .. HEAD:gsub("%%s\n", "([^\n]*)\n"))
    if not other then return self.path .. " is not a file of --state" end
    return ("%s is of another run: %s, not %s"):format(self.path, other, identity)
  end
  local rest = text:sub(#self.head + 1)
  local begun, hash, count = rest:match(COUNTS_PATTERN)
  local position = begun and #begun + #hash + #count + 4
  for index = 1, tonumber(count or 0) do
    local place = rest:match(PLACE_PATTERN, position)
    if not place then return self.path .. " is not complete" end
    self.again[index], self.is_open[tonumber(place)] = tonumber(place), true
    position = position + #place + 1
  end
  if not begun then return self.path .. " is not complete" end
  self.begun, self.hash = tonumber(begun), tonumber(hash)
end

local function write(self)
  local places = {}
  for place in pairs(self.is_open) do places[#places + 1] = place end
  table.sort(places)
  local lines = { self.head, COUNTS:format(self.begun, self.hash, #places) }
  for _, place in ipairs(places) do lines[#lines + 1] = PLACE:format(place) end
  local written, why = self.file:seek("set", 0)
  if written then written, why = self.file:write(table.concat(lines)) end
  if written then written, why = self.file:flush() end
  return not written and self.path .. ": " .. why or nil
end

--- Opens a file, or makes it.
---@param path string
---@param identity string  what the run is about, on one line
---@return table|nil state
---@return string|nil message
function state.open(path, identity)
  local file, why = io.open(path, "r+b")
  if not file then file, why = io.open(path, "w+b") end
  if not file then return nil, why end
  file:setvbuf("full", MAX_BYTES) -- one write for all of it
  local text
  text, why = file:read(MAX_BYTES)
  if why then return nil, path .. ": " .. why end
  local self = setmetatable({
    file = file, path = path, head = HEAD:format(identity), begun = 0, hash = shard.hash "", is_open = {}, again = {},
  }, state)
  why = parse(self, text or "", identity)
  self.first = self.begun
  return not why and self or nil, why
end

--- Reads over the names that were begun before.
---@param next_name fun(): string|nil
---@return string[]|nil again  the names that were not over, in their order
---@return string|nil message  where the list is another one
function state:skip(next_name)
  local hash, again = shard.hash "", {}
  for place = 1, self.begun do
    local name = next_name()
    if not name then break end
    hash = shard.hash(name .. "\n", hash)
    if self.is_open[place] then again[#again + 1] = name end
  end
  if hash == self.hash and #again == #self.again then return again end
  return nil, ("the list is not the one that %s is about: its first %d names have changed; to begin anew, remove the "
    .. "file"):format(self.path, self.begun)
end

--- The place in the list of a name of this run.
---@param index integer  how many names this run has begun with it
---@return integer
function state:place(index)
  return self.again[index] or self.first + index - #self.again -- first: how many were begun before
end

--- Notes that the next name is begun, after those that are done again.
---@return string|nil message  where that cannot be written
function state:begin(name)
  self.begun = self.begun + 1
  self.hash = shard.hash(name .. "\n", self.hash)
  self.is_open[self.begun] = true
  return write(self)
end

--- Notes that a name is over.
---@param place integer
---@return string|nil message  where that cannot be written
function state:finish(place)
  self.is_open[place] = nil
  return write(self)
end

return state
