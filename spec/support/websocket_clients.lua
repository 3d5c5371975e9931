--- WebSocket clients of the service, in a process of their own: they go on receiving while the client under test
--- blocks the process that runs the specs, and they need lua-http on Lua 5.4 whatever runs the specs.
---
---     local sockets = websocket_clients.connect(emulator, "chat", { { user = "al" }, { user = "bob", raw = true } })
---     …
---     assert.are.equal(1000, sockets:ended(1).code)
---     assert.is_true(sockets:stayed(2))
---     sockets:stop()

local cjson = require("cjson").new()
local companion = require("spec.support.companion")
local shell = require("spec.support.shell")
local wait = require("spec.support.wait")
local wire = require("spec.support.wire")

local TIMEOUT_SECONDS = 5 -- for anything a socket is waited for
local PING = '{"type":"ping"}'

local WebsocketClients = {}
WebsocketClients.__index = WebsocketClients

local websocket_clients = {}

---@class WebsocketClients.Identity
---@field user? string
---@field roles? string[]
---@field groups? string[] joined at once
---@field url? string with a token in it, instead of these
---@field raw? boolean speaks no sub-protocol, and so is told nothing but the close frame

--- Connects them in this order and waits until the service has greeted them.
---@param emulator EmulatorProcess
---@param hub string
---@param identities WebsocketClients.Identity[]
function websocket_clients.connect(emulator, hub, identities)
  local child = companion.start(shell.lua_program("websocket_clients_child.lua"), {
    input = wire.pack({ endpoint = emulator.endpoint, key = emulator.key, hub = hub, identities = identities }),
    ready = "(ready)\n",
    timeout = TIMEOUT_SECONDS,
  })
  local self = setmetatable({ child = child, ids = {}, taken = {} }, WebsocketClients)
  for index, identity in ipairs(identities) do
    self.taken[index] = 0
    if not identity.raw then
      self.ids[index] = self:frames(index)[1].connectionId
      self.taken[index] = 1 -- the greeting
    end
  end
  return self
end

local function events_of(self, index)
  local events = {}
  for line in self.child:output():gmatch("({[^\n]*})\n") do
    local event = cjson.decode(line)
    if event.client == index then events[#events + 1] = event end
  end
  return events
end

--- What a client was sent so far, from the greeting on.
---@param index integer
---@return table[] frames decoded
function WebsocketClients:frames(index)
  local frames = {}
  for _, event in ipairs(events_of(self, index)) do
    if event.text then frames[#frames + 1] = cjson.decode(event.text) end
  end
  return frames
end

--- Waits for a client's connection to end.
---@param index integer
---@return { code: integer, reason: string, message: string? } end the close frame's code and reason, and what the
---  frame before it said
function WebsocketClients:ended(index)
  return wait.until_true(function()
    local events = events_of(self, index)
    local last, frames = events[#events], self:frames(index)
    if not last or not last.ended then return nil end
    return { code = last.code, reason = last.reason, message = #frames > 1 and frames[#frames].message or nil }
  end, TIMEOUT_SECONDS, "socket " .. index .. " to be closed")
end

--- Whether a client is connected and was sent nothing but its greeting: what comes next answers a ping sent now.
--- A raw client has nothing to ask; ask the service whether its connection exists.
---@param index integer
---@return boolean
function WebsocketClients:stayed(index)
  local events = events_of(self, index)
  if events[#events].ended then return false end
  local before = #events
  self:send(index, PING)
  local event = wait.until_true(function() return events_of(self, index)[before + 1] end, TIMEOUT_SECONDS,
    "socket " .. index .. " to be answered")
  return before == 1 and event.text == '{"type":"pong"}'
end

--- Has a client send a frame.
---@param index integer
---@param text string in one line
function WebsocketClients:send(index, text)
  self.child.input:write(index, " ", text, "\n")
  self.child.input:flush()
end

--- Waits for the next frame that was not taken yet.
---@param index integer
---@return string text
function WebsocketClients:take_text(index)
  local at = self.taken[index] + 1
  self.taken[index] = at
  return wait.until_true(function() return events_of(self, index)[at] end, TIMEOUT_SECONDS,
    "socket " .. index .. " to be sent a frame").text
end

--- Has a client send a request; returns the next frame, decoded.
---@param index integer
---@param text string
---@return table frame
function WebsocketClients:ask(index, text)
  self:send(index, text)
  return cjson.decode(self:take_text(index))
end

--- Everything a client was sent until now and that was not taken yet: what comes before the answer to a ping.
---@param index integer
---@return table[] frames decoded
function WebsocketClients:take(index)
  local frames = {}
  local frame = self:ask(index, PING)
  while frame.type ~= "pong" do
    frames[#frames + 1] = frame
    frame = cjson.decode(self:take_text(index))
  end
  return frames
end

--- Ends the process, and with it the connections; a second time does nothing.
function WebsocketClients:stop()
  self.child:stop()
end

return websocket_clients
