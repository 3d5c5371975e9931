--- The messages that one reliable client has not acknowledged, in order and limited in number and size. They are sent
-- again when the client recovers its connection.

local Backlog = {}
Backlog.__index = Backlog

local backlog = {}

local MAX_MESSAGES = 10000
local MAX_BYTES = 8 * 1024 * 1024 -- half of the send queue of a connection, so that all of it can be sent again at once

function backlog.new()
  return setmetatable({
    frames = {}, -- sequence id -> text
    expires = {}, -- sequence id -> when the message expires, for those that do
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
---@param expires number? when it expires
---@return boolean kept false: the bounds are reached
function Backlog:push(text, expires)
  if self.newest - self.acknowledged >= MAX_MESSAGES or self.bytes + #text > MAX_BYTES then
    return false
  end
  self.newest = self.newest + 1
  self.frames[self.newest], self.expires[self.newest] = text, expires
  self.bytes = self.bytes + #text
  return true
end

--- Drops all messages up to an id. An id that was not sent yet counts as the newest.
---@param id integer
function Backlog:acknowledge(id)
  while self.acknowledged < math.min(id, self.newest) do
    self.acknowledged = self.acknowledged + 1
    self.bytes = self.bytes - #self.frames[self.acknowledged]
    self.frames[self.acknowledged], self.expires[self.acknowledged] = nil, nil
  end
end

--- What is kept and has not expired, oldest first.
---@param now number
---@return string[] frames
function Backlog:all(now)
  local frames = {}
  for id = self.acknowledged + 1, self.newest do
    if (self.expires[id] or math.huge) > now then
      frames[#frames + 1] = self.frames[id]
    end
  end
  return frames
end

return backlog
