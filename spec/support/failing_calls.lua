--- Calls that are expected to fail, and what every error of theirs must be like.

local assert = require("luassert")
local webpubsub = require("webpubsub")

local KEY = "an-access-key-that-must-stay-secret"
local USER = "a-user-nobody-may-read-of"

local failing_calls = {}

--- A client that tries twice, without losing time between.
---@param endpoint string
---@param options? webpubsub.Options
---@return webpubsub.Client
function failing_calls.client(endpoint, options)
  local all = { endpoint = endpoint, key = KEY, hub = "chat", proxy = false, retries = 1,
    retry = { delay = 0.001, jitter = 0 } }
  for name, value in pairs(options or {}) do all[name] = value end
  return webpubsub.new(all)
end

--- What a function raises.
---@return any
function failing_calls.raised_by(action, ...)
  local ok, err = pcall(action, ...)
  assert.is_false(ok)
  return err
end

--- The error of closing a user's connections.
---@param client webpubsub.Client
---@param context? table
---@return table
function failing_calls.failure_of(client, context)
  return failing_calls.raised_by(client.close_user_connections, client, { user = USER, context = context })
end

--- Checks an error against { kind, code, attempts, retryable }, and that it prints as one line without secrets.
---@param expected table
---@param err table
function failing_calls.assert_error(expected, err)
  local text = tostring(err)
  assert.are.same(expected, { err.kind, err.code, err.attempts, err.retryable }, text)
  assert.is_nil(text:find("%c"), text)
  assert.is_truthy(text:find("^webpubsub: " .. err.operation .. ": %S"), text)
  for _, secret in ipairs({ KEY, USER, "Bearer", "eyJ" }) do assert.is_nil(text:find(secret, 1, true), text) end
  local attempts = err.attempts == 1 and "1 attempt" or err.attempts .. " attempts"
  assert.is_truthy(text:find(attempts .. ", request " .. err.request_id, 1, true), text)
end

return failing_calls
