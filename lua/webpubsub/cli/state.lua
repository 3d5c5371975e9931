--- How far a run over a list has come, in a file: the run that has the file next goes on from there.
--
-- The file is written over in place at each step, so that it is right whatever ends the program. It has a hash of the
-- names that are done, by which a list that is not the same any more is noticed.

local shard = require "webpubsub.shard"

local state = {}
state.__index = state

local HEAD = "webpubsub run: %s\n"
local STEP, STEP_PATTERN = "%016d %010d\n", "^(%d+) (%d+)\n$"
local MAX_BYTES = 4096

-- Returns how many are done and the hash of them.
local function parse(text, head, path, identity)
  if text == "" then return 0, shard.hash "" end
  local done, hash = text:sub(#head + 1):match(STEP_PATTERN)
  if text:sub(1, #head) == head and done then return tonumber(done), tonumber(hash) end
  local other = text:match("^" .. HEAD:gsub("%%s\n", "([^\n]*)\n"))
  if not other then return nil, path .. " is not a file of --state" end
  return nil, ("%s is of another run: %s, not %s"):format(path, other, identity)
end

--- Opens a file, or makes it.
---@param path string
---@param identity string  what the run is about, on one line
---@return table|nil state  `done`: how many names to skip
---@return string|nil message
function state.open(path, identity)
  local file, why = io.open(path, "r+b")
  if not file then file, why = io.open(path, "w+b") end
  if not file then return nil, why end
  local text
  text, why = file:read(MAX_BYTES)
  if why then return nil, path .. ": " .. why end
  local head = HEAD:format(identity)
  local done, hash = parse(text or "", head, path, identity)
  if not done then return nil, hash end
  return setmetatable({
    file = file, path = path, head = head, done = done, hash = hash,
    begun = 0, latest = shard.hash "", hashes = {}, finished = {},
  }, state)
end

--- Takes notice of the next name of the list, whether it is skipped or begun.
function state:take(name)
  self.begun = self.begun + 1
  self.latest = shard.hash(name .. "\n", self.latest)
  if self.begun > self.done then self.hashes[self.begun] = self.latest end
end

--- What is wrong when all that is done has been skipped.
---@return string|nil message
function state:mismatch()
  if self.begun == self.done and self.latest == self.hash then return nil end
  return ("the list is not the one that %s is about: its first %d names have changed; to begin anew, remove the file")
    :format(self.path, self.done)
end

local function write(self)
  local written, why = self.file:seek("set", 0)
  if written then written, why = self.file:write(self.head, STEP:format(self.done, self.hash)) end
  if written then written, why = self.file:flush() end
  return not written and self.path .. ": " .. why or nil
end

--- Notes that a name is done.
---@param index integer  its place in the list
---@return string|nil message  where that cannot be written
function state:finish(index)
  self.finished[index] = true
  if not self.finished[self.done + 1] then return nil end
  while self.finished[self.done + 1] do
    self.done = self.done + 1
    self.hash = self.hashes[self.done]
    self.finished[self.done], self.hashes[self.done] = nil, nil
  end
  return write(self)
end

return state
