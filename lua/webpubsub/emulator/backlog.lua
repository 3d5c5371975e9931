--- The messages of one reliable client that it has not acknowledged, in order and within bounds: what it is sent again
-- when it comes back after its connection was cut.

local Backlog = {}
Backlog.__index = Backlog

local backlog = {}

local MAX_MESSAGES = 10000
local MAX_BYTES = 8 * 1024 * 1024 -- half of what may wait for one peer, so that all of it can be sent at once

function backlog.new()
  return setmetatable({
    frames = {}, -- sequence id -> text
    acknowledged = 0, -- the newest id that the client has acknowledged
    newest = 0,
    bytes = 0,
  }, Backlog)
end

--- The id for the next message.
---@return integer
function Backlog:next_id()
  return self.newest + 1
end

--- Keeps the next message.
---@param text string its frame
---@return boolean kept false: the bounds are reached
function Backlog:push(text)
  if self.newest - self.acknowledged >= MAX_MESSAGES or self.bytes + #text > MAX_BYTES then
    return false
  end
  self.newest = self.newest + 1
  self.frames[self.newest] = text
  self.bytes = self.bytes + #text
  return true
end

--- Lets go of all messages up to an id. One that was not sent yet counts as the newest.
---@param id integer
function Backlog:acknowledge(id)
  while self.acknowledged < math.min(id, self.newest) do
    self.acknowledged = self.acknowledged + 1
    self.bytes = self.bytes - #self.frames[self.acknowledged]
    self.frames[self.acknowledged] = nil
  end
end

--- What is kept, oldest first.
---@return string[] frames
function Backlog:all()
  return table.move(self.frames, self.acknowledged + 1, self.newest, 1, {})
end

return backlog
