-- The page about credentials tells the truth: its code makes them all, and its lists are complete.

local core = require("webpubsub.core")
local credential = require("webpubsub.credential")
local process = require("spec.support.process")
local project = require("spec.support.project")
local readme = require("spec.support.readme")

local page = project.read("lua/webpubsub/credential/README.md")

describe("the page about credentials", function()
  it("has code that runs", function()
    local pipe = io.popen("mktemp -d")
    local folder = pipe:read("*l")
    pipe:close()
    finally(function() os.execute("rm -rf " .. folder) end)
    assert.are.equal(0, process.run({ "sh", "-c", "openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=app "
      .. "-keyout k -out c && cat c k >app.pem" }, { directory = folder }).code)
    local code = table.concat(readme.blocks("lua", page)):gsub("/etc/contoso/app%.pem", folder .. "/app.pem")
    local result = process.run_lua(code .. [[
      for _, made in ipairs { client, in_azure, one_of_several, in_kubernetes, elsewhere, with_certificate, with_secret,
        as_myself, as_developer, anywhere, own, with_function, from_string } do print(made) end]],
      { env = { AZURE_TENANT_ID = "t", AZURE_CLIENT_ID = "c", AZURE_FEDERATED_TOKEN_FILE = "f", APP_SECRET = "s",
        APP_CERTIFICATE_PASSWORD = "unused" } })
    assert.are.same({ 0, "" }, { result.code, result.stderr })
    assert.are.equal(13, select(2, result.stdout:gsub("\n", "")))
  end)

  it("names every kind of credential, every option, and every environment variable that is read", function()
    for name in pairs(credential.kinds) do
      assert.is_truthy(page:find("credential." .. name, 1, true), name)
      if name ~= "chain" and name ~= "azure_developer_cli" then
        for _, option in ipairs(core.options(name)) do
          assert.is_truthy(page:find("`" .. option.name, 1, true), option.name)
        end
      end
    end
    local pipe = io.popen("cat " .. project.root .. "lua/webpubsub/credential/*.lua")
    for variable in pipe:read("*a"):gmatch('"(AZURE_[%u_]+)"') do
      assert.is_truthy(page:find(variable, 1, true), variable)
    end
    pipe:close()
  end)
end)
