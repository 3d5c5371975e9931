--- The median of a list; of an even number the lower one.
---@param list number[]
return function(list)
  local sorted = {}
  for index, value in ipairs(list) do sorted[index] = value end
  table.sort(sorted)
  return sorted[math.floor((#sorted + 1) / 2)]
end
