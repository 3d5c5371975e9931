--- What the programs over the library share: a client of the bench's, its calls, and when a program is over.

local webpubsub = require "webpubsub"

local now = require("webpubsub.curl").now

local FIRST_USER = 1000

local client = { now = now }

--- A client; a CA file of "-" is none.
---@param origin string
---@param ca_file string
---@param connections integer?  as many as there may be
function client.new(origin, ca_file, connections)
  return webpubsub.new {
    endpoint = origin, key = "a key of the usual length, 44 characters long", hub = "bench", proxy = false,
    ca_file = ca_file ~= "-" and ca_file or nil, max_connections = connections,
    connect_timeout = 60, attempt_timeout = 60, timeout = 120, retry = { retries = 0 },
  }
end

--- The arguments of one more call.
function client.arguments(number)
  return { user = "user-" .. FIRST_USER + number, excluded = { "conn-1" }, reason = "signed in elsewhere" }
end

--- A program's LIMIT, "1.5s" or a number of calls: returns what tells whether it is reached, with `calls` made since.
function client.limit(text)
  local seconds, most = tonumber(text:match("^(.*)s$")), tonumber(text)
  local start = now()
  return function(calls)
    if seconds then return now() - start >= seconds end
    return calls >= most
  end, start
end

return client
