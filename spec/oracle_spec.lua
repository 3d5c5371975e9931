-- The same responses, well-formed and broken, through our exchange and through libcurl's own HTTP: what both take, they
-- take alike, and where only one takes it, it is known why ours is right. `make oracle` asks for ten times as many.

if _VERSION ~= "Lua 5.4" then return end -- no Lua is in it: once is enough

local process = require("spec.support.process")
local project = require("spec.support.project")

local RESPONSES = tonumber(os.getenv("ORACLE_RESPONSES") or 10000)
local SEED = 20241201
local COMPILE_SECONDS, RUN_SECONDS = 60, 120
local ORACLE = "build/oracle/oracle"

-- Every way in which the two differ, and why ours is right. There is one kind of server to talk to, which sends nothing
-- of the sort: what does is broken, or smuggles a response. RFC 9112 names most of them.
local RIGHT = {
  ["a line of the response does not end with CR LF"] =
    "A bare LF ends a line for one reader and not for another (2.2), so two readers see two responses.",
  ["the response has a folded header line"] =
    "Folding is obsolete (5.2); who unfolds and who does not see other headers, and libcurl 7.88 other memory.",
  ["the response has a header line that is not \"Name: value\", or has control bytes"] =
    "A name is a token directly before its colon (5.1), and CR, LF and NUL in a value are dangerous (RFC 9110, 5.5).",
  ["the response's status line has a control byte"] = "A reason is blanks, tabs and visible bytes (4).",
  ["the response's status is not a number from 100 to 599"] =
    "A status is three digits and a blank (4); above 599 it has no meaning (RFC 9110, 15).",
  ["the response is of an HTTP version other than 1.0 and 1.1"] =
    "A version is two digits (2.3), and no other was asked for.",
  ["the response does not begin with an HTTP status line"] = "What begins otherwise is no response (4).",
  ["the server switches protocols, which was not asked for"] =
    "101 answers an Upgrade header (RFC 9110, 15.2.2), which is never sent; what follows it is no response.",
  ["the connection was closed in the middle of the response"] =
    "A head ends with an empty line (2.1): without, the headers that are missing might have said the most.",
  ["the response's Content-Length is not a number of bytes"] =
    "It is digits alone (6.3, 5.): where readers disagree about a length, a second response hides in the first.",
  ["the response has several Content-Lengths that differ"] = "Which of them counts is anybody's guess (6.3, 5.).",
  ["the response has both Content-Length and Transfer-Encoding"] =
    "It may be an attempt to smuggle a response, and ought to be handled as an error (6.3, 3.).",
  ["the response has a Transfer-Encoding other than chunked"] =
    "None was asked for, and without chunked as the last there is no telling where the body ends (6.3, 4.).",
  ["the response is chunked, which HTTP/1.0 does not know"] = "Its framing is faulty (6.1), and it is an error.",
  ["the response has a chunk whose size is not a hexadecimal number"] =
    "A size is hexadecimal digits (7.1); nothing but an extension without control bytes may follow.",
  ["the response has a chunk that is longer than its size"] = "CR LF ends a chunk's data (7.1), and nothing else does.",
}

describe(("of %d responses, our HTTP and libcurl's"):format(RESPONSES), function()
  local version, taken, refused, differing

  setup(function()
    local made = process.run({ "make", "-s", "-C", project.root, ORACLE },
      { env = { MAKEFLAGS = false, MAKELEVEL = false }, timeout = COMPILE_SECONDS })
    assert.are.equal(0, made.code, made.stderr)
    local result = process.run({ project.root .. ORACLE, tostring(RESPONSES), tostring(SEED) },
      { timeout = RUN_SECONDS })
    assert.are.equal(0, result.code, result.stdout .. result.stderr)
    differing = {}
    for line in result.stdout:gmatch("[^\n]+") do
      if version then
        differing[#differing + 1] = line
      else
        version, taken, refused = line:match("^(.*)\t(%d+)\t(%d+)$")
      end
    end
  end)

  it("take and refuse most alike, or nothing is put to the test", function()
    assert.is_true(tonumber(taken) > RESPONSES / 4, version .. " took alike only " .. taken)
    assert.is_true(tonumber(refused) > RESPONSES / 4, version .. " refused alike only " .. refused)
  end)

  it("differ only where it is known why ours is right", function()
    for _, line in ipairs(differing) do
      local what, count, seed, bytes = line:match("^(.-)\t(%d+)\t(%d+)\t(.*)$")
      local words = what:match("^only we refuse it: (.*)$")
      assert.is_truthy(words and RIGHT[words], ("libcurl %s, %s times: %s; %s 1 %s makes it again: %s"):format(version,
        count, what, ORACLE, seed, bytes))
    end
  end)
end)
