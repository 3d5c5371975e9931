-- Text from outside as it may be shown in a terminal or a log line.

local printable = require("webpubsub.printable")

describe("what is shown of a text", function()
  -- text, what is shown
  local texts = {
    { "", "" },
    { "plain text, 100 % ~", "plain text, 100 % ~" },
    { "caf\195\169 \230\188\162 \240\159\152\128", "caf\195\169 \230\188\162 \240\159\152\128" },
    { "a\27[2J\n\t\0\127", "a\\x1b[2J\\x0a\\x09\\x00\\x7f" },
    { "a\\x1b", "a\\x1b" },
    { "\194\128\194\155\194\159\194\160", "\\u{80}\\u{9b}\\u{9f}\194\160" }, -- C1, and what follows them
    { "\226\128\142\226\128\143\216\156", "\\u{200e}\\u{200f}\\u{61c}" },
    { "\226\128\170\226\128\174\226\129\166\226\129\169", "\\u{202a}\\u{202e}\\u{2066}\\u{2069}" },
    { "\226\128\168\226\128\169", "\\u{2028}\\u{2029}" },
    { "\128\255\195(", "\\x80\\xff\\xc3(" },
    { "\192\175\224\128\175\240\128\128\175", "\\xc0\\xaf\\xe0\\x80\\xaf\\xf0\\x80\\x80\\xaf" }, -- overlong
    { "\237\160\128\244\144\128\128", "\\xed\\xa0\\x80\\xf4\\x90\\x80\\x80" }, -- a surrogate; past the last character
    { "\226\130", "\\xe2\\x82" },
  }
  for index, case in ipairs(texts) do
    it("is the same or has escapes, text " .. index, function()
      assert.are.equal(case[2], printable(case[1]))
    end)
  end

  it("is as long as wished, and never has half a character or escape at its end", function()
    assert.are.equal("abc", printable("abc", 3))
    assert.are.equal("abc...", printable("abcd", 3))
    assert.are.equal("\230\188\162...", printable("\230\188\162\230\188\162", 5))
    assert.are.equal("a...", printable("a\27b", 4))
    assert.are.equal("a\\x1b...", printable("a\27b", 5))
    assert.are.equal(503, #printable(("\27"):rep(1e5), 500))
  end)
end)
