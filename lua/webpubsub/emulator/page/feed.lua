--- The updates for one browser that shows the page: a snapshot first, then batches of entries; and its commands. A
-- browser that does not keep up gets a new snapshot instead of the entries it missed.

local cqueues = require "cqueues"
local condition = require "cqueues.condition"

local commands = require "webpubsub.emulator.page.commands"
local json = require "webpubsub.emulator.json"

local feed = {}

local BATCH_SECONDS = 0.1
local SNAPSHOT_SECONDS = 1 -- from one to the next
local MAX_PENDING = 2000 -- entries
local MAX_WAITING_BYTES = 1024 * 1024 -- for a browser that does not read

local function send(peer, object)
  local text = tostring(object)
  -- An entry may contain bytes that a peer sent.
  peer:send(utf8.len(text) and text or text:gsub("[\128-\255]", "?"), "text")
end

local function names_of(set)
  local names = {}
  for name in pairs(set) do
    names[#names + 1] = name
  end
  table.sort(names)
  return json.array(names)
end

local function describe(client)
  return json.object(
    "hub", client.hub.name,
    "id", client.id,
    "user", client.user,
    "protocol", client.subprotocol or "no sub-protocol",
    "groups", names_of(client.groups),
    "since", client.since,
    "away", client.outlet == nil or nil)
end

local function entries_of(list)
  local entries = {}
  for index, entry in ipairs(list) do
    entries[index] = json.map(entry)
  end
  return json.array(entries)
end

local function all_connections(server)
  local list = {}
  for _, hub in pairs(server.hubs) do
    for _, client in pairs(hub.connections) do
      list[#list + 1] = client
    end
  end
  table.sort(list, function(a, b) return a.serial < b.serial end)
  for index, client in ipairs(list) do
    list[index] = describe(client)
  end
  return json.array(list)
end

local function send_snapshot(server, peer)
  send(peer, json.object(
    "type", "snapshot",
    "endpoint", server.endpoint,
    "handler", server.event_handler,
    "now", os.time(),
    "connections", all_connections(server),
    "entries", entries_of(server.journal:recent())))
end

-- Sends what is pending, unless the browser still has to read earlier updates.
local function send_changes(server, peer, state)
  if peer.queued_bytes > MAX_WAITING_BYTES then
    return
  elseif not state.overflowed then
    send(peer, json.object("type", "entries", "entries", entries_of(state.pending)))
    state.pending = {}
  elseif cqueues.monotime() >= state.next_snapshot then
    state.pending, state.overflowed = {}, false
    state.next_snapshot = cqueues.monotime() + SNAPSHOT_SECONDS
    send_snapshot(server, peer)
  end
end

-- Sends until the browser is gone.
local function follow(server, peer, state)
  repeat
    if #state.pending == 0 then
      state.changed:wait()
    end
    cqueues.sleep(BATCH_SECONDS)
    if not state.ended then
      send_changes(server, peer, state)
    end
  until state.ended
end

--- Serves one browser until it is gone.
---@param server table
---@param peer table a websocket
function feed.run(server, peer)
  local state = {
    pending = {}, -- entries
    overflowed = false, -- entries were dropped
    next_snapshot = cqueues.monotime() + SNAPSHOT_SECONDS,
    ended = false,
    changed = condition.new(), -- signalled for a new entry, and at the end
  }
  local stop = server.journal:listen(function(entry)
    if #state.pending < MAX_PENDING then
      state.pending[#state.pending + 1] = entry
    else
      state.overflowed = true
    end
    state.changed:signal()
  end)
  send_snapshot(server, peer)
  server.controller:wrap(follow, server, peer, state)
  peer:run(function(text)
    local problem = commands.perform(server, text)
    if problem then
      send(peer, json.object("type", "problem", "text", problem))
    end
  end)
  stop()
  state.ended = true
  state.changed:signal()
end

return feed
