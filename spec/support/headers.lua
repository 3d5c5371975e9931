--- HTTP header fields in the order they were sent.

local headers = {}
headers.__index = headers

--- Makes a list of `{ name =, value = }` answer the questions below.
---@param list { name: string, value: string }[]
---@return table
function headers.wrap(list)
  return setmetatable(list, headers)
end

--- Every value of a field, whatever the case of its name.
---@param name string
---@return string[]
function headers:all(name)
  local values = {}
  for _, field in ipairs(self) do
    if field.name:lower() == name:lower() then values[#values + 1] = field.value end
  end
  return values
end

--- The first value of a field, whatever the case of its name.
---@param name string
---@return string? value nil when the field is absent
function headers:get(name)
  return self:all(name)[1]
end

--- Whether a comma-separated field such as `Connection` holds a token, whatever its case.
---@param name string
---@param token string
---@return boolean
function headers:has_token(name, token)
  for _, value in ipairs(self:all(name)) do
    for candidate in value:gmatch("[^,%s]+") do
      if candidate:lower() == token:lower() then return true end
    end
  end
  return false
end

return headers
