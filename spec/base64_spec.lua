-- Base64 (RFC 4648) as the core writes and reads it.

local core = require("webpubsub.core")

-- Section 10 of the RFC, and bytes whose text has the two characters in which the alphabets differ.
local vectors = {
  [""] = "", f = "Zg==", fo = "Zm8=", foo = "Zm9v", foob = "Zm9vYg==", fooba = "Zm9vYmE=", foobar = "Zm9vYmFy",
  ["\251\255\190"] = "+/++", ["\0"] = "AA==", ["\0\0\0"] = "AAAA",
}

describe("base64", function()
  it("is written with padding, in the standard alphabet", function()
    for bytes, text in pairs(vectors) do assert.are.equal(text, core.base64(bytes)) end
  end)

  it("is read back, whatever the bytes", function()
    for bytes, text in pairs(vectors) do assert.are.equal(bytes, core.decode_base64(text)) end
    local all = {}
    for byte = 0, 255 do all[byte + 1] = string.char(byte) end
    all = table.concat(all)
    for length = 250, 256 do
      local bytes = all:sub(1, length)
      assert.are.equal(bytes, core.decode_base64(core.base64(bytes)))
    end
    local long = all:rep(1000)
    assert.is_true(core.decode_base64(core.base64(long)) == long)
  end)

  it("is read in both alphabets, with or without padding", function()
    assert.are.equal("\251\255\190", core.decode_base64("-_--"))
    assert.are.equal("fo", core.decode_base64("Zm8"))
    assert.are.equal("f", core.decode_base64("Zg="))
  end)

  it("that is none is told", function()
    for _, text in ipairs({ "Z", "Zm9vY", "Zm 9", "Zm9v\n", "Zm=9", "====", "Zg===", "Zm9v!", "\255\255\255\255" }) do
      assert.is_nil(core.decode_base64(text), text)
    end
  end)
end)
