--- The state of one hub: who is connected, as whom, in which groups. It knows connections only by their
-- `id`, `user`, `serial`, `groups` and `events`, and does no input or output but to tell what happens.

local Hub = {}
Hub.__index = Hub

local hub = {}

local MAX_PREVIEW = 200 -- characters of a message to remember

---@param name string
---@param journal table
function hub.new(name, journal)
  return setmetatable({
    name = name,
    journal = journal,
    connections = {}, -- id -> connection
    users = {}, -- user -> set of connections; no entry without a connection
    groups = {}, -- group -> set of connections; no entry without a connection
  }, Hub)
end

local function insert(index, key, connection)
  local set = index[key]
  if not set then
    set = {}
    index[key] = set
  end
  set[connection] = true
end

local function delete(index, key, connection)
  local set = index[key]
  if set then
    set[connection] = nil
    if next(set) == nil then
      index[key] = nil
    end
  end
end

function Hub:add(connection)
  self.connections[connection.id] = connection
  if connection.user then
    insert(self.users, connection.user, connection)
  end
end

--- Forgets a connection, without a word about its groups; doing it twice is harmless.
function Hub:remove(connection)
  self.connections[connection.id] = nil
  if connection.user then
    delete(self.users, connection.user, connection)
  end
  for group in pairs(connection.groups) do
    delete(self.groups, group, connection)
  end
  connection.groups = {}
end

local function announce(self, connection, group, joined)
  self.journal:record("group", { hub = self.name, id = connection.id, group = group, joined = joined })
  if connection.events then
    connection.events[joined and "joined" or "left"](connection.events, connection, group)
  end
end

function Hub:join(connection, group)
  if not connection.groups[group] then
    connection.groups[group] = true
    insert(self.groups, group, connection)
    announce(self, connection, group, true)
  end
end

function Hub:leave(connection, group)
  if connection.groups[group] then
    connection.groups[group] = nil
    delete(self.groups, group, connection)
    announce(self, connection, group, false)
  end
end

function Hub:leave_all(connection)
  local groups = connection.groups
  connection.groups = {}
  for group in pairs(groups) do
    delete(self.groups, group, connection)
    announce(self, connection, group, false)
  end
end

-- The beginning of what can be read.
local function preview_of(message)
  if message.type == "binary" then
    return nil
  end
  local after = utf8.offset(message.data, MAX_PREVIEW + 1)
  return after and message.data:sub(1, after - 1) or message.data
end

--- Records a message that was sent.
---@param message EmulatorMessage
---@param whom string to whom
---@param count integer to how many connections
---@param sender table? the connection that sent it; nil: the server
function Hub:record_message(message, whom, count, sender)
  self.journal:record("message", {
    hub = self.name, to = whom, count = count, id = sender and sender.id, user = sender and sender.user,
    type = message.type, bytes = #message.data, preview = preview_of(message),
  })
end

local function list(set)
  local connections = {}
  for connection in pairs(set or {}) do
    connections[#connections + 1] = connection
  end
  return connections
end

-- Each of these returns a list of its own, so that it can be walked while connections come and go.

function Hub:all()
  local connections = {}
  for _, connection in pairs(self.connections) do
    connections[#connections + 1] = connection
  end
  return connections
end

function Hub:of_user(user)
  return list(self.users[user])
end

function Hub:in_group(group)
  return list(self.groups[group])
end

--- One page of a group's connections, oldest first.
---@param group string
---@param after integer serial of the last connection of the page before, 0 at first
---@param limit integer
---@return table[] page
---@return boolean more whether connections follow
function Hub:page(group, after, limit)
  local members = self:in_group(group)
  table.sort(members, function(a, b) return a.serial < b.serial end)
  local page = {}
  for _, connection in ipairs(members) do
    if connection.serial > after then
      if #page == limit then
        return page, true
      end
      page[#page + 1] = connection
    end
  end
  return page, false
end

return hub
