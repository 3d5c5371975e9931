--- Prepared calls on a client that sends nothing, and questions about them.

local core = require("webpubsub.core")
require("webpubsub.results")

local calls = {}

calls.ENDPOINT = "https://contoso.webpubsub.azure.com"
calls.KEY = "an access key, as text"
calls.HUB = "chat"
calls.WALL = 1700000000 -- seconds since the epoch: 2023-11-14 22:13:20 UTC

local function with_defaults(options)
  local all = { endpoint = calls.ENDPOINT, key = calls.KEY, hub = calls.HUB }
  for name, value in pairs(options or {}) do all[name] = value end
  if all.connection_string then all.endpoint, all.key = nil, nil end
  if all.credential then all.key = nil end
  return all
end

--- A client with an endpoint, a key and a hub, unless `options` say otherwise.
---@param options? table
function calls.client(options)
  return core.client(with_defaults(options))
end

---@param operation string
---@param arguments? table
---@param options? table of the client
function calls.prepare(operation, arguments, options)
  return core.prepare(calls.client(options), operation, arguments)
end

--- A call that is about to send its first attempt.
---@param operation string
---@param arguments? table
---@param options? table of the client
function calls.sending(operation, arguments, options)
  local call = calls.prepare(operation, arguments, options)
  assert(call:begin(0) == "token")
  assert(call:sign(0, calls.WALL) == "send")
  return call
end

--- Feeds a response in; returns the next step.
---@param call table
---@param verdict? boolean|"retry"
function calls.respond(call, now, wall, random, status, headers, body, verdict)
  call:deliver(status, headers, body)
  return call:respond(now, wall, random, verdict)
end

--- What `sending` would send: method, target, headers in any case, body, and the header block itself.
function calls.outgoing(operation, arguments, options)
  local method, target, block, body = calls.sending(operation, arguments, options):outgoing()
  return { method = method, target = target, headers = core.headers(block), block = block, body = body }
end

--- The error table that `action` raises.
---@param action function
function calls.refusal(action, ...)
  local ok, err = pcall(action, ...)
  assert(not ok, "expected an error")
  assert(type(err) == "table", "expected an error table, not " .. tostring(err))
  return err
end

--- The text after `name: ` in every member of an error, where it may have leaked to.
---@param err table
---@return string
function calls.everything_said(err)
  local said = { tostring(err) }
  for _, value in pairs(err) do said[#said + 1] = tostring(value) end
  return table.concat(said, "\n")
end

local ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

--- Decodes base64url without padding.
---@param text string
---@return string
function calls.decode_base64url(text)
  local bytes, held, bits = {}, 0, 0
  for letter in text:gmatch(".") do
    held, bits = held * 64 + assert(ALPHABET:find(letter, 1, true), letter) - 1, bits + 6
    if bits >= 8 then
      bits = bits - 8
      local rest = held % 2 ^ bits
      bytes[#bytes + 1] = string.char((held - rest) / 2 ^ bits)
      held = rest
    end
  end
  return table.concat(bytes)
end

--- The parts of a call's token: what is signed, the claims as JSON, the signature.
---@param block string headers that are sent
function calls.token_of(block)
  local token = assert(block:match("Authorization: Bearer ([^\r\n]+)\r\n"), block)
  local signing_input, payload, signature = token:match("^([%w_-]+%.([%w_-]+))%.([%w_-]+)$")
  assert(signing_input, "not a compact token: " .. token)
  return { token = token, signing_input = signing_input, claims = calls.decode_base64url(payload),
    signature = signature }
end

return calls
