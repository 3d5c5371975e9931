-- luv's loop: it drives tasks once the client is attached, and coroutines wait in place.
--
--   export WebPubSubConnectionString='Endpoint=…;AccessKey=…;Version=1.0;'
--   lua spec/examples/luv.lua alice

local uv = require "luv"
local webpubsub = require "webpubsub"

local client = webpubsub.new { connection_string = os.getenv "WebPubSubConnectionString", hub = "chat" }
local attached = client:attach_luv()
local user = arg[1] or "alice"

-- What a callback raises ends the process without a word, so its errors are made text.
local sign_in_elsewhere = webpubsub.text_errors(function()
  client:close_user_connections_async({ user = user, reason = "signed in elsewhere" }):on_done(function(response, err)
    print(user .. ": " .. (response and "closed" or tostring(err)))
    attached:close() -- nothing else is left to do, so that the loop ends
  end)
end)

local timer = uv.new_timer()
timer:start(10, 0, function()
  timer:close()
  sign_in_elsewhere()
end)
uv.run()
