--- Requests as the service sends them to an event handler, signed without the library.

local process = require("spec.support.process")

local service = { KEY = "primary 5ecr3t", SECOND_KEY = "secondary 5ecr3t", CONNECTION = "wnAwlRSqt8PbCPWd0GvN9A" }

local hashes = {}

--- HMAC-SHA256 as OpenSSL's command line writes it, in lower-case hexadecimal.
---@param key string
---@param text string
---@return string
function service.hash(key, text)
  local name = key .. "\0" .. text
  if not hashes[name] then
    local hex = key:gsub(".", function(byte) return ("%02x"):format(byte:byte()) end)
    local result = process.run({ "openssl", "dgst", "-sha256", "-mac", "HMAC", "-macopt", "hexkey:" .. hex, "-r" },
      { stdin = text })
    hashes[name] = assert(result.stdout:match("^%x+"), result.stderr)
  end
  return hashes[name]
end

--- The header ce-signature for a connection: one hash for each key.
---@param connection string
---@param ... string  keys
---@return string
function service.signature(connection, ...)
  local parts = {}
  for index, key in ipairs({ ... }) do parts[index] = "sha256=" .. service.hash(key, connection) end
  return table.concat(parts, ",")
end

--- The headers of an event of the service, which has two keys; `more` adds others, or with false takes some away.
---@param name string  of its type, without "azure.webpubsub."
---@param more? table<string, string|string[]|false>
---@return table<string, string|string[]>
function service.headers(name, more)
  local connection = more and type(more["ce-connectionId"]) == "string" and more["ce-connectionId"]
    or service.CONNECTION
  local headers = {
    Host = "example.net", ["Content-Type"] = "application/json; charset=utf-8",
    ["WebHook-Request-Origin"] = "contoso.webpubsub.azure.com",
    ["ce-awpsversion"] = "1.0", ["ce-specversion"] = "1.0", ["ce-type"] = "azure.webpubsub." .. name,
    ["ce-source"] = "/hubs/chat/client/" .. connection, ["ce-id"] = "7",
    ["ce-time"] = "2026-11-26T15:00:00Z", ["ce-hub"] = "chat", ["ce-connectionId"] = service.CONNECTION,
    ["ce-eventName"] = name:match("^%w+%.(.*)$"),
    ["ce-signature"] = service.signature(connection, service.KEY, service.SECOND_KEY),
  }
  for header, value in pairs(more or {}) do headers[header] = value or nil end
  return headers
end

return service
