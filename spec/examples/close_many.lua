-- Closes the connections of all users in a file, one name a line, 64 at a time; as one of several processes where it is
-- told to.
--
--   export WebPubSubConnectionString='Endpoint=…;AccessKey=…;Version=1.0;'
--   lua spec/examples/close_many.lua users.txt            all of them
--   lua spec/examples/close_many.lua users.txt 2 5        the second of five parts

local webpubsub = require "webpubsub"

local path, part, parts = arg[1], tonumber(arg[2]), tonumber(arg[3])

local client = webpubsub.new { connection_string = os.getenv "WebPubSubConnectionString", hub = "chat" }

-- An iterator is asked for a name when there is room for a call, so a list of any length takes no memory.
local summary = client:each("close_user_connections", assert(io.lines(path)), {
  concurrency = 64,
  shard = part and { part, parts } or nil,
  context = { timeout = 300 }, -- where the service says 429, all wait as long as it asks
  on_result = function(result)
    if result.error then io.stderr:write(result.arguments.user, ": ", tostring(result.error), "\n") end
  end,
})
print(("closed %d of %d, %d failed, in %.1f s (%.0f a second)"):format(summary.succeeded, summary.total, summary.failed,
  summary.elapsed, summary.rate))
os.exit(summary.failed == 0 and not summary.interrupted and 0 or 1)
