--- The client: what `webpubsub.new` makes, with one method for every row of the operations table.

local access = require "webpubsub.access"
local core = require "webpubsub.core"
local credential = require "webpubsub.credential"
local driver = require "webpubsub.driver"
local each = require "webpubsub.each"
local listing = require "webpubsub.listing"
local policies = require "webpubsub.policies"
require "webpubsub.results"

local client = {}

--- Makes a client. Nothing is sent; every mistake in the options is raised here, as an `argument` error.
---@param options webpubsub.Options
---@return webpubsub.Client
function client.new(options)
  local self = core.client(options)
  local extras = core.extras(self)
  local get_token = core.field(options, "credential")
  extras.policies = policies.check(core.field(options, "policies"))
  extras.logger = core.field(options, "logger")
  extras.log_ids = core.field(options, "log_ids")
  extras.get_token = get_token and credential.cached(get_token)
  extras.transport = require("webpubsub.transport.curl").new(core.origin(self), options)
  return self
end

local methods = core.methods

--- Replaces the access key; calls sign with the new one from their next attempt on.
---@param key string
function methods:set_key(key)
  core.set_key(self, key)
end

-- What a method returns besides the response, by the `result` of its row.
local decode = {}

function decode.none(response)
  return response
end

function decode.exists(response)
  if response.is_error then return nil, response end
  response.exists = response.status ~= 404
  return response.exists, response
end

decode.token = decode.none

for _, operation in ipairs(core.operations()) do
  local name, returns = operation.name, decode[operation.result] -- a listing has a method of its own, see below

  methods[name] = function(self, arguments)
    local response, err = driver.perform(self, name, arguments)
    if not response then error(err, 0) end
    return returns(response)
  end
end

methods.list_connections_in_group = listing.new
methods.client_access_url = access.url
methods.each = each.run

return client
