-- What the real lua-language-server makes of the annotations. Where it is not on the PATH nothing is tried: Debian has
-- no package of it.

local process = require("spec.support.process")
local project = require("spec.support.project")

local SERVER = "lua-language-server"

-- Six mistakes, and the line that the language server must complain about in each.
local MISTAKES = [[
local webpubsub = require "webpubsub"
local client = webpubsub.new { connection_string = "Endpoint=https://a.example;AccessKey=k;", hub = "chat",
  timeout = "5" } -- a string in the place of a number
client:close_user_conections { user = "alice" } -- no such method
client:close_user_connections { user = "alice", excluded = "conn-1" } -- a string in the place of a list
client:close_user_connections { reason = "signed in elsewhere" } -- without what is required
client:grant_permission { permission = "sendToGroups", connection = "c", group = "g" } -- none of the choices
local response = client:close_user_connections { user = "alice", reason = "signed in elsewhere" }
print(response.staus) -- no such field
]]
local EXPECTED = {
  "3: Cannot assign `string` to `number?`.",
  "4: Undefined field `close_user_conections`.",
  "5: Cannot assign `string` to `string[]?`.",
  "6: Missing required fields in type `webpubsub.CloseUserConnections`: `user`",
  "7: Cannot assign `string` to `\"joinLeaveGroup\"|\"sendToGroup\"`.",
  "9: Undefined field `staus`.",
}

-- The settings that lua/webpubsub/README.md shows, but for the folder.
local SETTINGS = [[
{ "workspace.library": ["%s"], "type.checkTableShape": true, "workspace.checkThirdParty": false }]]

local function output_of(...)
  return (process.run({ ... }).stdout:gsub("\n$", ""))
end

-- What the server says of a file in a folder of its own, as "line: message".
local function complaints_about(source, library)
  local top = output_of("mktemp", "-d")
  local folder = top .. "/game"
  finally(function() process.run({ "rm", "-rf", top }) end)
  process.run({ "mkdir", folder })
  for name, text in pairs { ["game.lua"] = source, [".luarc.json"] = SETTINGS:format(library) } do
    local file = assert(io.open(folder .. "/" .. name, "w"))
    file:write(text)
    file:close()
  end
  process.run({ SERVER, "--check=" .. folder, "--checklevel=Hint", "--check_format=json",
    "--check_out_path=" .. top .. "/out", "--logpath=" .. top .. "/log", "--metapath=" .. top .. "/meta" },
    { timeout = 120 })
  local file = assert(io.open(top .. "/out"))
  local found = require("cjson").decode(file:read("*a"))
  file:close()
  local lines = {}
  for _, list in pairs(found) do
    for _, complaint in ipairs(list) do
      lines[#lines + 1] = ("%d: %s"):format(complaint.range.start.line + 1, complaint.message:match("^[^\n]*"))
    end
  end
  table.sort(lines)
  return lines
end

describe("lua-language-server", function()
  local here = output_of("sh", "-c", "command -v " .. SERVER)
  if here == "" then
    pending("finds the mistakes: it is not on the PATH")
    return
  end
  local root = output_of("realpath", project.root)

  -- The folder where Lua looks for modules, in which all other files are too; and the one with nothing else in it.
  for _, library in ipairs { "/lua", "/lua/webpubsub/library" } do
    it("finds six mistakes in a file of six, with " .. library:match("[^/]*$") .. " as its library", function()
      assert.are.same(EXPECTED, complaints_about(MISTAKES, root .. library))
    end)
  end

  it("has nothing to say of the program in the README", function()
    assert.are.same({}, complaints_about([[
      local webpubsub = require "webpubsub"
      local client = webpubsub.new { connection_string = os.getenv "WebPubSubConnectionString", hub = "chat" }
      local response = client:close_user_connections { user = "alice", excluded = { "conn-1" }, reason = "r",
        context = { timeout = 5, request_id = "7", headers = { ["X-Game"] = "1" }, retries = 0 } }
      print(response.status, response.headers["Date"])
      local task = client:user_exists_async { user = "alice" }
      task:on_done(function(exists, err) print(exists, err) end)
      for member in client:list_connections_in_group { group = "g" } do print(member.connection, member.user) end
      client:each("close_user_connections", { "alice", "bob" }, { concurrency = 2 })
]], root .. "/lua"))
  end)
end)
