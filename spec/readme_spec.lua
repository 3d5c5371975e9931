-- The README tells the truth: its code runs, its options and targets are the real ones.

local core = require("webpubsub.core")
local webpubsub = require("webpubsub")
local launch = require("webpubsub.emulator.launch")
local project = require("spec.support.project")
local readme = require("spec.support.readme")

local function sorted(set)
  local names = {}
  for name in pairs(set) do names[#names + 1] = name end
  table.sort(names)
  return names
end

local function accepted(place)
  local names = {}
  for _, option in ipairs(core.options(place)) do names[option.name] = true end
  return sorted(names)
end

local OPTIONS, CONTEXT, RETRY = accepted("new"), accepted("context"), accepted("retry")

describe("the README's code", function()
  local emulator, environment, printed, checked

  setup(function()
    emulator = launch({ quiet = true })
    local function without_times(text)
      return (text:gsub("%d+ ms", "some ms"):gsub("^README%.md:%d+: ", "")) -- the line is the block's
    end
    environment = setmetatable({
      print = function(...)
        local words = {}
        for i = 1, select("#", ...) do words[i] = tostring((select(i, ...))) end
        printed = table.concat(words, "\t")
      end,
      expect = function(text)
        assert.are.equal(without_times(text), without_times(printed))
        checked = checked + 1
      end,
      show = function(value, comment, is_result)
        local expected = readme.literal(comment)
        if is_result and expected ~= nil then
          assert.are.equal(expected, value)
          checked = checked + 1
        else
          assert.is_truthy(value ~= nil, comment)
        end
      end,
      os = setmetatable({ getenv = function(name)
        assert.are.equal("WebPubSubConnectionString", name)
        return emulator.connection_string
      end }, { __index = os }),
    }, { __index = _G })
  end)
  teardown(function() emulator.stop() end)

  it("runs as it stands, and shows what it says", function()
    checked = 0
    local blocks = readme.blocks("lua")
    assert.is_true(#blocks >= 5, #blocks)
    for _, block in ipairs(blocks) do readme.run(block, environment) end
    assert.is_true(checked >= 5, checked)
  end)
end)

describe("the README's options", function()
  local rows = readme.text:match("\n| option |[^\n]*\n[^\n]*\n(.-)\n\n")

  it("are the client's, all of them and no others", function()
    local names = {}
    for cell in (rows .. "\n"):gmatch("| (.-) | [^\n]*\n") do
      for name in cell:gmatch("`([%w_]+)`") do names[name] = true end
    end
    assert.are.same(OPTIONS, sorted(names))
  end)

  it("for retrying are accepted as they stand", function()
    local retry = readme.literal(rows:match("| `retry` | `({.-})` |"))
    assert.are.same(RETRY, sorted(retry))
    assert.is_truthy(webpubsub.new({ endpoint = "https://h", key = "k", hub = "chat", retry = retry }))
  end)
end)

describe("the context of a call", function()
  it("is described whole in the README", function()
    local section = readme.text:match("\n## The context of one call\n(.-)\n## ")
    for _, name in ipairs(CONTEXT) do
      assert.is_truthy(section:find("%f[%w_]" .. name .. "%f[^%w_]"), name)
    end
  end)

  it("is described whole in the help", function()
    local names = {}
    local text = require("webpubsub.help").text("close_user_connections")
    for line in text:match("\n    context [^\n]*\n(.-)\n  }"):gmatch("[^\n]+") do
      names[line:match("^      ([%w_]+) ")] = true
    end
    assert.are.same(CONTEXT, sorted(names))
  end)
end)

describe("the README's make targets", function()
  it("exist", function()
    local code = readme.spans()
    for _, block in ipairs(readme.blocks("sh")) do code[#code + 1] = block end
    local makefile, found = project.read("Makefile") .. "\n" .. project.read("spec/spec.mk")
      .. "\n" .. project.read("spec/bench/bench.mk"), 0
    for words in table.concat(code, "\n"):gmatch("%f[%w]make( [^\n#&]*)") do
      for target in (words .. "\n"):gmatch(" ([%l-]+)%f[%s]") do
        found = found + 1
        assert.is_truthy(("\n" .. makefile):find("\n" .. target:gsub("%-", "%%-") .. ":"), target)
      end
    end
    assert.is_true(found >= 5, found)
  end)
end)
