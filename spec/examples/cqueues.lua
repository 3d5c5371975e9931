-- Coroutines of cqueues: each call is written as if it blocked, and holds up its own coroutine only.
--
--   export WebPubSubConnectionString='Endpoint=…;AccessKey=…;Version=1.0;'
--   lua spec/examples/cqueues.lua alice bob

local cqueues = require "cqueues"
local webpubsub = require "webpubsub"

local client = webpubsub.new { connection_string = os.getenv "WebPubSubConnectionString", hub = "chat" }
local loop = cqueues.new()

for _, user in ipairs(arg) do
  loop:wrap(function()
    client:close_user_connections { user = user, reason = "signed in elsewhere" }
    print(user .. ": closed")
  end)
end

loop:wrap(function() -- goes on meanwhile
  for _ = 1, 3 do cqueues.sleep(0.01) end
  print "the loop was never held up"
end)

assert(loop:loop())
