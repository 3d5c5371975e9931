-- What every row of the operations table must be, for the core to carry it out as it stands: a new row that is wrong is
-- refused here, not in a user's program.

local core = require("webpubsub.core")

local METHODS = { GET = true, HEAD = true, POST = true, PUT = true, DELETE = true }
local TYPES = { string = true, integer = true, any = true, ["list of strings"] = true }
local MOST_PARAMETERS = 8

local function set_of(parameters, field)
  local set = {}
  for _, parameter in ipairs(parameters) do
    assert.is_nil(set[parameter[field]], parameter[field])
    set[parameter[field]] = parameter
  end
  return set
end

-- The problems of a row, in words.
local function problems_of(operation)
  local problems, in_braces, by_name, position = {}, {}, {}, {}
  local function expect(condition, ...)
    if not condition then problems[#problems + 1] = table.concat({ ... }, " ") end
  end

  expect(operation.name:find("^%l[%l_]*%l$"), "name")
  expect(METHODS[operation.method], "method", operation.method)
  expect(operation.path:find("^/api/"), "path")
  expect(not operation.path:find("[^%w/:{}_-]"), "path has a character that would have to be escaped")
  expect(operation.success >= 200 and operation.success <= 299, "success")
  expect(operation.result ~= "exists" or operation.method == "HEAD", "a question is asked with HEAD")
  expect(#operation.parameters <= MOST_PARAMETERS, "too many parameters")
  for name in operation.path:gmatch("{([^}]*)}") do
    expect(not in_braces[name], name, "stands twice in the path")
    in_braces[name] = true
  end
  in_braces.hub = nil

  for index, parameter in ipairs(operation.parameters) do
    local name, place = parameter.name, parameter.place
    expect(not by_name[name], name, "is there twice")
    by_name[name], position[name] = parameter, index
    expect(name ~= "context", "context is every call's")
    expect(TYPES[parameter.type], name, "has no type")
    expect((place == "path") == (in_braces[name] or false), name, "is in the path, or in braces, but not both")
    expect(place ~= "path" or parameter.type == "string", name, "cannot be a", parameter.type, "in a path")
    expect(place ~= "path" or parameter.required, name, "could be missing in the path")
    expect(place == "query" or parameter.type ~= "integer", name, "is an integer outside of the query")
    expect(place ~= "query" or parameter.wire ~= "", name, "has no name in the query")
    expect(place ~= "query" or not parameter.wire:find("[^%w._~-]"), name, "would have to be escaped in the query")
    expect(place ~= "body" or operation.method ~= "GET" and operation.method ~= "HEAD", name, "is a body of a",
      operation.method)
    expect(parameter.type ~= "integer" or parameter.minimum <= parameter.maximum, name, "has no range")
  end
  for name in pairs(in_braces) do expect(by_name[name], name, "is in braces and no parameter") end

  local content, json, content_type = position.content, position.json, position.content_type
  expect(not content == not json and not content == not content_type, "content, json, content_type go together")
  if content and json and content_type then
    expect(content < json and json < content_type, "content, json, content_type come in this order")
    for name, parameter in pairs(by_name) do
      expect(parameter.place ~= "body" or name:find("content") or name == "json", name, "beside a message in the body")
    end
  end
  return problems
end

local function assert_sound(operation)
  assert.are.same({}, problems_of(operation), operation.name)
end

describe("the operations table", function()
  for _, operation in ipairs(core.operations()) do
    it("has a sound row " .. operation.name, function() assert_sound(operation) end)
  end

  it("has no name twice", function() set_of(core.operations(), "name") end)
end)

describe("a row of the operations table is not sound", function()
  local function row(changes)
    local changed = {}
    for _, operation in ipairs(core.operations()) do
      if operation.name == "send_to_user" then changed = operation end
    end
    changes(changed, changed.parameters)
    return changed
  end

  local wrong = {
    ["with the wire's name in braces"] = function(operation) operation.path = "/api/users/{userId}/:send" end,
    ["with braces that are no parameter"] = function(operation) operation.path = operation.path .. "/{group}" end,
    ["with a parameter that is missing in the path"] = function(operation) operation.path = "/api/hubs/{hub}/:send" end,
    ["with content and no json"] = function(_, parameters) table.remove(parameters, 5) end,
    ["with an integer in the body"] = function(_, parameters) parameters[3].place = "body" end,
    ["with an optional parameter in the path"] = function(_, parameters) parameters[1].required = false end,
    ["with a list in the path"] = function(_, parameters) parameters[1].type = "list of strings" end,
    ["with another member beside the message"] = function(_, parameters) parameters[2].place = "body" end,
    ["with too many parameters"] = function(_, parameters)
      for index = 1, 3 do
        parameters[#parameters + 1] = { name = "p" .. index, wire = "p" .. index, type = "string", place = "query" }
      end
    end,
  }
  for name, changes in pairs(wrong) do
    it(name, function() assert.are_not.same({}, problems_of(row(changes))) end)
  end
end)
