-- Proves from the symbols of object files that no C file needs itself by way of others. Argument: their folder, with a
-- folder in it for each room.

local needs, home, names = {}, {}, {}

for path in io.popen("find " .. arg[1] .. " -name '*.o' | sort"):lines() do
  local name = path:match "([^/]+/[^/]+)%.o$"
  names[#names + 1], needs[name] = name, {}
  for line in io.popen("nm " .. path):lines() do
    local undefined, kind, symbol = line:match "^%s+U (%S+)", line:match "^%x+ (%a) (%S+)"
    if undefined then
      table.insert(needs[name], undefined)
    elseif kind and kind:find "[TDRBC]" then
      home[symbol] = name
    end
  end
end

local failed, state = false, {}

local function visit(name, way)
  way = way .. name
  if state[name] == "open" then
    failed = true
    return print("layering: a circle of files: " .. way)
  end
  if state[name] then return end
  state[name] = "open"
  for _, symbol in ipairs(needs[name]) do
    local other = home[symbol]
    if other and other ~= name then visit(other, ("%s -(%s)-> "):format(way, symbol)) end
  end
  state[name] = "done"
end

assert(#names > 0, "no object files in " .. arg[1])
for _, name in ipairs(names) do visit(name, "") end
os.exit(failed and 1 or 0)
