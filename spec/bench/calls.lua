-- calls.lua ORIGIN SECONDS: our calls in a loop; prints calls per second.

local webpubsub = require "webpubsub"
local now = require("webpubsub.curl").now

local client = webpubsub.new { endpoint = arg[1], key = "a key of the usual length, 44 characters long", hub = "bench" }
local seconds, calls = tonumber(arg[2]), 0
local start = now()
while now() - start < seconds do
  client:close_user_connections { user = "user-" .. calls, excluded = { "conn-1" }, reason = "signed in elsewhere" }
  calls = calls + 1
end
print(("%.1f"):format(calls / (now() - start)))
