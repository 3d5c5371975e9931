--- What a JSON client may do on its own: join or leave groups and send to them, for every group, for named ones or for
-- those a pattern matches.

local role_patterns = require "webpubsub.emulator.role_patterns"

local Permissions = {}
Permissions.__index = Permissions

local permissions = {}

--- The names of the permissions, as REST paths and roles spell them.
permissions.NAMES = { sendToGroup = true, joinLeaveGroup = true }

-- Roles with a pattern have names of their own. Only roles have patterns: the REST operations take `targetName` as the
-- name of a group.
local PATTERN_NAMES = { sendToGroups = "sendToGroup", joinLeaveGroups = "joinLeaveGroup" }

-- Returns what is wrong with the role. Other roles than the service's are ignored.
local function add_role(self, role)
  local name, rest = role:match("^webpubsub%.(%a+)(.*)$")
  local target = rest and rest:match("^%.(.+)$")
  if permissions.NAMES[name] and (target or rest == "") then
    self:grant(name, target)
  elseif PATTERN_NAMES[name] then
    local matches, message = role_patterns.compile(target or "")
    if not matches then
      return ("the role '%s' grants nothing: %s"):format(role, message)
    end
    table.insert(self[PATTERN_NAMES[name]].patterns, matches)
  end
  return nil
end

---@param roles string[]? `webpubsub.sendToGroup`, `webpubsub.joinLeaveGroup`, or either with `.<group>`;
--- `webpubsub.sendToGroups.<pattern>`, `webpubsub.joinLeaveGroups.<pattern>`
---@return table permissions
---@return string[] problems a line for each role that is malformed and so grants nothing
function permissions.new(roles)
  local self = setmetatable({}, Permissions)
  for name in pairs(permissions.NAMES) do
    self[name] = { everywhere = false, granted = {}, revoked = {}, patterns = {} }
  end
  local problems = {}
  for _, role in ipairs(roles or {}) do
    problems[#problems + 1] = add_role(self, tostring(role))
  end
  return self, problems
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

--- Revokes the permission for one group, also from a client that has it for all groups or by a pattern.
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
  elseif entry.granted[group] then
    return true
  elseif entry.revoked[group] then
    return false
  elseif entry.everywhere then
    return true
  end
  for _, matches in ipairs(entry.patterns) do
    if matches(group) then
      return true
    end
  end
  return false
end

return permissions
