-- HS256 tokens with the steps that lead to them, computed without this library: by OpenSSL's command line, and checked
-- against Python's hmac. For the claims and key of a vector, in a shell:
--
--     b64url() { openssl base64 -A | tr '+/' '-_' | tr -d '='; }
--     input=$(printf %s '{"alg":"HS256","typ":"JWT"}' | b64url).$(printf %s "$claims" | b64url)
--     hex=$(printf %s "$key" | od -An -v -tx1 | tr -d ' \n')
--     printf %s "$input" | openssl dgst -sha256 -mac HMAC -macopt hexkey:$hex -binary | b64url
--
-- `wall` is the time of signing in seconds since the epoch; a request's token is valid for 300 seconds.

local CONTOSO = "https://contoso.webpubsub.azure.com"

return {
  {
    name = "an id of letters",
    client = { endpoint = CONTOSO, key = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789ABCDEFGH" },
    operation = "close_user_connections",
    arguments = { user = "alice" },
    wall = 1700000000,
    claims = '{"aud":"https://contoso.webpubsub.azure.com/api/hubs/chat/users/alice/:closeConnections?api-version=2024'
      .. '-12-01"'
      .. ',"iat":1700000000,"exp":1700000300}',
    signing_input = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9."
      .. "eyJhdWQiOiJodHRwczovL2NvbnRvc28ud2VicHVic3ViLmF6dXJlLmNvbS9hcGkvaHVicy9jaGF0L3VzZXJzL2FsaWNlLzpjbG9zZUNv"
      .. "bm5lY3Rpb25zP2FwaS12ZXJzaW9uPTIwMjQtMTItMDEiLCJpYXQiOjE3MDAwMDAwMDAsImV4cCI6MTcwMDAwMDMwMH0",
    signature = "__JtXEP-GL43xNCdtFdWlGCmSPuDQ-6i_lV24N5sBD4",
  },
  {
    name = "an id with quotes, blanks and letters beyond ASCII",
    client = { endpoint = CONTOSO, key = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789ABCDEFGH" },
    operation = "close_user_connections",
    arguments = { user = 'zoë "x" 😀' },
    wall = 1700000000,
    claims = '{"aud":"https://contoso.webpubsub.azure.com/api/hubs/chat/users/zo%C3%AB%20%22x%22%20%F0%9F%98%80/:close'
      .. 'Connections?api-version=2024-12-01"'
      .. ',"iat":1700000000,"exp":1700000300}',
    signing_input = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9."
      .. "eyJhdWQiOiJodHRwczovL2NvbnRvc28ud2VicHVic3ViLmF6dXJlLmNvbS9hcGkvaHVicy9jaGF0L3VzZXJzL3pvJUMzJUFCJTIwJTIy"
      .. "eCUyMiUyMCVGMCU5RiU5OCU4MC86Y2xvc2VDb25uZWN0aW9ucz9hcGktdmVyc2lvbj0yMDI0LTEyLTAxIiwiaWF0IjoxNzAwMDAwMDAw"
      .. "LCJleHAiOjE3MDAwMDAzMDB9",
    signature = "Dhde6tP6-a6p95wB_vFGVBI-nKKiQX4v_uNJDWiv1bI",
  },
  {
    name = "a key with quotes, a backslash and letters beyond ASCII",
    client = { endpoint = CONTOSO, key = 'clé "citée" \\ ключ' },
    operation = "close_connection",
    arguments = { connection = "c-1" },
    wall = 1,
    claims = '{"aud":"https://contoso.webpubsub.azure.com/api/hubs/chat/connections/c-1?api-version=2024-12-01"'
      .. ',"iat":1,"exp":301}',
    signing_input = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9."
      .. "eyJhdWQiOiJodHRwczovL2NvbnRvc28ud2VicHVic3ViLmF6dXJlLmNvbS9hcGkvaHVicy9jaGF0L2Nvbm5lY3Rpb25zL2MtMT9hcGkt"
      .. "dmVyc2lvbj0yMDI0LTEyLTAxIiwiaWF0IjoxLCJleHAiOjMwMX0",
    signature = "F01e_cvUprRqr42KfWy9Za0wUFJfVwQC8eKqfB5V70I",
  },
  {
    name = "a key that looks like base64 and is text",
    client = { endpoint = CONTOSO, key = "bm90IGRlY29kZWQ=" },
    operation = "user_exists",
    arguments = { user = "alice" },
    wall = 2000000000,
    claims = '{"aud":"https://contoso.webpubsub.azure.com/api/hubs/chat/users/alice?api-version=2024-12-01"'
      .. ',"iat":2000000000,"exp":2000000300}',
    signing_input = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9."
      .. "eyJhdWQiOiJodHRwczovL2NvbnRvc28ud2VicHVic3ViLmF6dXJlLmNvbS9hcGkvaHVicy9jaGF0L3VzZXJzL2FsaWNlP2FwaS12ZXJz"
      .. "aW9uPTIwMjQtMTItMDEiLCJpYXQiOjIwMDAwMDAwMDAsImV4cCI6MjAwMDAwMDMwMH0",
    signature = "gpBXbctKmK-L7TxZ3XSbG-BtmAJeX6cO6EWfm-v7D0s",
  },
  {
    name = "a key longer than a block of SHA-256",
    client = { endpoint = CONTOSO, key = ("0123456789abcdef"):rep(5) },
    operation = "user_exists",
    arguments = { user = "alice" },
    wall = 1700000000,
    claims = '{"aud":"https://contoso.webpubsub.azure.com/api/hubs/chat/users/alice?api-version=2024-12-01"'
      .. ',"iat":1700000000,"exp":1700000300}',
    signing_input = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9."
      .. "eyJhdWQiOiJodHRwczovL2NvbnRvc28ud2VicHVic3ViLmF6dXJlLmNvbS9hcGkvaHVicy9jaGF0L3VzZXJzL2FsaWNlP2FwaS12ZXJz"
      .. "aW9uPTIwMjQtMTItMDEiLCJpYXQiOjE3MDAwMDAwMDAsImV4cCI6MTcwMDAwMDMwMH0",
    signature = "p75sqm5pI5pvp0oZDGqFjLvBs6WSKnf6dG4I_CDaYcg",
  },
  {
    name = "a key of one byte",
    client = { endpoint = CONTOSO, key = "k" },
    operation = "group_exists",
    arguments = { group = "g" },
    wall = 1700000000,
    claims = '{"aud":"https://contoso.webpubsub.azure.com/api/hubs/chat/groups/g?api-version=2024-12-01"'
      .. ',"iat":1700000000,"exp":1700000300}',
    signing_input = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9."
      .. "eyJhdWQiOiJodHRwczovL2NvbnRvc28ud2VicHVic3ViLmF6dXJlLmNvbS9hcGkvaHVicy9jaGF0L2dyb3Vwcy9nP2FwaS12ZXJzaW9u"
      .. "PTIwMjQtMTItMDEiLCJpYXQiOjE3MDAwMDAwMDAsImV4cCI6MTcwMDAwMDMwMH0",
    signature = "KjBfYjSpfG4Hm49DPQUx9CLYjzBoeWSMc_yqmQCGfIA",
  },
  {
    name = "repeated query parameters",
    client = { endpoint = CONTOSO, key = "k" },
    operation = "close_all_connections",
    arguments = { excluded = { "a", "b,c" }, reason = "bye & thanks" },
    wall = 1700000000,
    claims = '{"aud":"https://contoso.webpubsub.azure.com/api/hubs/chat/:closeConnections?api-version=2024-12-01&exclu'
      .. 'ded=a&excluded=b%2Cc&reason=bye%20%26%20thanks"'
      .. ',"iat":1700000000,"exp":1700000300}',
    signing_input = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9."
      .. "eyJhdWQiOiJodHRwczovL2NvbnRvc28ud2VicHVic3ViLmF6dXJlLmNvbS9hcGkvaHVicy9jaGF0LzpjbG9zZUNvbm5lY3Rpb25zP2Fw"
      .. "aS12ZXJzaW9uPTIwMjQtMTItMDEmZXhjbHVkZWQ9YSZleGNsdWRlZD1iJTJDYyZyZWFzb249YnllJTIwJTI2JTIwdGhhbmtzIiwiaWF0"
      .. "IjoxNzAwMDAwMDAwLCJleHAiOjE3MDAwMDAzMDB9",
    signature = "0Di32v72e2q0TAVndKGMvHB1AZOTje5KLNNNTlVBCZ0",
  },
  {
    name = "an endpoint with port and path",
    client = { endpoint = "http://localhost:8080/base", key = "k" },
    operation = "user_exists",
    arguments = { user = "alice" },
    wall = 1700000000,
    claims = '{"aud":"http://localhost:8080/base/api/hubs/chat/users/alice?api-version=2024-12-01"'
      .. ',"iat":1700000000,"exp":1700000300}',
    signing_input = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9."
      .. "eyJhdWQiOiJodHRwOi8vbG9jYWxob3N0OjgwODAvYmFzZS9hcGkvaHVicy9jaGF0L3VzZXJzL2FsaWNlP2FwaS12ZXJzaW9uPTIwMjQt"
      .. "MTItMDEiLCJpYXQiOjE3MDAwMDAwMDAsImV4cCI6MTcwMDAwMDMwMH0",
    signature = "wSXAiwuyXfu4nG7YC597DFXcDNM7i1FT8lUCP5lAlgg",
  },
  {
    name = "a reverse proxy, which is not signed for",
    client = { endpoint = CONTOSO, key = "k", reverse_proxy = "https://proxy.example/base" },
    operation = "user_exists",
    arguments = { user = "alice" },
    wall = 1700000000,
    claims = '{"aud":"https://contoso.webpubsub.azure.com/api/hubs/chat/users/alice?api-version=2024-12-01"'
      .. ',"iat":1700000000,"exp":1700000300}',
    signing_input = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9."
      .. "eyJhdWQiOiJodHRwczovL2NvbnRvc28ud2VicHVic3ViLmF6dXJlLmNvbS9hcGkvaHVicy9jaGF0L3VzZXJzL2FsaWNlP2FwaS12ZXJz"
      .. "aW9uPTIwMjQtMTItMDEiLCJpYXQiOjE3MDAwMDAwMDAsImV4cCI6MTcwMDAwMDMwMH0",
    signature = "TKnWgtPtkhi7SyvFBD5JdzuXreD_5viFwrmYKQUVA4M",
  },
  {
    name = "a time with a fraction, which is cut off",
    client = { endpoint = CONTOSO, key = "k" },
    operation = "user_exists",
    arguments = { user = "alice" },
    wall = 1700000000.999,
    claims = '{"aud":"https://contoso.webpubsub.azure.com/api/hubs/chat/users/alice?api-version=2024-12-01"'
      .. ',"iat":1700000000,"exp":1700000300}',
    signing_input = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9."
      .. "eyJhdWQiOiJodHRwczovL2NvbnRvc28ud2VicHVic3ViLmF6dXJlLmNvbS9hcGkvaHVicy9jaGF0L3VzZXJzL2FsaWNlP2FwaS12ZXJz"
      .. "aW9uPTIwMjQtMTItMDEiLCJpYXQiOjE3MDAwMDAwMDAsImV4cCI6MTcwMDAwMDMwMH0",
    signature = "TKnWgtPtkhi7SyvFBD5JdzuXreD_5viFwrmYKQUVA4M",
  },
}
