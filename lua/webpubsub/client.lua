--- The client: what `webpubsub.new` makes, with one method for every row of the operations table.

local access = require "webpubsub.access"
local core = require "webpubsub.core"
local credential = require "webpubsub.credential"
local defer = require "webpubsub.defer"
local driver = require "webpubsub.driver"
local each = require "webpubsub.each"
local listing = require "webpubsub.listing"
local log = require "webpubsub.log"
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
  extras.logger = log.listener(core.field(options, "logger"))
  extras.server = extras.logger and log.server(core.origin(self))
  extras.log_ids = core.field(options, "log_ids")
  extras.credential = credential.of(options)
  extras.max_deferred = core.field(options, "max_deferred")
  extras.errors = core.field(options, "errors")
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

for position, operation in ipairs(core.operations()) do
  local name, returns = operation.name, decode[operation.result] -- a listing has a method of its own, see below
  local async = name .. "_async"

  local function perform(task_of_it)
    local response, err = driver.complete(task_of_it, task_of_it.call, task_of_it.extras, task_of_it.arguments)
    if not response then return false, err end
    return true, returns(response)
  end

  methods[async] = function(self, arguments)
    local call = driver.prepare(self, position, arguments, core.extras(self, async))
    policies.check_call(arguments, name)
    return task.start(self, name, arguments, perform, call)
  end

  methods[name] = function(self, arguments)
    local extras = core.extras(self, name)
    local response, err = driver.perform(self, position, arguments, extras)
    if not response then return driver.failed(err, extras, arguments) end
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

-- A name that is misspelt is raised with the one that was meant. Names that begin with "_" are asked for by whoever
-- inspects values.
setmetatable(methods, { __index = function(_, name)
  if type(name) ~= "string" or name:find "^_" then return nil end
  local names = {}
  for known in next, methods do names[#names + 1] = known end
  local meant = core.nearest(name, names)
  core.raise("argument", "unknown", ("the client has no \"%.40s\"%s"):format(name,
    meant and "; did you mean \"" .. meant .. "\"?" or ""), name)
end })

core.set_home(client.new)

return client
