--- Which part of a list a value belongs to: the same on every Lua and every machine, whatever the order of the list.
--
-- The hash is FNV-1a of 32 bits. It is computed in numbers below 2^53, which all Luas have exactly.

local shard = {}

local OFFSET_BASIS, PRIME_LOW = 2166136261, 403 -- the prime is 2^24 + 403
local BITS_24, BITS_32 = 16777216, 4294967296

local MAX_SHARDS = 1000000
shard.MAX_SHARDS = MAX_SHARDS

-- Exclusive or of two numbers below 16, as there are no operators for bits before 5.3.
local xor4 = {}
for one = 0, 15 do
  xor4[one] = {}
  for other = 0, 15 do
    local result, bit = 0, 1
    while bit < 16 do
      if one % (2 * bit) >= bit ~= (other % (2 * bit) >= bit) then result = result + bit end
      bit = 2 * bit
    end
    xor4[one][other] = result
  end
end

local function xor8(one, other)
  local low, other_low = one % 16, other % 16
  return xor4[(one - low) / 16][(other - other_low) / 16] * 16 + xor4[low][other_low]
end

--- FNV-1a of 32 bits.
---@param value string
---@param before integer|nil  the hash of what stands before the value; nil: nothing does
---@return integer
function shard.hash(value, before)
  local result = before or OFFSET_BASIS
  for position = 1, #value do
    local low = result % 256
    local mixed = xor8(low, value:byte(position))
    result = result - low + mixed
    result = (mixed * BITS_24 + result * PRIME_LOW) % BITS_32
  end
  return result
end

--- The shard of a value.
---@param value string
---@param count integer  how many shards there are
---@return integer index  1 to count
function shard.of(value, count)
  return shard.hash(value) % count + 1
end

-- A whole number of `low` to `high`, or nil.
local function whole(text, low, high)
  local number = text and text:find "^%d+$" and #text <= 7 and tonumber(text)
  return number and number >= low and number <= high and number or nil
end

--- Reads "2/5": the second of five shards.
---@param text string
---@return { [1]: integer, [2]: integer }|nil shard  index and count
---@return string|nil message  what is wrong
function shard.parse(text)
  local index, count = text:match "^([^/]*)/([^/]*)$"
  count = whole(count, 1, MAX_SHARDS)
  index = count and whole(index, 1, count)
  if index then return { index, count } end
  return nil, ("a shard is written I/N, such as 2/5, with N from 1 to %d and I from 1 to N; it is \"%s\""):format(
    MAX_SHARDS, text)
end

--- The shard of this process, as Kubernetes (an indexed Job) or Slurm (a job array) numbers it.
---@param getenv fun(name: string): string|nil
---@param count integer|nil  how many shards there are; nil: as many as the job array has tasks
---@return { [1]: integer, [2]: integer }|nil shard  index and count
---@return string|nil message  what is missing or wrong
function shard.from_environment(getenv, count)
  local index, source = getenv "JOB_COMPLETION_INDEX", "JOB_COMPLETION_INDEX"
  local first, step, size = 0, 1, nil
  if not index then
    index, source = getenv "SLURM_ARRAY_TASK_ID", "SLURM_ARRAY_TASK_ID"
    if not index then return nil, "neither JOB_COMPLETION_INDEX nor SLURM_ARRAY_TASK_ID is set" end
    first = whole(getenv "SLURM_ARRAY_TASK_MIN" or "0", 0, MAX_SHARDS)
    step = whole(getenv "SLURM_ARRAY_TASK_STEP" or "1", 1, MAX_SHARDS)
    size = getenv "SLURM_ARRAY_TASK_COUNT"
  end
  if not count and not size then return nil, "the number of shards is not known" end
  if size and count and tonumber(size) ~= count then
    return nil, ("there are to be %d shards, but SLURM_ARRAY_TASK_COUNT is %s"):format(count, size)
  end
  count = count or whole(size, 1, MAX_SHARDS)
  local number = whole(index, 0, MAX_SHARDS)
  local position = first and step and number and (number - first) / step
  if not position or not count or position % 1 ~= 0 or position < 0 or position >= count then
    return nil, ("%s is %s, which is none of %s shards"):format(source, index, tostring(count or size))
  end
  return { math.floor(position) + 1, count }
end

return shard
