--- Azure Web PubSub for Lua: the server side of the service's data plane.
--
--     local webpubsub = require "webpubsub"
--     local client = webpubsub.new { connection_string = os.getenv "WebPubSubConnectionString", hub = "chat" }
--     client:close_user_connections { user = "alice", reason = "signed in elsewhere" }

local client = require "webpubsub.client"
local core = require "webpubsub.core"
local credential = require "webpubsub.credential"
local events = require "webpubsub.events"
local filter = require "webpubsub.filter"
local help = require "webpubsub.help"
local task = require "webpubsub.task"
local text_errors = require "webpubsub.text_errors"

return {
  new = client.new,
  credential = credential.kinds,
  events = events,
  filter = filter,
  gather = task.gather,
  help = help.print,
  null = core.null,
  empty_array = core.empty_array,
  text_errors = text_errors,
  _VERSION = core.version,
  api_version = core.api_version,
}
