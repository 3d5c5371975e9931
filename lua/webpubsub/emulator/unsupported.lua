--- Requests of the JSON protocol that the emulator does not support, and the frames that say so. Each is answered with
-- the failure response of its kind, in the formats of the vendor's reference "Azure Web PubSub supported JSON WebSocket
-- subprotocol" and of its JavaScript client 1.1.0, with the error name NotSupported.

local json = require "webpubsub.emulator.json"

local unsupported = {}

local NAME = "NotSupported"

local INVOCATIONS = "Invocations are not part of this emulator."
local STREAMS = "Group streams are not part of this emulator."
local STATE = "Group state is not part of this emulator."

local function id_of(value)
  return type(value) == "string" and value or json.null
end

local function failure(reason)
  return json.object("name", NAME, "message", reason)
end

local function stream_closed(stream_id)
  return json.object("type", "streamClosed", "streamId", id_of(stream_id), "error", failure(STREAMS))
end

local function state_refused(_, ack_id)
  return STATE, ack_id and json.object("type", "ack", "ackId", json.raw(ack_id), "success", false,
    "error", failure(STATE))
end

local function stream_refused(frame)
  return STREAMS, stream_closed(frame.streamId)
end

-- These requests have no response.
local function ignored()
  return INVOCATIONS
end

local BY_TYPE = {
  invoke = function(frame)
    return INVOCATIONS, json.object("type", "invokeResponse", "invocationId", id_of(frame.invocationId),
      "success", false, "error", failure(INVOCATIONS))
  end,
  invokeResponse = ignored,
  cancelInvocation = ignored,
  -- With `stream` it starts a stream; without, it is supported.
  sendToGroup = function(frame)
    if type(frame.stream) == "table" then
      return STREAMS, stream_closed(frame.stream.streamId)
    end
  end,
  streamData = stream_refused,
  streamEnd = stream_refused,
  setGroupState = state_refused,
  subscribeGroupState = state_refused,
  unsubscribeGroupState = state_refused,
}

--- Checks whether a request is unsupported.
---@param frame table decoded
---@param ack_id string? the digits of its ackId
---@return string|nil sentence what is unsupported; nil: the request is supported
---@return string|nil answer the frame for the client, nil for a request that has no answer
function unsupported.find(frame, ack_id)
  local describe = BY_TYPE[frame.type]
  if not describe then
    return nil
  end
  local sentence, answer = describe(frame, ack_id)
  return sentence, answer and tostring(answer)
end

return unsupported
