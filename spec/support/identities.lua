--- Identities of the core, what they would send, and what they make of answers.

local calls = require("spec.support.calls")
local core = require("webpubsub.core")

local identities = {}

--- Parts of an identity of Entra ID, unless `fields` say otherwise.
function identities.parts(fields)
  local parts = { source = "client_secret", tenant = "contoso.onmicrosoft.com", client_id = "app-id",
    secret = "a&b=c d%é" }
  for name, value in pairs(fields or {}) do
    parts[name] = value
    if value == false then parts[name] = nil end
  end
  return parts
end

function identities.new(fields)
  return core.identity(identities.parts(fields), "credential.test")
end

--- A managed identity of that kind.
function identities.managed(source, fields)
  local parts = { source = source, place_name = "IDENTITY_ENDPOINT" }
  for name, value in pairs(fields or {}) do parts[name] = value end
  return core.identity(parts, "credential.managed_identity")
end

--- A call that is about to send what it was prepared for.
function identities.sending(call)
  assert(call:begin(0) == "token")
  assert(call:sign(0, calls.WALL) == "send")
  return call
end

--- What a prepared call sends: method, URL, headers as lines, body.
function identities.sent(call)
  local method, target, headers, body = identities.sending(call):outgoing()
  local lines = {}
  for line in headers:gmatch("([^\r\n]+)\r\n") do
    if not line:find("^User%-Agent: ") then lines[#lines + 1] = line end
  end
  return { method = method, url = call:url(), target = target, headers = lines, body = body }
end

local function decoded(text)
  return (text:gsub("%%(%x%x)", function(hex) return string.char(tonumber(hex, 16)) end))
end

--- The fields of a form as a list of { name, value }.
function identities.form(body)
  local fields = {}
  for name, value in body:gmatch("([^&=]+)=([^&]*)") do fields[#fields + 1] = { name, decoded(value) } end
  return fields
end

--- The value of a form's field.
function identities.field(body, wanted)
  for _, field in ipairs(identities.form(body)) do
    if field[1] == wanted then return field[2] end
  end
end

--- What an identity makes of an answer: token, expiry and refresh, or nil, code, message and pause.
function identities.answer(identity, status, body, headers, wall)
  local call = identities.sending(assert(identity:prepare(calls.WALL)))
  call:deliver(status, headers or "Content-Type: application/json\r\n", body)
  return identity:answer(call, wall or calls.WALL)
end

return identities
