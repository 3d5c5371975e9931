--- Certificates for specs, made anew in a temporary directory that disappears when this process ends, however it ends.
---
---     scripted_server.start({ tls = certs.valid })   -- and the client trusts certs.ca.cert

local companion = require("spec.support.companion")
local shell = require("spec.support.shell")

local KEY_PASSWORD = "correct horse"

-- Signals of the terminal reach the whole process group; the removal waits for the end of the input all the same.
local SCRIPT = [[
trap '' HUP INT TERM
directory=$(mktemp -d) || exit
password=$1
shift
"$@" "$directory" &&
  openssl pkcs8 -topk8 -in "$directory/client.key" -out "$directory/client_encrypted.key" -passout "pass:$password" &&
  echo "ready $directory" &&
  cat
rm -rf "$directory"
]]

local command = { "sh", "-c", SCRIPT, "sh", KEY_PASSWORD }
for _, word in ipairs(shell.lua_program("certs_child.lua")) do command[#command + 1] = word end
local child, ready = companion.start(command, { ready = "ready ([^\n]+)\n" })
local directory = ready[1]

local function identity(name)
  return { cert = ("%s/%s.pem"):format(directory, name), key = ("%s/%s.key"):format(directory, name) }
end

local client_encrypted = identity("client_encrypted")
client_encrypted.cert = identity("client").cert
client_encrypted.password = KEY_PASSWORD

---@class certs.Identity
---@field cert string path of a PEM file
---@field key string path of a PEM file
---@field password? string of the key

return {
  child = child, -- kept alive with the paths below
  directory = directory,
  --- Signed everything here but `unknown_ca` and `self_signed`.
  ca = { cert = directory .. "/ca.pem" },
  --- For localhost and 127.0.0.1.
  valid = identity("valid"),
  --- Right but for the names in it.
  wrong_name = identity("wrong_name"),
  expired = identity("expired"),
  not_yet_valid = identity("not_yet_valid"),
  --- Signed by a CA that nobody has; it serves as a client certificate no server accepts, too.
  unknown_ca = identity("unknown_ca"),
  self_signed = identity("self_signed"),
  client = identity("client"),
  --- The client's certificate with its key encrypted.
  client_encrypted = client_encrypted,
}
