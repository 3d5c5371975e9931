--- The median of a list, or of what its entries have under a name; of an even number the lower one.
---@param list table
---@param name any?
return function(list, name)
  local sorted = {}
  for index, value in ipairs(list) do
    if name ~= nil then value = value[name] end
    sorted[index] = value
  end
  table.sort(sorted)
  return sorted[(#sorted + 1) // 2]
end
