--- Calls run by the Lua driver over a scripted transport.

local calls = require("spec.support.calls")
local core = require("webpubsub.core")
local credential = require("webpubsub.credential")
local driver = require("webpubsub.driver")
local fake_transport = require("spec.support.fake_transport")
local policies = require("webpubsub.policies")

local driven = {}

--- A client over a transport that gives these answers.
---@param answers? fake_transport.Answer[]
---@param options? table of the client
---@return table client
---@return table transport
function driven.client(answers, options)
  options = options or {}
  local client, transport = calls.client(options), fake_transport.new(answers)
  local extras = core.extras(client)
  extras.transport = transport
  extras.policies = policies.check(options.policies)
  extras.logger, extras.log_ids = options.logger, options.log_ids
  extras.credential = credential.of(options)
  return client, transport
end

--- Runs one call of the main operation for the user alice.
---@param client table
---@param context? table
---@return table|nil response
---@return table|nil error
function driven.run(client, context)
  local arguments = { user = "alice", excluded = { "conn-1" }, reason = "because", context = context }
  return driver.run(core.prepare(client, "close_user_connections", arguments), core.extras(client), arguments)
end

--- Runs one call on a new client; returns response, error and transport.
function driven.once(answers, options, context)
  local client, transport = driven.client(answers, options)
  local response, err = driven.run(client, context)
  return response, err, transport
end

return driven
