-- The table of error codes knows every code that the library can raise: its sources are searched for them.

local core = require("webpubsub.core")
local project = require("spec.support.project")

-- Where a function that makes errors takes the kind, or its name, and the code: positions of its arguments.
local MAKERS = {
  ["wps_fail"] = { 2, 4 }, ["wps_exchange_fail"] = { 2, 3 }, ["wps_call_failure"] = { 4, 5 },
  ["time_out"] = { "timeout", 2 }, ["fail_with_detail"] = { "transport", 2 },
  ["core.raise"] = { 1, 2 }, [":fail"] = { 1, 2 },
}

-- The arguments of the call whose opening bracket is at `position`.
local function arguments_at(text, position)
  local arguments, depth, start, quoted = {}, 0, position + 1, nil
  while position <= #text do
    local char = text:sub(position, position)
    if quoted then
      if char == "\\" then position = position + 1 elseif char == quoted then quoted = nil end
    elseif char == '"' or char == "'" then
      quoted = char
    elseif char:find("[%(%[{]") then
      depth = depth + 1
    elseif char:find("[%)%]}]") then
      depth = depth - 1
    end
    if depth == 0 and not quoted or char == "," and depth == 1 and not quoted then
      arguments[#arguments + 1] = text:sub(start, position - 1)
      start = position + 1
      if depth == 0 then return arguments end
    end
    position = position + 1
  end
  return arguments
end

local function kind_of(argument)
  return (argument:match("WPS_(%u+)") or argument:match('"(%l+)"') or ""):lower()
end

-- Calls found(kind, code) for each code that the calls of a function in the text name.
local function search_calls(text, name, places, found)
  for start in text:gmatch("()" .. name:gsub("%p", "%%%0") .. "%s*%(") do
    local arguments = arguments_at(text, text:find("(", start, true))
    local kind = type(places[1]) == "string" and places[1] or kind_of(arguments[places[1]] or "")
    for code in (arguments[places[2]] or ""):gmatch('"([%l_]+)"') do found(kind, code) end
  end
end

-- In Lua a file's own `refuse` hands its arguments on to core.raise, as its parameters say.
local function search_refusals(text, found)
  local parameters = text:match("local function refuse(%b())")
  if not parameters then return end
  for place, name in ipairs(arguments_at(parameters, 1)) do
    if name:find("code") then search_calls(text, "refuse", { "argument", place }, found) end
  end
end

-- What is returned or kept in a table: nil, "kind", "code", and the reasons of a connection that could not be opened.
local function search_values(text, found)
  for kind, code in text:gmatch('return nil, "(%l+)", "([%l_]+)"') do found(kind, code) end
  for kind, code in text:gmatch('return "(%l+)", "([%l_]+)"') do found(kind, code) end
  for code in text:gmatch('static const struct reason %w*_?%w* = {%s*"([%l_]+)"') do found("transport", code) end
end

-- Every code in the sources of the library: kind .. " " .. code, with the file that names it.
local function named_codes()
  local named = {}
  for _, folder in ipairs({ "csrc", "lua/webpubsub" }) do
    for _, path in ipairs(project.files(folder)) do
      if not path:find("/cli/") and not path:find("/emulator/") and not path:find("/library/")
        and path:find("%.[cl][ua]?[a]?$") and not path:find("core/codes.c", 1, true) then
        local text = project.read(path):gsub("/%*.-%*/", "")
        local function found(kind, code)
          if kind ~= "" and code ~= "memory" then named[kind .. " " .. code] = path end -- memory: Lua's own error
        end
        for name, places in pairs(MAKERS) do search_calls(text, name, places, found) end
        search_refusals(text, found)
        search_values(text, found)
      end
    end
  end
  return named
end

describe("the table of error codes", function()
  local known, general = {}, {}
  for _, row in ipairs(core.codes()) do
    if row.code then known[row.kind .. " " .. row.code] = row else general[row.kind] = row end
  end

  it("has a row for every code that the library raises", function()
    local count = 0
    for name, path in pairs(named_codes()) do
      count = count + 1
      assert.is_truthy(known[name], ("%s names the code %s, which is not in csrc/core/codes.c"):format(path, name))
    end
    assert.is_true(count > 30, "only " .. count .. " codes were found in the sources")
  end)

  it("has no row that nothing in the library names", function()
    local sources = {}
    for _, folder in ipairs({ "csrc", "lua/webpubsub" }) do
      for _, path in ipairs(project.files(folder)) do
        if path:find("%.[cl][ua]?[a]?$") and not path:find("/library/") and not path:find("core/codes.c", 1, true) then
          sources[#sources + 1] = project.read(path)
        end
      end
    end
    local text = table.concat(sources)
    for name, row in pairs(known) do assert.is_truthy(text:find('"' .. row.code .. '"', 1, true), name) end
  end)

  it("has a row for every kind, before the codes of that kind", function()
    local seen = {}
    for _, row in ipairs(core.codes()) do
      if row.code then assert.is_truthy(seen[row.kind]) else seen[row.kind] = true end
    end
    for _, kind in ipairs({ "argument", "credential", "transport", "timeout", "cancelled", "protocol", "service" }) do
      assert.is_truthy(general[kind], kind)
    end
  end)

  it("names each code of a kind once, in the order of the alphabet", function()
    local before = {}
    for _, row in ipairs(core.codes()) do
      if row.code then
        assert.is_true(not before[row.kind] or before[row.kind] < row.code, row.code)
        before[row.kind] = row.code
      end
    end
  end)

  it("says what each means, in a sentence's part", function()
    for _, row in ipairs(core.codes()) do
      assert.is_true(#row.meaning > 10 and not row.meaning:find("%.$"), row.meaning)
      if row.advice then assert.is_nil(row.advice:find("%.$")) end
    end
  end)

  it("says of each whether it is worth another attempt", function()
    for name, row in pairs(known) do
      local kind = name:match("^%l+")
      if kind ~= "transport" and kind ~= "timeout" then assert.is_false(row.retryable, name) end
      if kind == "timeout" then assert.is_true(row.retryable, name) end
    end
    assert.is_false(known["transport certificate"].retryable)
    assert.is_false(known["transport forked"].retryable)
    assert.is_true(known["transport closed"].retryable)
  end)
end)
