--- What a JSON client may do on its own: join or leave groups and send to them, for every group or for named ones.

local Permissions = {}
Permissions.__index = Permissions

local permissions = {}

--- The names of the permissions, as REST paths and roles spell them.
permissions.NAMES = { sendToGroup = true, joinLeaveGroup = true }

---@param roles string[]? `webpubsub.sendToGroup`, `webpubsub.joinLeaveGroup`, or either with `.<group>`
function permissions.new(roles)
  local self = setmetatable({}, Permissions)
  for name in pairs(permissions.NAMES) do
    self[name] = { everywhere = false, granted = {}, revoked = {} }
  end
  for _, role in ipairs(roles or {}) do
    local name, group = tostring(role):match("^webpubsub%.(%a+)%.?(.*)$")
    if permissions.NAMES[name] then
      self:grant(name, group ~= "" and group or nil)
    end
  end
  return self
end

---@param name string a key of permissions.NAMES
---@param group string? nil: every group
function Permissions:grant(name, group)
  local entry = self[name]
  if group then
    entry.granted[group], entry.revoked[group] = true, nil
  else
    entry.everywhere, entry.revoked = true, {}
  end
end

--- Takes the permission for one group away, also from a client that has it for every group.
---@param name string
---@param group string
function Permissions:revoke(name, group)
  local entry = self[name]
  entry.granted[group], entry.revoked[group] = nil, true
end

---@param name string
---@param group string? nil: asks for every group
---@return boolean
function Permissions:allow(name, group)
  local entry = self[name]
  if not group then
    return entry.everywhere
  end
  return entry.granted[group] or (entry.everywhere and not entry.revoked[group]) or false
end

return permissions
