--- Standard input, output and error that are closed when the program starts.
--
-- Their numbers would go to the next files and sockets that are opened, and what is printed would go there too. So they
-- are taken first, by something that refuses to be read or written.

local descriptors = {}

local EBADF = 9

-- Where each may not be used the way its stream is, an attempt fails as it does with a closed one.
local streams = { { io.stdin, "w" }, { io.stdout, "r" }, { io.stderr, "r" } }

local held = {}

local function is_closed(file)
  local position, _, code = file:seek()
  return position == nil and code == EBADF
end

--- Takes the numbers that are free. Called before anything is opened.
function descriptors.occupy()
  for _, stream in ipairs(streams) do -- in ascending order: what is opened has the lowest number that is free
    if is_closed(stream[1]) then held[#held + 1] = io.open("/dev/null", stream[2]) end
  end
end

return descriptors
