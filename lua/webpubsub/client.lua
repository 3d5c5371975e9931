--- The client: what `webpubsub.new` makes, with one method for every row of the operations table.

local access = require "webpubsub.access"
local core = require "webpubsub.core"
local credential = require "webpubsub.credential"
local defer = require "webpubsub.defer"
local driver = require "webpubsub.driver"
local each = require "webpubsub.each"
local listing = require "webpubsub.listing"
local policies = require "webpubsub.policies"
local task = require "webpubsub.task"
local transport = require "webpubsub.transport"
require "webpubsub.results"

local client = {}

--- Makes a client. Nothing is sent; every mistake in the options is raised here, as an `argument` error.
---@param options webpubsub.Options
---@return webpubsub.Client
function client.new(options)
  local self = core.client(options)
  local extras = core.extras(self)
  extras.policies = policies.check(core.field(options, "policies"))
  extras.logger = core.field(options, "logger")
  extras.log_ids = core.field(options, "log_ids")
  extras.credential = credential.of(options)
  extras.max_deferred = core.field(options, "max_deferred")
  extras.transport = transport.new(core.origin(self), options)
  extras.reach = extras.credential and transport.reacher(options)
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
  return response.exists, response -- nil with no_throw, where the service refused to say
end

decode.token = decode.none
decode.list = listing.page

for _, operation in ipairs(core.operations()) do
  local name, returns = operation.name, decode[operation.result] -- a listing has a method of its own, see below
  local async = name .. "_async"

  methods[async] = function(self, arguments)
    core.extras(self, async) -- or the error would name the operation
    local call = core.prepare(self, name, arguments)
    policies.check_call(arguments, name)
    return task.start(self, name, task.cancel_of(arguments), function(extras)
      local response, err = driver.run(call, extras, arguments)
      if not response then error(err, 0) end
      return returns(response)
    end)
  end

  methods[name] = function(self, arguments)
    if task.is_needed(self, name) then return methods[async](self, arguments):await() end
    local response, err = driver.perform(self, name, arguments)
    if not response then error(err, 0) end
    return returns(response)
  end
end

methods.list_connections_in_group = listing.new
methods.client_access_url = access.url
methods.each = each.run
methods.defer, methods.deferred = defer.run, defer.counts

methods.poll, methods.pending = task.poll, task.pending
methods.pollfd, methods.events, methods.timeout = task.pollfd, task.events, task.timeout
methods.attach_luv = task.attach_luv

return client
