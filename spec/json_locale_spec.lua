-- The decimal point of the process's locale changes nothing of what is sent and read, whenever it is set.

local locale = require("spec.support.locale")
local process = require("spec.support.process")

local SOURCE = [[
  local name, first = ...
  if first == "locale first" then assert(os.setlocale(name), "no such locale") end
  local calls = require("spec.support.calls")
  if first ~= "locale first" then assert(os.setlocale(name), "no such locale") end
  assert(require("spec_native").decimal_point() ~= ".")

  local function body(value) return calls.outgoing("send_to_all", { json = value }).body end
  print(body { list = { 0.25, 2, -1.5e300, 1795692917.123456 } })
  print(body { x = 1.5 })

  local function finish(operation, arguments, status, text)
    local call = calls.sending(operation, arguments, { retries = 0 })
    calls.respond(call, 0.25, calls.WALL, 0.5, status, "Content-Type: application/json\r\n", text)
    return call:result()
  end
  local _, err = finish("close_all_connections", nil, 400, '{"code":"C","status":400.5,"message":"wrong"}')
  print(err.code, err.message)
  local page = finish("list_connections_in_group", { group = "g" }, 200,
    '{"took":0.5,"value":[{"connectionId":"c","weight":1.25}]}')
  print(page.items[1].connection)
]]

local EXPECTED = '{"list":[0.25,2,-1.5e+300,1795692917.123456]}\n{"x":1.5}\nC\twrong\nc\n'

describe("JSON", function()
  local directory

  setup(function() directory = locale.make() end)
  teardown(function() locale.remove(directory) end)

  for _, name in ipairs({ "de_DE.UTF-8", "ps_AF.UTF-8" }) do
    for _, order in ipairs({ "locale first", "library first" }) do
      it(("is the same in %s, %s"):format(name, order), function()
        local result = process.run_lua(SOURCE, { arguments = { name, order }, env = { LOCPATH = directory } })
        assert.are.same({ EXPECTED, "" }, { result.stdout, result.stderr })
      end)
    end
  end
end)
