-- What comes from outside commands no terminal, hides nothing and breaks no line.

local printable = require("webpubsub.printable")

describe("printable text", function()
  it("is as it was where everything in it can be seen", function()
    for _, text in ipairs({ "", "plain", "zoë 😀 日本", "\\x1b is text", ("x"):rep(5000) }) do
      assert.are.equal(text, printable(text))
    end
  end)

  local shown = {
    ["\0"] = "\\x00", ["\27[31m"] = "\\x1b[31m", ["a\nb\r\tc"] = "a\\x0ab\\x0d\\x09c", ["\127"] = "\\x7f",
    ["\194\128"] = "\\u{80}", ["\194\133"] = "\\u{85}", ["\194\159"] = "\\u{9f}", ["\194\160"] = "\194\160",
    ["\216\156"] = "\\u{61c}", ["\226\128\142\226\128\143"] = "\\u{200e}\\u{200f}",
    ["\226\128\168\226\128\169"] = "\\u{2028}\\u{2029}", ["x\226\128\174y"] = "x\\u{202e}y",
    ["\226\128\170\226\128\173"] = "\\u{202a}\\u{202d}", ["\226\129\166\226\129\169"] = "\\u{2066}\\u{2069}",
    ["\226\128\175\226\129\165"] = "\226\128\175\226\129\165",
    ["\128"] = "\\x80", ["\255\254"] = "\\xff\\xfe", ["caf\233"] = "caf\\xe9", ["\195"] = "\\xc3",
    ["\226\130"] = "\\xe2\\x82", ["\192\175"] = "\\xc0\\xaf", ["\224\128\175"] = "\\xe0\\x80\\xaf",
    ["\237\160\128"] = "\\xed\\xa0\\x80", ["\244\144\128\128"] = "\\xf4\\x90\\x80\\x80", ["\195\40"] = "\\xc3(",
    ["\240\159\152\128"] = "😀", ["\238\128\128"] = "\238\128\128",
  }
  for text, expected in pairs(shown) do
    it("shows " .. expected, function() assert.are.equal(expected, printable(text)) end)
  end

  it("shows every byte and every code point of two bytes so that it is printable again", function()
    for first = 0, 255 do
      for second = 0, 255 do
        local text = printable(string.char(first, second))
        assert.is_nil(text:find("[%z\1-\31\127]"))
        assert.are.equal(text, printable(text))
      end
    end
  end)

  it("is cut on a character's border, and within no escape", function()
    assert.are.equal("abc...", printable("abcd", 3))
    assert.are.equal("abcd", printable("abcd", 4))
    assert.are.equal("é...", printable("éé", 3))
    assert.are.equal("éé", printable("éé", 4))
    assert.are.equal("a...", printable("a\27b", 4))
    assert.are.equal("a\\x1b...", printable("a\27b", 5))
    assert.are.equal("...", printable("x", 0))
    assert.are.equal("", printable("", 0))
  end)
end)
