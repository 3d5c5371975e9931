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

local CONTEXT, RETRY = accepted("context"), accepted("retry")

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
    for _, text in ipairs({ readme.text, project.read("spec/generate/guide.md") }) do
      local blocks = readme.blocks("lua", text)
      assert.is_true(#blocks >= 4, #blocks)
      for _, block in ipairs(blocks) do readme.run(block, environment) end
    end
    assert.is_true(checked >= 5, checked)
  end)
end)

describe("the guide", function()
  local guide = project.read("spec/generate/guide.md")

  it("shows the settings of retrying as they are", function()
    local retry = readme.literal(guide:match("retry = ({.-})[,\n]%s*}?"):match("^{.*}"))
    assert.are.same(RETRY, sorted(retry))
    assert.is_truthy(webpubsub.new({ endpoint = "https://h", key = "k", hub = "chat", retry = retry }))
  end)
end)

describe("the context of a call", function()
  it("is described whole in the help", function()
    local names = {}
    local text = require("webpubsub.help").text("close_user_connections")
    for line in text:match("\n    context [^\n]*\n(.-)\n  }"):gmatch("[^\n]+") do
      names[line:match("^      ([%w_]+) ")] = true
    end
    assert.are.same(CONTEXT, sorted(names))
  end)
end)

describe("the README", function()
  it("has at most 10 KB, and leads to pages that exist", function()
    assert.is_true(#readme.text <= 10240, #readme.text)
    local found = 0
    for path in readme.text:gmatch("%]%(([%w_./]+)[#)]") do
      found = found + 1
      assert.is_truthy(#project.read(path) > 0, path)
    end
    assert.is_true(found >= 10, found)
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
