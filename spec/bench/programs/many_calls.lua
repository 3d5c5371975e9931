-- many_calls.lua ORIGIN FROM TO CONCURRENCY RESULTS: closes the connections of users by their numbers with `each`;
-- writes the number of each result into a file and prints the summary.

local webpubsub = require "webpubsub"

local origin, path = arg[1], arg[5]
local number, last = tonumber(arg[2]) - 1, tonumber(arg[3])
local first = number

local client = webpubsub.new {
  endpoint = origin, key = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789ABCDEFGH", hub = "bench",
  retry = { retries = 1, delay = 0.1 },
}
local results = assert(io.open(path, "w"))
results:setvbuf("line")
local place, displaced = 0, 0

local summary = client:each("close_user_connections", function()
  number = number + 1
  return number <= last and "user-" .. number or nil
end, {
  concurrency = tonumber(arg[4]),
  on_result = function(result)
    place = place + 1
    displaced = math.max(displaced, math.abs(result.index - place))
    results:write(first + result.index, "\n")
  end,
})
results:close()

local kinds = { service = 0, transport = 0 }
for _, failure in ipairs(summary.failures) do
  kinds[failure.error.kind] = (kinds[failure.error.kind] or 0) + 1
end
print(("total=%d succeeded=%d failed=%d through=%d rate=%f interrupted=%s displaced=%d service=%d transport=%d"):format(
  summary.total, summary.succeeded, summary.failed, first + summary.completed_through, summary.rate,
  tostring(summary.interrupted or false), displaced, kinds.service, kinds.transport))
