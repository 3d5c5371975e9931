local curl = require("webpubsub.curl")
local certs = require("spec.support.certs")

describe("a profile", function()
  local function refused(options)
    local made, kind, code, message = curl.profile(options)
    assert.is_nil(made)
    assert.are.equal("argument", kind)
    return code, message
  end

  it("takes an origin and nothing but an origin", function()
    for _, origin in ipairs({ "https://h", "http://h:8080", "https://[::1]:443", "https://h/" }) do
      assert.is_userdata(curl.profile({ origin = origin }))
    end
    for _, origin in ipairs({ "h", "ftp://h", "https://h/path", "https://h?q", "https://h/?q=1", "https://u:secret@h",
      "https://h#f", "https://", "https://h:99999", "https://a b" }) do
      local code, message = refused({ origin = origin })
      assert.are.equal("invalid", code, origin)
      assert.is_nil(message:find("secret", 1, true))
    end
  end)

  it("reads every file before there is any I/O", function()
    local directory, missing = certs.directory, certs.directory .. "/missing"
    for _, option in ipairs({ "ca_file", "client_cert", "client_key" }) do
      local options = { origin = "https://h", client_cert = certs.client.cert }
      for path, reason in pairs({ [missing] = "No such file", [directory] = "directory", ["/dev/null"] = "empty" }) do
        options[option] = path
        local code, message = refused(options)
        assert.are.equal("unreadable", code)
        assert.is_truthy(message:find(option, 1, true) and message:find(path, 1, true), message)
        assert.is_truthy(message:find(reason, 1, true), message)
      end
    end
  end)

  it("needs a certificate for a key", function()
    assert.are.equal("missing", (refused({ origin = "https://h", client_key = certs.client.key })))
  end)

  it("takes proxies libcurl knows, and quotes none", function()
    for _, proxy in ipairs({ "http://p:3128", "https://u:pw@p", "socks5h://p:1080", "socks4a://p" }) do
      assert.is_userdata(curl.profile({ origin = "https://h", proxy = proxy }))
    end
    for _, proxy in ipairs({ "p:3128", "ftp://p", "http://", "secret" }) do
      local code, message = refused({ origin = "https://h", proxy = proxy })
      assert.are.equal("invalid", code)
      assert.is_nil(message:find("secret", 1, true))
    end
  end)

  it("names the option at fault", function()
    local wrong = {
      ["did you mean 'ca_file'"] = { cafile = "x" },
      ["ca_file must be a string"] = { ca_file = 1 },
      ["proxy must be a string"] = { proxy = true },
      ["client_key must be a string"] = { client_key = "a\0b" },
      ["connect_timeout must be"] = { connect_timeout = 0 },
      ["idle_timeout must be"] = { idle_timeout = -1 },
      ["max_connection_age must be"] = { max_connection_age = "old" },
      ["profile has no option 'http2'"] = { http2 = true },
      ["max_response_bytes must be a number"] = { max_response_bytes = "many" },
      ["max_header_bytes must be a whole"] = { max_header_bytes = 1.5 },
      ["max_connections must be a number"] = { max_connections = 0 },
      ["max_connections must be a whole"] = { max_connections = 1.5 },
    }
    for message, options in pairs(wrong) do
      options.origin = "https://h"
      local ok, problem = pcall(curl.profile, options)
      assert.is_false(ok)
      assert.is_truthy(problem:find(message, 1, true), problem)
    end
    assert.has_error(function() curl.profile({}) end)
  end)
end)
