-- Entra ID in the place of a key: in Azure the identity of the platform, in Kubernetes that of the pod, on your own
-- machine whoever has signed in with `az login`. The identity needs the role Web PubSub Service Owner on the resource.
--
--   export WebPubSubEndpoint=https://contoso.webpubsub.azure.com
--   lua spec/examples/entra_id.lua alice

local webpubsub = require "webpubsub"

local client = webpubsub.new {
  endpoint = os.getenv "WebPubSubEndpoint",
  hub = "chat",
  credential = webpubsub.credential.default(), -- others: lua/webpubsub/credential/README.md
  errors = "return",
}

local response, err = client:close_user_connections { user = arg[1] or "alice", reason = "signed in elsewhere" }
print(response and "closed: " .. tostring(response) or tostring(err))
os.exit(response and 0 or 1)
