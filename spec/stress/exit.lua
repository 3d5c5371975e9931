-- exit.lua ORIGIN WAY [CA_FILE]: ends the process in that way while exchanges are in flight.

local curl = require "webpubsub.curl"

local origin, way, ca_file = ...
local IN_FLIGHT = 150 -- more than run at once

local background = curl.background()
local profile = assert(curl.profile { origin = origin, proxy = false, ca_file = ca_file })
local exchanges = {}
for index = 1, IN_FLIGHT do exchanges[index] = background:submit(profile, "POST", "/exit", "", nil, 60, 60) end
background:wait(math.random() * 0.02)
for index = 1, 10 do exchanges[index]:cancel() end

local ways = {
  ["return"] = function() end,
  exit = function() os.exit(0) end,
  close = function() os.exit(0, true) end,
  error = function() error("on purpose") end,
  ["coroutine exit"] = function() coroutine.wrap(function() os.exit(0) end)() end,
  ["coroutine close"] = function() coroutine.wrap(function() os.exit(0, true) end)() end,
  ["coroutine error"] = function() coroutine.wrap(function() error("on purpose") end)() end,
  forgotten = function() exchanges, background, profile = nil, nil, nil end, -- luacheck: ignore 311
}
ways[way]()
