-- A plain script: closes the connections of the users that are named, one after another, and says what became of it.
--
--   export WebPubSubConnectionString='Endpoint=…;AccessKey=…;Version=1.0;'
--   lua spec/examples/script.lua alice bob

local webpubsub = require "webpubsub"

local client = webpubsub.new {
  connection_string = os.getenv "WebPubSubConnectionString",
  hub = "chat",
  errors = "return", -- failures of the world come back as nil and the error; mistakes in the program are raised
}

local failed = 0
for _, user in ipairs(arg) do
  local online, err = client:user_exists { user = user }
  local response
  if online then
    response, err = client:close_user_connections { user = user, reason = "signed in elsewhere" }
  end
  if response then
    print(user .. ": closed, request " .. response.request_id)
  elseif err and err.kind then
    print(user .. ": " .. tostring(err))
    failed = failed + 1
  else
    print(user .. ": was not connected")
  end
end
os.exit(failed == 0 and 0 or 1)
