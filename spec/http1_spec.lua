-- The HTTP/1.1 codec, as exchanges use it: what is written, what is read, and that it makes no difference how the bytes
-- were cut.

local core = require("webpubsub.core")
local calls = require("spec.support.calls")
local exchanges = require("spec.support.exchanges")

local SPLITS = 20 -- random ones for every message
local SEED = 20241201

-- An exchange that has sent its request, on a connection of its own.
local function sent(options)
  local x = exchanges.new(options)
  exchanges.send(x, { method = options and options.method, target = "/api/hubs/chat/:closeConnections?api-version=1" })
  return x
end

-- How reading ends: { status = …, … }, or { kind = …, code = … } with the rest of a failure.
local function outcome(x, move)
  if move ~= "finished" then return { incomplete = true } end
  local kind, code, message = x:failure()
  if kind then return { kind = kind, code = code, message = message } end
  local status, headers, body, reason = x:result()
  return { status = status, headers = headers, body = body, keep = x:keep(), reason = reason }
end

local function feed(x, pieces, ends)
  local move = "read"
  for _, piece in ipairs(pieces) do move = x:received(piece) end
  if ends then move = x:ended() end
  return outcome(x, move)
end

local function bytewise(bytes)
  local pieces = {}
  for byte in bytes:gmatch(".") do pieces[#pieces + 1] = byte end
  return pieces
end

local function cut_at_random(bytes)
  local pieces, at = {}, 1
  while at <= #bytes do
    local length = math.random(0, math.random(1, 40))
    pieces[#pieces + 1] = bytes:sub(at, at + length - 1)
    at = at + length
  end
  return pieces
end

-- Reads the bytes whole, one by one and at random splits, and returns the outcome, which is the same for all.
local function read(bytes, options)
  options = options or {}
  local x = exchanges.new(options)
  local function attempt(pieces)
    exchanges.send(x, { method = options.method })
    return feed(x, pieces, options.ends)
  end
  local result = attempt({ bytes })
  assert.are.same(result, attempt(bytewise(bytes)))
  math.randomseed(SEED)
  for _ = 1, SPLITS do assert.are.same(result, attempt(cut_at_random(bytes))) end
  return result
end

local function assert_malformed(bytes, about, options)
  local result = read(bytes, options)
  assert.are.same({ "protocol", "malformed" }, { result.kind, result.code }, result.message or bytes)
  assert.is_truthy(result.message:find(about, 1, true), result.message)
end

local function assert_too_large(bytes, option, options)
  local result = read(bytes, options)
  assert.are.same({ "protocol", "too_large" }, { result.kind, result.code }, result.message)
  assert.is_truthy(result.message:find(option, 1, true), result.message)
end

describe("http1 request", function()
  local function written(method, target, host, headers, body)
    local x = exchanges.new()
    assert(exchanges.begin(x, { method = method, target = target, host = host, headers = headers, body = body })
      == "connect")
    assert(x:connected(false, 0) == "write")
    return x:outgoing()
  end

  it("is the request line, Host, the headers and the length, in this order", function()
    assert.are.equal("POST /a?b=c HTTP/1.1\r\nHost: h:81\r\nX-One: 1\r\nx-two:\r\nContent-Length: 2\r\n\r\nhi",
      written("POST", "/a?b=c", "h:81", "X-One: 1\r\nx-two:\r\n", "hi"))
  end)

  it("announces an empty body where the method has one by its nature", function()
    for _, method in ipairs({ "POST", "PUT" }) do
      assert.are.equal(method .. " / HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n", written(method, "/", "h", ""))
    end
    for _, method in ipairs({ "GET", "HEAD", "DELETE" }) do
      assert.are.equal(method .. " / HTTP/1.1\r\nHost: h\r\n\r\n", written(method, "/", "h", ""))
    end
    assert.are.equal("DELETE / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\nx", written("DELETE", "/", "h", "", "x"))
  end)

  it("sends any bytes as its body", function()
    local body = "\0\r\n\255" .. ("x"):rep(100000)
    assert.are.equal(body, written("POST", "/", "h", "", body):match("\r\n\r\n(.*)$"))
  end)

  for about, arguments in pairs({
    ["the method"] = { "PO ST", "/", "h", "" },
    ["the target"] = { "POST", "a", "h", "" },
    ["the target must"] = { "POST", "/a b", "h", "" },
    ["the target must begin"] = { "POST", "/a\r\nHost: evil", "h", "" },
    ["the target must begin with / and"] = { "POST", "/\195\164", "h", "" },
    ["the host"] = { "POST", "/", "", "" },
    ["the host must"] = { "POST", "/", "h\r\nx: y", "" },
    ["headers"] = { "POST", "/", "h", "X-One: 1" },
    ["headers must"] = { "POST", "/", "h", "X-One: 1\nX-Two: 2\r\n" },
    ["headers must be"] = { "POST", "/", "h", "X-One: 1\r\r\n" },
    ["headers must be lines"] = { "POST", "/", "h", "X One: 1\r\n" },
    ["headers must be lines \"Name"] = { "POST", "/", "h", "\r\n" },
    ["header content-length"] = { "POST", "/", "h", "content-length: 5\r\n" },
    ["header Transfer-Encoding"] = { "POST", "/", "h", "X: 1\r\nTransfer-Encoding: chunked\r\n" },
    ["header HOST"] = { "POST", "/", "h", "HOST: evil\r\n" },
  }) do
    it("is refused, naming " .. about, function()
      local x = exchanges.new()
      assert.are.equal("finished", exchanges.begin(x, { method = arguments[1], target = arguments[2],
        host = arguments[3], headers = arguments[4] }))
      local kind, _, message = x:failure()
      assert.are.equal("argument", kind)
      assert.is_truthy(message:find(about, 1, true), message)
    end)
  end
end)

describe("http1 response", function()
  it("has status, reason, header block and body", function()
    assert.are.same({ status = 404, reason = "Not Found", headers = "X-One: 1\r\nContent-Length:2\r\nx-empty:\r\n",
      body = "hi", keep = true },
      read("HTTP/1.1 404 Not Found\r\nX-One: 1\r\nContent-Length:2\r\nx-empty:\r\n\r\nhi"))
  end)

  it("may have an empty reason, with and without the blank before it, or one with bytes above 0x7f", function()
    assert.are.equal("", read("HTTP/1.1 204 \r\n\r\n").reason)
    assert.are.equal("", read("HTTP/1.1 204\r\n\r\n").reason)
    assert.are.equal("K\195\164se", read("HTTP/1.1 204 K\195\164se\r\n\r\n").reason)
  end)

  it("has no body when it answers HEAD or is a 204 or 304, whatever its headers announce", function()
    assert.are.same({ status = 404, reason = "Not Found", headers = "Content-Length: 115\r\n", body = "",
      keep = true }, read("HTTP/1.1 404 Not Found\r\nContent-Length: 115\r\n\r\n", { method = "HEAD" }))
    for _, status in ipairs({ 204, 304 }) do
      for _, framing in ipairs({ "Content-Length: 5", "Transfer-Encoding: chunked", "X: no framing" }) do
        local result = read(("HTTP/1.1 %d \r\n%s\r\n\r\n"):format(status, framing))
        assert.are.same({ status, "" }, { result.status, result.body })
      end
    end
    assert.are.equal(200, read("HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n", { method = "HEAD" }).status)
  end)

  it("follows interim responses, of which nothing remains", function()
    assert.are.same({ status = 200, reason = "OK", headers = "Content-Length: 1\r\n", body = "x", keep = true },
      read("HTTP/1.1 100 Continue\r\nConnection: close\r\nContent-Length: 9\r\n\r\nHTTP/1.1 103 Hints\r\nX: y\r\n\r\n"
        .. "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx"))
  end)

  it("may repeat a Content-Length, but not differ in it", function()
    assert.are.equal("hi", read("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nhi").body)
    assert_malformed("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nhi", "several Content-Lengths")
  end)

  it("may come in chunks, with extensions and trailers, which are dropped", function()
    assert.are.same({ status = 200, reason = "OK", headers = "Transfer-Encoding: Chunked\r\n",
      body = "Wikipedia in\r\n", keep = true },
      read("HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n4\r\nWiki\r\n0005;name=\"value\"\r\npedia\r\n"
        .. "5;x\r\n in\r\n\r\n0;last\r\nX-Trailer: x\r\nContent-Length: 3\r\nConnection: close\r\n\r\n"))
  end)

  it("may end with the connection, and is not whole before", function()
    local bytes = "HTTP/1.1 200 OK\r\n\r\nuntil the end"
    assert.is_true(read(bytes).incomplete)
    local result = read(bytes, { ends = true })
    assert.are.same({ 200, "until the end", false }, { result.status, result.body, result.keep })
  end)

  describe("leaves the connection", function()
    local function keeps(bytes, options)
      local result = read(bytes, options)
      assert.is_not_nil(result.status, result.message)
      return result.keep
    end

    it("usable by its version, unless Connection says otherwise in any of its tokens", function()
      assert.is_true(keeps("HTTP/1.1 204 \r\n\r\n"))
      assert.is_true(keeps("HTTP/1.1 204 \r\nConnection: keep-alive\r\n\r\n"))
      assert.is_true(keeps("HTTP/1.1 204 \r\nConnection: closed, not-close\r\n\r\n"))
      assert.is_true(keeps("HTTP/1.0 204 \r\nConnection: , Keep-Alive\r\n\r\n"))
      assert.is_false(keeps("HTTP/1.0 204 \r\n\r\n"))
      assert.is_false(keeps("HTTP/1.1 204 \r\nConnection: close\r\n\r\n"))
      assert.is_false(keeps("HTTP/1.1 204 \r\nconnection: x ,\tCLOSE ,y\r\n\r\n"))
      assert.is_false(keeps("HTTP/1.1 204 \r\nConnection: keep-alive\r\nConnection: close\r\n\r\n"))
      assert.is_false(keeps("HTTP/1.0 204 \r\nConnection: keep-alive, close\r\n\r\n"))
    end)

    it("of no use when a 204, which has no body, announces one that may be under way", function()
      assert.is_false(keeps("HTTP/1.1 204 \r\nContent-Length: 5\r\n\r\n"))
      assert.is_false(keeps("HTTP/1.1 204 \r\nTransfer-Encoding: chunked\r\n\r\n"))
      assert.is_true(keeps("HTTP/1.1 204 \r\nContent-Length: 0\r\n\r\n"))
      assert.is_true(keeps("HTTP/1.1 304 \r\nContent-Length: 5\r\n\r\n")) -- the length of what has not changed
      assert.is_true(keeps("HTTP/1.1 404 \r\nTransfer-Encoding: chunked\r\n\r\n", { method = "HEAD" }))
    end)

    it("of no use when bytes follow that nobody asked for, or its end", function()
      assert.is_false(keeps("HTTP/1.1 204 \r\n\r\nx"))
      assert.is_false(keeps("HTTP/1.1 204 \r\nContent-Length: 5\r\n\r\nhello"))
      assert.is_false(keeps("HTTP/1.1 200 \r\nContent-Length: 2\r\n\r\nhi\r\n"))
      assert.is_false(keeps("HTTP/1.1 404 \r\nContent-Length: 4\r\n\r\nbody", { method = "HEAD" }))
      assert.is_false(keeps("HTTP/1.1 200 \r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nHTTP/1.1 200 \r\n\r\n"))
      assert.is_false(keeps("HTTP/1.1 204 \r\n\r\n", { ends = true }))
    end)
  end)

  describe("that ends early is closed", function()
    local function assert_closed(bytes, about)
      local result = read(bytes, { ends = true })
      assert.are.same({ "transport", "closed" }, { result.kind, result.code })
      assert.is_truthy(result.message:find(about, 1, true), result.message)
    end

    it("before its first byte", function()
      assert_closed("", "before any answer")
    end)

    it("in the middle", function()
      local whole = "HTTP/1.1 100 \r\n\r\n"
        .. "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nX: y\r\n\r\n"
      for length = 1, #whole - 1 do assert_closed(whole:sub(1, length), "in the middle") end
      assert_closed("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nhi", "in the middle")
    end)
  end)

  describe("is malformed", function()
    local OK = "HTTP/1.1 200 OK\r\n"
    local CHUNKED = OK .. "Transfer-Encoding: chunked\r\n\r\n"

    for bytes, about in pairs({
      ["\r\nHTTP/1.1 200 OK\r\n\r\n"] = "status line",
      ["SSH-2.0-OpenSSH_9.2 is not what we speak\r\n"] = "status line",
      ["http/1.1 200 OK\r\n\r\n"] = "status line",
      ["HTTP/1.1 20\r\n\r\n"] = "status line",
      ["HTTP/2.0 200 OK\r\n\r\n"] = "HTTP version",
      ["HTTP/1.2 200 OK\r\n\r\n"] = "HTTP version",
      ["HTTP/1.10 200 OK\r\n\r\n"] = "HTTP version",
      ["HTTP/1.1  200 OK\r\n\r\n"] = "status is not a number",
      ["HTTP/1.1 2x0 OK\r\n\r\n"] = "status is not a number",
      ["HTTP/1.1 2000 OK\r\n\r\n"] = "status is not a number",
      ["HTTP/1.1 099 OK\r\n\r\n"] = "status is not a number",
      ["HTTP/1.1 600 OK\r\n\r\n"] = "status is not a number",
      ["HTTP/1.1 -20 OK\r\n\r\n"] = "status is not a number",
      ["HTTP/1.1 200 O\0K\r\n\r\n"] = "control byte",
      ["HTTP/1.1 200 O\rK\r\n\r\n"] = "control byte",
      ["HTTP/1.1 200 OK\n\r\n"] = "CR LF",
      [OK .. "X: y\n\r\n"] = "CR LF",
      [OK .. "\n"] = "CR LF",
      [OK .. "X: y\r\r\n\r\n"] = "header line",
      [OK .. "X: a\rb\r\n\r\n"] = "header line",
      [OK .. "X: a\0b\r\n\r\n"] = "header line",
      [OK .. "X: a\127b\r\n\r\n"] = "header line",
      [OK .. "X\0: y\r\n\r\n"] = "header line",
      [OK .. "X : y\r\n\r\n"] = "header line",
      [OK .. ": y\r\n\r\n"] = "header line",
      [OK .. "X\r\n\r\n"] = "header line",
      [OK .. "(X): y\r\n\r\n"] = "header line",
      [OK .. "X: y\r\n z\r\n\r\n"] = "folded",
      [OK .. "\tX: y\r\n\r\n"] = "folded",
      [OK .. "Content-Length:\r\n\r\n"] = "Content-Length",
      [OK .. "Content-Length: -1\r\n\r\n"] = "Content-Length",
      [OK .. "Content-Length: +1\r\n\r\n"] = "Content-Length",
      [OK .. "Content-Length: 0x1\r\n\r\n"] = "Content-Length",
      [OK .. "Content-Length: 1 1\r\n\r\n"] = "Content-Length",
      [OK .. "Content-Length: 1, 1\r\n\r\n"] = "Content-Length",
      [OK .. "Content-Length: 18446744073709551616\r\n\r\n"] = "Content-Length",
      [OK .. "Content-Length: 99999999999999999999999\r\n\r\n"] = "Content-Length",
      [OK .. "Transfer-Encoding: gzip, chunked\r\n\r\n"] = "Transfer-Encoding",
      [OK .. "Transfer-Encoding: identity\r\n\r\n"] = "Transfer-Encoding",
      [OK .. "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n"] = "Transfer-Encoding",
      [OK .. "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n"] = "both",
      [OK .. "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"] = "both",
      ["HTTP/1.1 204 \r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"] = "both",
      ["HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"] = "HTTP/1.0",
      ["HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n"] = "switches protocols",
      [CHUNKED .. "\r\n"] = "chunk",
      [CHUNKED .. "g\r\n"] = "chunk",
      [CHUNKED .. "-1\r\n"] = "chunk",
      [CHUNKED .. "0x1\r\n"] = "chunk",
      [CHUNKED .. " 1\r\n"] = "chunk",
      [CHUNKED .. "1 \r\n"] = "chunk",
      [CHUNKED .. "1;a\0b\r\n"] = "chunk",
      [CHUNKED .. "1;a\rb\r\n"] = "chunk",
      [CHUNKED .. "11111111111111111\r\n"] = "chunk",
      [CHUNKED .. "1\nx\r\n"] = "CR LF",
      [CHUNKED .. "2\r\nhix"] = "longer than its size",
      [CHUNKED .. "2\r\nhi\n"] = "longer than its size",
      [CHUNKED .. "2\r\nhi\r\r"] = "longer than its size",
      [CHUNKED .. "0\r\nnot a trailer\r\n"] = "header line",
      [CHUNKED .. "0\r\n folded: x\r\n"] = "folded",
    }) do
      it(("(%q)"):format(bytes:gsub("%c", function(byte) return ("\\x%02x"):format(byte:byte()) end)), function()
        assert_malformed(bytes, about)
      end)
    end

    it("when it comes before the request", function()
      local x = exchanges.new()
      exchanges.begin(x, {})
      x:connected(false, 0)
      local result = feed(x, { "HTTP/1.1 408 Request Timeout\r\n\r\n" })
      assert.are.same({ "protocol", "malformed" }, { result.kind, result.code })
    end)
  end)

  describe("is too large", function()
    local function head(length) -- of that many bytes
      local start, stop = "HTTP/1.1 200 OK\r\nX: ", "\r\nContent-Length: 0\r\n\r\n"
      return start .. ("x"):rep(length - #start - #stop) .. stop
    end

    it("with one byte of head more than max_header_bytes", function()
      assert.are.equal(200, read(head(200), { max_header_bytes = 200 }).status)
      assert_too_large(head(201), "max_header_bytes (200 bytes)", { max_header_bytes = 200 })
    end)

    it("with 64 KiB of head and a byte, unless told otherwise, be it one line without an end", function()
      assert.are.equal(200, feed(sent(), { head(65536) }).status)
      assert.are.equal("too_large", feed(sent(), { head(65537) }).code)
      assert.is_true(feed(sent(), { ("x"):rep(65536) }).incomplete)
      assert.are.equal("too_large", feed(sent(), { ("x"):rep(65536), "x" }).code)
    end)

    it("with interim responses, extensions and trailers that exceed max_header_bytes together", function()
      local limits = { max_header_bytes = 100 }
      assert_too_large(("HTTP/1.1 100 Continue\r\n\r\n"):rep(5), "max_header_bytes", limits)
      local chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
      assert_too_large(chunked .. ("1;extension\r\nx\r\n"):rep(10), "max_header_bytes", limits)
      assert_too_large(chunked .. "0\r\n" .. ("X: trailer\r\n"):rep(5), "max_header_bytes", limits)
      local small = read(chunked .. ("1\r\nx\r\n"):rep(500) .. "0\r\n\r\n", limits)
      assert.are.equal(("x"):rep(500), small.body, small.message)
    end)

    it("with one byte of body more than max_response_bytes, however it is framed", function()
      local limits = { max_response_bytes = 10, ends = true }
      for head_of, tail in pairs({
        ["Content-Length: %d\r\n\r\n%s"] = "",
        ["Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n"] = "0\r\n\r\n",
        ["X: %d\r\n\r\n%s"] = "",
      }) do
        local form = "HTTP/1.1 200 OK\r\n" .. head_of .. tail
        assert.are.equal(("x"):rep(10), read(form:format(10, ("x"):rep(10)), limits).body)
        assert_too_large(form:format(11, ("x"):rep(11)), "max_response_bytes (10 bytes)", limits)
      end
      assert_too_large("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n8\r\nxxxxxxxx\r\n8\r\n",
        "max_response_bytes", limits)
    end)

    it("as soon as the announced body is more than 1 MiB", function()
      assert.is_true(read("HTTP/1.1 200 OK\r\nContent-Length: 1048576\r\n\r\n").incomplete)
      assert_too_large("HTTP/1.1 200 OK\r\nContent-Length: 1048577\r\n\r\n", "max_response_bytes")
      assert_too_large("HTTP/1.1 200 OK\r\nContent-Length: 18446744073709551609\r\n\r\n", "max_response_bytes")
      assert_too_large("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n",
        "max_response_bytes")
    end)
  end)

  it("reads many responses with one object, from which a failure does not show", function()
    local x = exchanges.new()
    for _ = 1, 3 do
      exchanges.send(x, {})
      assert.are.equal("malformed", feed(x, { "nonsense\r\n" }).code)
      assert.are.equal("malformed", feed(x, { "HTTP/1.1 200 OK\r\n\r\n" }).code, "broken until the next request")
      exchanges.send(x, {})
      assert.are.same({ status = 200, headers = "Content-Length: 2\r\n", body = "hi", keep = true, reason = "OK" },
        feed(x, { "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi" }))
    end
  end)

  it("can be taken when it is whole, and not before or after it was forgotten", function()
    local x = exchanges.new()
    assert.has_error(function() x:result() end)
    exchanges.send(x, {})
    x:received("HTTP/1.1 200 OK\r\n")
    assert.has_error(function() x:result() end)
    x:received("Content-Length: 0\r\n\r\n")
    assert.are.equal(200, (x:result()))
    x:recycle()
    assert.has_error(function() x:result() end)
  end)
end)

describe("http1 limits", function()
  for _, value in ipairs({ 0, -1, 1.5, 2 ^ 40, 0 / 0, "many", true }) do
    it("refuse " .. tostring(value), function()
      for position, name in ipairs({ "max_header_bytes", "max_response_bytes" }) do
        local err = calls.refusal(core.exchange, "contoso.example", 5, position == 1 and value or nil,
          position == 2 and value or nil)
        assert.are.same({ "argument", name }, { err.kind, err.argument })
      end
    end)
  end
end)

-- Bytes are looked at eight at a time: each at every place, alone and among others.
describe("http1 looks at every byte, wherever it stands, of", function()
  local LENGTH = 19

  -- Which bytes `accepts` takes at every place of a text that is otherwise letters, as one string; a byte that is
  -- taken at some places only is an error.
  local function taken(accepts)
    local bytes = {}
    for byte = 0, 255 do
      local times = 0
      for length = 1, LENGTH do
        for place = 1, length do
          local text = ("x"):rep(place - 1) .. string.char(byte) .. ("x"):rep(length - place)
          times = times + (accepts(text) and 1 or 0)
        end
      end
      assert.is_true(times == 0 or times == LENGTH * (LENGTH + 1) / 2, byte .. " was taken " .. times .. " times")
      if times > 0 then bytes[#bytes + 1] = string.char(byte) end
    end
    return table.concat(bytes)
  end

  -- The bytes that a set of Lua's matches.
  local function every(set)
    local bytes = {}
    for byte = 1, 255 do
      if string.char(byte):find(set) then bytes[#bytes + 1] = string.char(byte) end
    end
    return table.concat(bytes)
  end

  local x

  before_each(function() x = exchanges.new() end)

  local function answers(head)
    exchanges.send(x, {})
    return x:received("HTTP/1.1 204 OK\r\n" .. head .. "\r\n\r\n") == "finished" and not x:failure()
  end

  local function asks(request)
    return exchanges.begin(x, request) == "connect"
  end

  local VALUE = "[\t\32-\126\128-\255]"
  local TOKEN = "[%w!#$%%&'*+%-.^_`|~]"

  it("a response's header values", function()
    assert.are.equal(every(VALUE), taken(function(text) return answers("A: b" .. text .. "c") end))
  end)

  it("a response's header names", function()
    -- a colon ends a name
    assert.are.equal(every(TOKEN), (taken(function(text) return answers("A" .. text .. "b:") end):gsub(":", "")))
  end)

  it("a request's header values", function()
    assert.are.equal(every(VALUE), taken(function(text) return asks({ headers = "A: b" .. text .. "c\r\n" }) end))
  end)

  it("a request's target", function()
    assert.are.equal(every("[\33-\126]"), taken(function(text) return asks({ target = "/" .. text }) end))
  end)

  it("a request's method", function()
    assert.are.equal(every(TOKEN), taken(function(text) return asks({ method = "A" .. text }) end))
  end)
end)
