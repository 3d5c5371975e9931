--- What a server does that it should not, and what callers are told: the same in every world. Each case is
---
---     { name, script,          what the scripted server does, see steps.lua
---       expected,              for each call in turn: a status, what the method returns, or { kind, code, words… }
---       options,               of the client, besides retries = 0
---       method,                of the client; close_user_connections by default
---       content,               bytes of a message, for a method that sends one
---       warm,                  so many calls are made at once before, and succeed
---       pause,                 seconds between two calls
---       connections }          how many the server has seen in the end, where it matters

local steps = require("spec.support.steps")

local raw, reply = steps.raw, steps.reply
local OK = reply({ status = 204 })
local NO_CONTENT = "HTTP/1.1 204 No Content\r\n\r\n"
local LATER = 0.05 -- seconds until an idle connection has bytes or an end that nobody asked for
local PAUSE = 0.2  -- seconds until the next call
local SHORT = 0.2  -- seconds of an attempt that is to end
local AT_ONCE = 8

local cases = {}

local function add(case)
  cases[#cases + 1] = case
end

-- ---------------------------------------------------------------- responses that are refused

local function refused(code, words, bytes)
  return { expected = { "protocol", code, words }, step = type(bytes) == "string" and raw(bytes) or bytes }
end

local function malformed(words, bytes)
  return refused("malformed", words, bytes)
end

local CHUNKED = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"

local bad = {
  ["no HTTP"] = malformed("does not begin with an HTTP status line", "SSH-2.0-OpenSSH_9.2\r\n"),
  ["a page without a head"] = malformed("does not begin with an HTTP status line", "<html>hello</html>\r\n\r\n"),
  ["HTTP/2 without TLS"] = malformed("HTTP version other than 1.0 and 1.1", "HTTP/2.0 200 OK\r\n\r\n"),
  ["status 999"] = malformed("status is not a number from 100 to 599", "HTTP/1.1 999 Odd\r\n\r\n"),
  ["a status that is no number"] = malformed("status is not a number from 100 to 599", "HTTP/1.1 abc\r\n\r\n"),
  ["bare LF"] = malformed("does not end with CR LF", "HTTP/1.1 204 No Content\nX-One: 1\n\n"),
  ["bare LF in the middle"] = malformed("does not end with CR LF", "HTTP/1.1 204 No Content\r\nX-One: 1\n\r\n"),
  ["a first header line that is folded"] = malformed("folded header line",
    "HTTP/1.1 200 OK\r\n folded: x\r\nContent-Length: 0\r\n\r\n"),
  ["a later header line that is folded"] = malformed("folded header line",
    "HTTP/1.1 200 OK\r\nX-One: 1\r\n\tfolded\r\nContent-Length: 0\r\n\r\n"),
  ["a header line without a colon"] = malformed("not \"Name: value\"", "HTTP/1.1 200 OK\r\nno colon\r\n\r\n"),
  ["a blank before the colon"] = malformed("not \"Name: value\"", "HTTP/1.1 200 OK\r\nContent-Length : 0\r\n\r\n"),
  ["a NUL in a header"] = malformed("control bytes", "HTTP/1.1 200 OK\r\nX-One: a\0b\r\n\r\n"),
  ["both lengths"] = malformed("both Content-Length and Transfer-Encoding",
    "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
  ["two lengths that differ"] = malformed("several Content-Lengths that differ",
    "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd"),
  ["a length of 10^23"] = malformed("Content-Length is not a number of bytes",
    "HTTP/1.1 200 OK\r\nContent-Length: 100000000000000000000000\r\n\r\n"),
  ["a length with a sign"] = malformed("Content-Length is not a number of bytes",
    "HTTP/1.1 200 OK\r\nContent-Length: +2\r\n\r\nhi"),
  ["an encoding that nobody asked for"] = malformed("Transfer-Encoding other than chunked",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"),
  ["chunks in HTTP/1.0"] = malformed("HTTP/1.0", "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
  ["another protocol"] = malformed("switches protocols", "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n"),
  ["a chunk size that is none"] = malformed("not a hexadecimal number", CHUNKED .. "zz\r\nabc\r\n0\r\n\r\n"),
  ["a chunk that is longer than its size"] = malformed("longer than its size", CHUNKED .. "2\r\nabc\r\n0\r\n\r\n"),
  ["a trailer that is none"] = malformed("not \"Name: value\"", CHUNKED .. "0\r\nno colon\r\n\r\n"),
  ["a chunk of 2^64 - 1 bytes"] = refused("too_large", "max_response_bytes", CHUNKED .. "ffffffffffffffff\r\n"),
  ["a body of 2^64 - 7 bytes"] = refused("too_large", "max_response_bytes",
    "HTTP/1.1 200 OK\r\nContent-Length: 18446744073709551609\r\n\r\n"),
  ["headers without an end"] = refused("too_large", "max_header_bytes", steps.endless_headers()),
  ["a line without an end"] = refused("too_large", "max_header_bytes", steps.endless(("x"):rep(1000))),
  ["a flood of interim responses"] = refused("too_large", "max_header_bytes",
    steps.endless("HTTP/1.1 100 Continue\r\n\r\n")),
  ["a flood of trailers"] = refused("too_large", "max_header_bytes",
    { raw(CHUNKED .. "0\r\n"), steps.endless("X-Trailer: x\r\n") }),
  ["a body without an end"] = refused("too_large", "max_response_bytes", steps.endless_body()),
}

-- ---------------------------------------------------------------- responses that break off

local function broken_off(words, ...)
  return { expected = { "transport", "closed", words }, step = { ... } }
end

local MIDDLE, BEFORE = "closed in the middle of the response", "closed before any answer"

bad["an end in the headers"] = broken_off(MIDDLE, raw("HTTP/1.1 200 OK\r\nContent-Le"), steps.close())
bad["an end in the body"] = broken_off(MIDDLE, raw("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n01234"), steps.close())
bad["an end in a chunk"] = broken_off(MIDDLE, raw(CHUNKED .. "5\r\n01"), steps.close())
bad["an end between chunks"] = broken_off(MIDDLE, raw(CHUNKED .. "2\r\n01\r\n"), steps.close())
bad["an end before the last line"] = broken_off(MIDDLE, raw(CHUNKED .. "0\r\n"), steps.close())
bad["an end after an interim response"] = broken_off(MIDDLE, raw("HTTP/1.1 100 Continue\r\n\r\n"), steps.close())
bad["no answer but an end"] = broken_off(BEFORE, steps.close())
bad["no answer but a reset"] = broken_off(BEFORE, steps.abort())

-- Each by itself, after a good response on the same connection, and before another, which is not to suffer from it.
do
  local names = {}
  for name in pairs(bad) do names[#names + 1] = name end
  table.sort(names)
  for _, name in ipairs(names) do
    add({ name = name, script = { bad[name].step, default = OK }, expected = { bad[name].expected } })
    add({ name = name .. ", after a good response", script = { OK, bad[name].step, default = OK },
      expected = { 204, bad[name].expected, 204 }, connections = 2 })
  end
end

local FULL = "HTTP/1.1 100 Continue\r\n\r\n" .. CHUNKED .. "2\r\nhi\r\n0\r\nX: y\r\n\r\n"

for name, ending in pairs({ ["an end"] = steps.close(), ["a reset"] = steps.abort() }) do
  local script, expected = {}, {}
  for length = 0, #FULL - 1 do
    script[#script + 1] = { length > 0 and steps.truncate(raw(FULL), length) or steps.delay(0), ending }
    expected[#expected + 1] = { "transport", "closed" } -- a reset takes bytes with it that had arrived
    if name == "an end" then expected[#expected][3] = length > 0 and MIDDLE or BEFORE end
  end
  add({ name = name .. " at every byte of the response", script = script, expected = expected })
end

-- The shortest request of these specs is longer.
do
  local script, expected = {}, {}
  for length = 1, 300 do
    script[length] = steps.on_accept({ steps.take(length), steps.abort() })
    expected[length] = { "transport", "closed" }
  end
  add({ name = "a reset at every byte of the request", script = script, expected = expected })
end

-- ---------------------------------------------------------------- bytes that nobody asked for

add({ name = "a second answer at once", script = { raw(NO_CONTENT .. "HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n"),
  default = OK }, expected = { 204, 204 }, connections = 2 })
add({ name = "a second answer later", script = { { raw(NO_CONTENT), steps.delay(LATER),
  raw("HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n") }, default = OK }, expected = { 204, 204 }, pause = PAUSE,
  connections = 2 })
add({ name = "a second answer that would say the opposite", method = "user_exists", pause = PAUSE, connections = 2,
  script = { { raw("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"), steps.delay(LATER),
    raw("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n") }, default = reply({ status = 200 }) },
  expected = { true, true } })
add({ name = "a byte too many", script = { raw(NO_CONTENT .. "\n"), default = OK }, expected = { 204, 204 },
  connections = 2 })
add({ name = "a body of a 204", script = { raw("HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\nhello"),
  default = OK }, expected = { 204, 204 }, connections = 2 })
add({ name = "a body in answer to HEAD", method = "user_exists", script = {
  raw("HTTP/1.1 404 Not Found\r\nContent-Length: 26\r\n\r\nHTTP/1.1 200 OK\r\nX-One: 1\r\n"),
  default = reply({ status = 404 }) }, expected = { false, false }, connections = 2 })
add({ name = "408 on an idle connection", pause = PAUSE, script = { { OK, steps.delay(LATER),
  raw("HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"), steps.close() },
  default = OK }, expected = { 204, 204 }, connections = 2 })
add({ name = "the end of an idle connection", pause = PAUSE, script = { { OK, steps.delay(LATER), steps.close() },
  default = OK }, expected = { 204, 204 }, connections = 2 })
add({ name = "the reset of an idle connection", pause = PAUSE, script = { { OK, steps.delay(LATER), steps.abort() },
  default = OK }, expected = { 204, 204 }, connections = 2 })
add({ name = "a greeting before the request", script = { steps.on_accept(raw("220 mail.example ESMTP\r\n")) },
  expected = { { "protocol", "malformed" } } })

-- ---------------------------------------------------------------- answers before their time, or after it

add({ name = "an answer before the request is whole", method = "send_to_all", content = 1000000, pause = PAUSE,
  script = { steps.on_accept({ steps.take(10), raw("HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\n\r\n"),
    steps.delay(LATER), steps.close() }), default = OK },
  expected = { { "service", "Content Too Large" }, 204 }, connections = 2 })
add({ name = "an answer before the request is whole, and an end", method = "send_to_all", content = 1000000,
  script = { steps.on_accept({ steps.take(10), raw("HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\n"
    .. "Connection: close\r\n\r\n"), steps.close() }), default = OK },
  expected = { { "service", "Content Too Large" }, 204 }, connections = 2 })
add({ name = "silence", options = { attempt_timeout = SHORT }, script = { steps.silence(), default = OK },
  expected = { { "timeout", "attempt_timeout", "no complete response within 0.2 s" }, 204 }, connections = 2 })
add({ name = "silence after half a response", options = { attempt_timeout = SHORT },
  script = { { raw("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n01234"), steps.silence() }, default = OK },
  expected = { { "timeout", "attempt_timeout", "no complete response within 0.2 s" }, 204 }, connections = 2 })
add({ name = "a byte now and then", options = { attempt_timeout = SHORT },
  script = { steps.slowly(reply({ status = 200, body = ("x"):rep(1000) }), 0.02), default = OK },
  expected = { { "timeout", "attempt_timeout", "no complete response within 0.2 s" }, 204 }, connections = 2 })

-- ---------------------------------------------------------------- connections that are kept

add({ name = "the end of a kept connection instead of an answer, with a retry", script = { OK, steps.close(),
  default = OK }, options = { retries = 1, retry = { delay = 60 } }, expected = { 204, 204 }, connections = 2 })
add({ name = "the end of a kept connection instead of an answer, without", script = { OK, steps.close(), default = OK },
  expected = { 204, { "transport", "closed", BEFORE .. "; the request may have been carried out" }, 204 },
  connections = 2 })

local function slow_answers()
  local script = { default = OK }
  for index = 1, AT_ONCE do script[index] = { steps.delay(0.1), OK } end -- so that each has a connection of its own
  return script
end

local function after_slow_answers(step)
  local script = slow_answers()
  script[#script + 1] = step
  return script
end

local half_dead = { attempt_timeout = SHORT, retries = 1, retry = { delay = 0.001 } }
add({ name = "many kept connections of which all are silent", warm = AT_ONCE, options = half_dead,
  script = after_slow_answers(steps.silence()), expected = { 204, 204 }, connections = AT_ONCE + 1 })
add({ name = "many kept connections of which all are dead", warm = AT_ONCE, options = half_dead,
  script = after_slow_answers(steps.close()), expected = { 204, 204 }, connections = AT_ONCE + 1 })

return cases
