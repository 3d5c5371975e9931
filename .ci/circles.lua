-- Proves from the `require` lines of the library that no file needs itself by way of others, and that arrows point one
-- way: sending knows no tasks, hosts know neither calls nor transports.

local ROOT = "lua/"

-- Files below the first may not require files below the second.
local forbidden = {
  { "webpubsub/host/", "webpubsub/transport/" }, { "webpubsub/host/", "webpubsub/driver" },
  { "webpubsub/host/", "webpubsub/task" }, { "webpubsub/host/", "webpubsub/client" },
  { "webpubsub/driver", "webpubsub/credential/" }, { "webpubsub/credential/", "webpubsub/task" },
  { "webpubsub/driver", "webpubsub/task" }, { "webpubsub/driver", "webpubsub/client" },
  { "webpubsub/transport/", "webpubsub/task" }, { "webpubsub/transport/", "webpubsub/driver" },
  { "webpubsub/task", "webpubsub/client" }, { "webpubsub/", "webpubsub/client", except = "webpubsub/init" },
}

local function path_of(module)
  if module:sub(-1) == "." then return nil end -- the rest is not known before it runs
  local path = module:gsub("%.", "/")
  for _, name in ipairs { path, path .. "/init" } do
    local file = io.open(ROOT .. name .. ".lua")
    if file then
      file:close()
      return name
    end
  end
end

local needs, names = {}, {}
for path in io.popen("find " .. ROOT .. " -name '*.lua'"):lines() do
  local name = path:sub(#ROOT + 1, -#".lua" - 1)
  names[#names + 1], needs[name] = name, {}
  for line in io.lines(path) do
    for module in line:gmatch "require%s*%(?%s*[\"'](webpubsub[%w_.]*)[\"']" do
      local needed = not line:match "^%s*%-%-" and path_of(module) -- nil: one of the C modules
      if needed then table.insert(needs[name], needed) end
    end
  end
end
table.sort(names)

local failed, state = false, {}
local function report(...)
  failed = true
  print("layering: " .. string.format(...))
end

local function visit(name, way)
  way = way .. name
  if state[name] == "open" then return report("a circle of files: %s", way) end
  if state[name] then return end
  state[name] = "open"
  for _, needed in ipairs(needs[name]) do visit(needed, way .. " -> ") end
  state[name] = "done"
end

local function starts(name, with)
  return name == with or name:sub(1, #with) == with and (with:sub(-1) == "/")
end

for _, name in ipairs(names) do
  visit(name, "")
  for _, needed in ipairs(needs[name]) do
    for _, rule in ipairs(forbidden) do
      if starts(name, rule[1]) and starts(needed, rule[2]) and name ~= rule.except then
        report("%s must not require %s", name, needed)
      end
    end
  end
end
os.exit(failed and 1 or 0)
