--- What answers token requests on loopback, and clients of a service that wants to see the tokens.

local cache = require("webpubsub.credential.cache")
local certs = require("spec.support.certs")
local credential = require("webpubsub.credential")
local default = require("webpubsub.credential.default")
local managed_identity = require("webpubsub.credential.managed_identity")
local steps = require("spec.support.steps")
local webpubsub = require("webpubsub")

local azure = {}

--- A reply with a token of that name, good for so many seconds.
---@param token string
---@param seconds? integer default 3600
---@param more? string further members of the JSON
function azure.token(token, seconds, more)
  return steps.reply({ status = 200, headers = { ["Content-Type"] = "application/json" },
    body = ('{"token_type":"Bearer","expires_in":%d,"access_token":"%s"%s}'):format(seconds or 3600, token,
      more or "") })
end

--- A reply that refuses.
function azure.refusal(status, code, description, headers)
  local all = { ["Content-Type"] = "application/json" }
  for name, value in pairs(headers or {}) do all[name] = value end
  return steps.reply({ status = status, headers = all, body = ('{"error":"%s","error_description":"%s"}'):format(code,
    description or "no") })
end

--- An environment of these variables only.
function azure.environment(variables)
  return function(name) return variables[name] end
end

--- A client secret whose authority is that server.
function azure.client_secret(server, fields)
  local options = { tenant = "contoso", client_id = "app", secret = "the-s3cret", authority = server.origin }
  for name, value in pairs(fields or {}) do options[name] = value end
  return credential.kinds.client_secret(options)
end

--- A managed identity in an environment of these variables; `addresses` are others than Azure's.
function azure.managed_identity(variables, options, addresses)
  return cache.new(managed_identity.source(options, azure.environment(variables), addresses), "managed_identity")
end

--- The default chain in an environment.
function azure.default(variables, options, addresses)
  return cache.new(default.source(options, azure.environment(variables), addresses), "default")
end

--- A client of a service with TLS.
---@param service ScriptedServer
---@param options? table
function azure.client(service, own, options)
  local all = { endpoint = service.origin, hub = "chat", ca_file = certs.ca.cert, credential = own }
  for name, value in pairs(options or {}) do all[name] = value end
  return webpubsub.new(all)
end

--- The tokens that requests carried.
function azure.tokens(service)
  local list = {}
  for index, request in ipairs(service:requests()) do
    list[index] = (request.headers:get("authorization") or ""):match("^Bearer (.*)$")
  end
  return list
end

return azure
