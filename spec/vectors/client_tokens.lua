-- Tokens with which WebSocket clients connect, computed without this library, by the recipe in tokens.lua. `url` is
-- what the client connects to, but for the token; the audience is the same with http for ws. Without `expires_in` a
-- token is good for 3600 seconds from `wall`, the time of signing in seconds since the epoch.

local LOCAL = "Endpoint=http://localhost;Port=8080;AccessKey=ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789ABCDEFGH;Version=1.0;"
local HEADER = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9."

return {
  {
    name = "no arguments",
    client = { connection_string = LOCAL, hub = "hub" },
    arguments = {},
    wall = 1700000000,
    url = "ws://localhost:8080/client/hubs/hub",
    claims = '{"aud":"http://localhost:8080/client/hubs/hub","iat":1700000000,"exp":1700003600}',
    signing_input = HEADER .. "eyJhdWQiOiJodHRwOi8vbG9jYWxob3N0OjgwODAvY2xpZW50L2h1YnMvaHViIiwiaWF0IjoxNzAwMDAwMDAwLC"
      .. "JleHAiOjE3MDAwMDM2MDB9",
    signature = "_ZKCELjsksrHnfM1NxLYBbepqz-eCLMdTWYnHPzWKhg",
  },
  {
    name = "a user, roles and groups",
    client = { connection_string = LOCAL, hub = "hub" },
    arguments = {
      user = "alice",
      roles = { "webpubsub.sendToGroup.chat", "webpubsub.joinLeaveGroup" },
      groups = { "chat", "news" },
    },
    wall = 1700000000,
    url = "ws://localhost:8080/client/hubs/hub",
    claims = '{"aud":"http://localhost:8080/client/hubs/hub","iat":1700000000,"exp":1700003600,"sub"'
      .. ':"alice","role":["webpubsub.sendToGroup.chat","webpubsub.joinLeaveGroup"],"webpubsub.g'
      .. 'roup":["chat","news"]}',
    signing_input = HEADER .. "eyJhdWQiOiJodHRwOi8vbG9jYWxob3N0OjgwODAvY2xpZW50L2h1YnMvaHViIiwiaWF0IjoxNzAwMDAwMDAwLC"
      .. "JleHAiOjE3MDAwMDM2MDAsInN1YiI6ImFsaWNlIiwicm9sZSI6WyJ3ZWJwdWJzdWIuc2VuZFRvR3JvdXAuY2hh"
      .. "dCIsIndlYnB1YnN1Yi5qb2luTGVhdmVHcm91cCJdLCJ3ZWJwdWJzdWIuZ3JvdXAiOlsiY2hhdCIsIm5ld3MiXX"
      .. "0",
    signature = "-rkTSFpb21l3Yq3D-cRNjIdq2K6WV0KKH8UBbJAlcOU",
  },
  {
    name = "one role, and no group in a list",
    client = { connection_string = LOCAL, hub = "hub" },
    arguments = { roles = { "webpubsub.sendToGroup" }, groups = {} },
    wall = 1700000000,
    url = "ws://localhost:8080/client/hubs/hub",
    claims = '{"aud":"http://localhost:8080/client/hubs/hub","iat":1700000000,"exp":1700003600,"role'
      .. '":["webpubsub.sendToGroup"]}',
    signing_input = HEADER .. "eyJhdWQiOiJodHRwOi8vbG9jYWxob3N0OjgwODAvY2xpZW50L2h1YnMvaHViIiwiaWF0IjoxNzAwMDAwMDAwLC"
      .. "JleHAiOjE3MDAwMDM2MDAsInJvbGUiOlsid2VicHVic3ViLnNlbmRUb0dyb3VwIl19",
    signature = "pJ3Gg9axffzJ3c6mgPpzla3r-qvE8e3GZOclQgN7AKg",
  },
  {
    name = "quotes, backslashes and letters beyond ASCII",
    client = { endpoint = "https://contoso.webpubsub.azure.com", key = 'clé "citée" \\ ключ', hub = "chat" },
    arguments = { user = 'zoë "x" \\ 😀', groups = { "a/b", "room 1" } },
    wall = 1700000000,
    url = "wss://contoso.webpubsub.azure.com/client/hubs/chat",
    claims = '{"aud":"https://contoso.webpubsub.azure.com/client/hubs/chat","iat":1700000000,"exp":1'
      .. '700003600,"sub":"zoë \\"x\\" \\\\ 😀","webpubsub.group":["a/b","room 1"]}',
    signing_input = HEADER .. "eyJhdWQiOiJodHRwczovL2NvbnRvc28ud2VicHVic3ViLmF6dXJlLmNvbS9jbGllbnQvaHVicy9jaGF0IiwiaW"
      .. "F0IjoxNzAwMDAwMDAwLCJleHAiOjE3MDAwMDM2MDAsInN1YiI6Inpvw6sgXCJ4XCIgXFwg8J-YgCIsIndlYnB1"
      .. "YnN1Yi5ncm91cCI6WyJhL2IiLCJyb29tIDEiXX0",
    signature = "OuRp3uO_dCNdOzU2uWa0IGHtfJEI1zVUZo8Hal0Smuw",
  },
  {
    name = "MQTT",
    client = { connection_string = LOCAL, hub = "hub" },
    arguments = { protocol = "mqtt", user = "alice" },
    wall = 1700000000,
    url = "ws://localhost:8080/clients/mqtt/hubs/hub",
    claims = '{"aud":"http://localhost:8080/clients/mqtt/hubs/hub","iat":1700000000,"exp":1700003600'
      .. ',"sub":"alice"}',
    signing_input = HEADER .. "eyJhdWQiOiJodHRwOi8vbG9jYWxob3N0OjgwODAvY2xpZW50cy9tcXR0L2h1YnMvaHViIiwiaWF0IjoxNzAwMD"
      .. "AwMDAwLCJleHAiOjE3MDAwMDM2MDAsInN1YiI6ImFsaWNlIn0",
    signature = "ZgLdcX2XXUjO4hGp9oU0keYhNMz9xBPpoB0Oez542-g",
  },
  {
    name = "Socket.IO",
    client = { connection_string = LOCAL, hub = "hub" },
    arguments = { protocol = "socketio" },
    wall = 1700000000,
    url = "ws://localhost:8080/clients/socketio/hubs/hub",
    claims = '{"aud":"http://localhost:8080/clients/socketio/hubs/hub","iat":1700000000,"exp":170000'
      .. "3600}",
    signing_input = HEADER .. "eyJhdWQiOiJodHRwOi8vbG9jYWxob3N0OjgwODAvY2xpZW50cy9zb2NrZXRpby9odWJzL2h1YiIsImlhdCI6MT"
      .. "cwMDAwMDAwMCwiZXhwIjoxNzAwMDAzNjAwfQ",
    signature = "uyFM6RAvsPzMORDtuaJMqR-drBFjRumcEMyEqvrBY58",
  },
  {
    name = "the default protocol, by its name",
    client = { connection_string = LOCAL, hub = "hub" },
    arguments = { protocol = "default" },
    wall = 1700000000,
    url = "ws://localhost:8080/client/hubs/hub",
    claims = '{"aud":"http://localhost:8080/client/hubs/hub","iat":1700000000,"exp":1700003600}',
    signing_input = HEADER .. "eyJhdWQiOiJodHRwOi8vbG9jYWxob3N0OjgwODAvY2xpZW50L2h1YnMvaHViIiwiaWF0IjoxNzAwMDAwMDAwLC"
      .. "JleHAiOjE3MDAwMDM2MDB9",
    signature = "_ZKCELjsksrHnfM1NxLYBbepqz-eCLMdTWYnHPzWKhg",
  },
  {
    name = "a lifetime of a second",
    client = { connection_string = LOCAL, hub = "hub" },
    arguments = { expires_in = 1 },
    wall = 1700000000,
    url = "ws://localhost:8080/client/hubs/hub",
    claims = '{"aud":"http://localhost:8080/client/hubs/hub","iat":1700000000,"exp":1700000001}',
    signing_input = HEADER .. "eyJhdWQiOiJodHRwOi8vbG9jYWxob3N0OjgwODAvY2xpZW50L2h1YnMvaHViIiwiaWF0IjoxNzAwMDAwMDAwLC"
      .. "JleHAiOjE3MDAwMDAwMDF9",
    signature = "TyQEigANT4Zz85v696QMssYBYMf3FHbYbEm9_eK-Dj0",
  },
  {
    name = "a lifetime of ten years",
    client = { connection_string = LOCAL, hub = "hub" },
    arguments = { expires_in = 315360000 },
    wall = 1700000000,
    url = "ws://localhost:8080/client/hubs/hub",
    claims = '{"aud":"http://localhost:8080/client/hubs/hub","iat":1700000000,"exp":2015360000}',
    signing_input = HEADER .. "eyJhdWQiOiJodHRwOi8vbG9jYWxob3N0OjgwODAvY2xpZW50L2h1YnMvaHViIiwiaWF0IjoxNzAwMDAwMDAwLC"
      .. "JleHAiOjIwMTUzNjAwMDB9",
    signature = "YQmTA4F17CzxqnPxZqMCPWmt6-2UOOpcirs3A_WmJ74",
  },
  {
    name = "times with fractions, which are cut off",
    client = { connection_string = LOCAL, hub = "hub" },
    arguments = { expires_in = 90.9 },
    wall = 1700000000.9,
    url = "ws://localhost:8080/client/hubs/hub",
    claims = '{"aud":"http://localhost:8080/client/hubs/hub","iat":1700000000,"exp":1700000090}',
    signing_input = HEADER .. "eyJhdWQiOiJodHRwOi8vbG9jYWxob3N0OjgwODAvY2xpZW50L2h1YnMvaHViIiwiaWF0IjoxNzAwMDAwMDAwLC"
      .. "JleHAiOjE3MDAwMDAwOTB9",
    signature = "Ak_zj1zFdsf7PMfDZDbQE6pz_iXuDq7tzfcE3sE5cqQ",
  },
  {
    name = "a reverse proxy, which clients do not use",
    client = {
      endpoint = "https://contoso.webpubsub.azure.com",
      key = "k",
      hub = "chat",
      reverse_proxy = "https://proxy.example/base",
    },
    arguments = {},
    wall = 1700000000,
    url = "wss://contoso.webpubsub.azure.com/client/hubs/chat",
    claims = '{"aud":"https://contoso.webpubsub.azure.com/client/hubs/chat","iat":1700000000,"exp":1'
      .. "700003600}",
    signing_input = HEADER .. "eyJhdWQiOiJodHRwczovL2NvbnRvc28ud2VicHVic3ViLmF6dXJlLmNvbS9jbGllbnQvaHVicy9jaGF0IiwiaW"
      .. "F0IjoxNzAwMDAwMDAwLCJleHAiOjE3MDAwMDM2MDB9",
    signature = "NFpLaq5VGe5d9g5Xi_966i6IUkpBNIH_kPOdIzoujSg",
  },
  {
    name = "an endpoint with port and path",
    client = { endpoint = "https://contoso.example:8443/base/", key = "k", hub = "chat" },
    arguments = {},
    wall = 1700000000,
    url = "wss://contoso.example:8443/base/client/hubs/chat",
    claims = '{"aud":"https://contoso.example:8443/base/client/hubs/chat","iat":1700000000,"exp":170'
      .. "0003600}",
    signing_input = HEADER .. "eyJhdWQiOiJodHRwczovL2NvbnRvc28uZXhhbXBsZTo4NDQzL2Jhc2UvY2xpZW50L2h1YnMvY2hhdCIsImlhdC"
      .. "I6MTcwMDAwMDAwMCwiZXhwIjoxNzAwMDAzNjAwfQ",
    signature = "vlr70e3VVcOcRfWM18cowh3awi9nExPcbzvcxHc3Evk",
  },
  {
    name = "a hub whose name a URL must escape",
    client = { endpoint = "https://contoso.example", key = "k", hub = "A_`,.[]1" },
    arguments = {},
    wall = 1700000000,
    url = "wss://contoso.example/client/hubs/A_%60%2C.%5B%5D1",
    claims = '{"aud":"https://contoso.example/client/hubs/A_%60%2C.%5B%5D1","iat":1700000000,"exp":1'
      .. "700003600}",
    signing_input = HEADER .. "eyJhdWQiOiJodHRwczovL2NvbnRvc28uZXhhbXBsZS9jbGllbnQvaHVicy9BXyU2MCUyQy4lNUIlNUQxIiwiaW"
      .. "F0IjoxNzAwMDAwMDAwLCJleHAiOjE3MDAwMDM2MDB9",
    signature = "Sh0vbTcMfNP5JuroSyBh08v2Tu0hUYG121WlmjCrC_I",
  },
}
