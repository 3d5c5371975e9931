--- The frames of a JSON client (`json.webpubsub.azure.v1`), both ways: text in and out, no state, no I/O.

local base64 = require "webpubsub.emulator.base64"
local json = require "webpubsub.emulator.json"
local unsupported = require "webpubsub.emulator.unsupported"
local parameters = require "webpubsub.emulator.parameters"

local json_protocol = {}

local MAX_ACK_ID_DIGITS = 20 -- of an unsigned integer of 64 bits

---@class EmulatorMessage
---@field type "text"|"json"|"binary"
---@field data string the bytes; for "json" the JSON text
---@field group string? the group it was sent to; nil: sent by the server to users, connections or all
---@field from_user string? the user who sent it to the group
---@field expires number? when it is no longer of use, as cqueues.monotime() has it

function json_protocol.connected(connection)
  return tostring(json.object(
    "type", "system",
    "event", "connected",
    "userId", connection.user or json.null,
    "connectionId", connection.id,
    "reconnectionToken", connection.reconnection_token))
end

--- The farewell of the service when a server closes a connection.
---@param reason string?
function json_protocol.closed_by_server(reason)
  local sentence = "Application server closed the connection."
  if reason and reason ~= "" then
    sentence = sentence .. " Reason: " .. reason
  end
  return json_protocol.disconnected(sentence)
end

---@param sentence string
function json_protocol.disconnected(sentence)
  return tostring(json.object("type", "system", "event", "disconnected", "message", sentence))
end

local function payload(message)
  if message.type == "json" then
    return json.raw(message.data)
  elseif message.type == "binary" then
    return base64.encode(message.data)
  end
  return message.data
end

---@param message EmulatorMessage
---@param sequence_id integer? numbers the message for a reliable client
function json_protocol.message(message, sequence_id)
  local group = message.group
  return tostring(json.object(
    "sequenceId", sequence_id,
    "type", "message",
    "from", group and "group" or "server",
    "fromUserId", group and (message.from_user or json.null) or nil,
    "group", group,
    "dataType", message.type,
    "data", payload(message)))
end

---@param ack_id string its digits as the client wrote them
---@param error_name string? "Forbidden", "Duplicate" or "InternalServerError"; nil: success
---@param error_message string?
function json_protocol.ack(ack_id, error_name, error_message)
  return tostring(json.object(
    "type", "ack",
    "ackId", json.raw(ack_id),
    "success", error_name == nil,
    "error", error_name and json.object("name", error_name, "message", error_message) or nil))
end

function json_protocol.pong()
  return '{"type":"pong"}'
end

local function decode_payload(frame, text)
  local data_type = frame.dataType or "json"
  if frame.data == nil then
    return nil, "'data' is missing"
  elseif data_type == "json" then
    return { type = "json", data = json.member(text, "data") }
  elseif type(frame.data) ~= "string" then
    return nil, ("'data' has to be a string when 'dataType' is '%s'"):format(tostring(data_type))
  elseif data_type == "text" then
    return { type = "text", data = frame.data }
  elseif data_type == "binary" then
    local bytes = base64.decode(frame.data)
    if not bytes then
      return nil, "'data' is not base64"
    end
    return { type = "binary", data = bytes }
  end
  return nil, "'dataType' is not one of text, json and binary"
end

local function check_group(frame)
  if type(frame.group) ~= "string" or not frame.group:find("%S") then
    return "'group' has to be a string that is not empty"
  elseif not utf8.len(frame.group) or utf8.len(frame.group) > parameters.MAX_GROUP_CHARACTERS then
    return ("'group' has to have at most %d characters"):format(parameters.MAX_GROUP_CHARACTERS)
  end
end

-- What each type of request must carry, checked and put into `request`; returns what is wrong.
local READERS = {
  joinGroup = function(frame) return check_group(frame) end,
  leaveGroup = function(frame) return check_group(frame) end,
  sendToGroup = function(frame, text, request)
    local wrong = check_group(frame)
    if not wrong then
      request.no_echo = frame.noEcho == true
      request.message, wrong = decode_payload(frame, text)
    end
    return wrong
  end,
  event = function(frame, text, request)
    if type(frame.event) ~= "string" or frame.event == "" then
      return "'event' has to be a string that is not empty"
    end
    local wrong
    request.event = frame.event
    request.message, wrong = decode_payload(frame, text)
    return wrong
  end,
  ping = function() end,
  sequenceAck = function(frame, text, request)
    local digits = frame.sequenceId ~= nil and json.member(text, "sequenceId")
    request.sequence_id = digits and digits:find("^%d+$") and math.tointeger(tonumber(digits))
    if not request.sequence_id then
      return "'sequenceId' has to be an unsigned integer"
    end
  end,
}

---@class EmulatorClientRequest
---@field type "joinGroup"|"leaveGroup"|"sendToGroup"|"event"|"ping"|"sequenceAck"|"unsupported"
---@field group string? of the three group requests
---@field event string? the name of an event
---@field message EmulatorMessage? of sendToGroup and event
---@field reason string? of an unsupported request: what is unsupported
---@field answer string? of an unsupported request: the response; nil if it has none
---@field no_echo boolean? of sendToGroup
---@field sequence_id integer? of sequenceAck
---@field ack_id string? the digits of ackId

--- Reads one frame from a client.
---@param text string
---@return EmulatorClientRequest|nil
---@return string|nil message what is wrong with the frame
function json_protocol.decode(text)
  if not utf8.len(text) then -- a binary frame may be anything
    return nil, "The frame is not UTF-8"
  end
  local frame, message = json.decode(text)
  if type(frame) ~= "table" then
    return nil, "The frame is not a JSON object" .. (message and ": " .. message or "")
  end
  if type(frame.type) ~= "string" then
    return nil, "The frame has no 'type' that is a string"
  end
  local ack_id
  if frame.ackId ~= nil and frame.ackId ~= json.null then
    ack_id = json.member(text, "ackId")
    if not ack_id:find("^%d+$") or #ack_id > MAX_ACK_ID_DIGITS then
      return nil, ("The %s message is invalid: 'ackId' has to be an unsigned integer"):format(frame.type)
    end
  end
  local sentence, answer = unsupported.find(frame, ack_id)
  if sentence then
    return { type = "unsupported", reason = sentence, answer = answer }
  end
  local read = READERS[frame.type]
  if not read then
    return nil, ("The message type '%s' is not supported"):format(frame.type)
  end
  local request = { type = frame.type, group = frame.group, ack_id = ack_id }
  local wrong = read(frame, text, request)
  if wrong then
    return nil, ("The %s message is invalid: %s"):format(frame.type, wrong)
  end
  return request
end

return json_protocol
