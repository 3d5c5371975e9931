--- A queue: what was put first is taken first.

local fifo = {}
fifo.__index = fifo

function fifo.new()
  return setmetatable({ first = 1, last = 0 }, fifo)
end

function fifo:length()
  return self.last - self.first + 1
end

function fifo:put(item)
  self.last = self.last + 1
  self[self.last] = item
end

--- The first item, which stays; nil where there is none.
function fifo:peek()
  return self[self.first]
end

--- The first item; nil where there is none.
function fifo:take()
  local item = self[self.first]
  if item ~= nil then
    self[self.first] = nil
    self.first = self.first + 1
  end
  return item
end

return fifo
