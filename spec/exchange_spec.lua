-- One request and its response over any byte stream: what the exchange asks for next, whatever becomes of the stream.

local core = require("webpubsub.core")
local calls = require("spec.support.calls")
local exchanges = require("spec.support.exchanges")

local AUTHORITY = exchanges.AUTHORITY
local OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"
local NO_CONTENT = "HTTP/1.1 204 No Content\r\n\r\n"
local WHOLE_REQUEST = "POST / HTTP/1.1\r\nHost: " .. AUTHORITY .. "\r\nContent-Length: 5\r\n\r\nhello"

local x

before_each(function() x = exchanges.new() end)

local function begin(request)
  request = request or {}
  request.body = request.body or "hello"
  return exchanges.begin(x, request)
end

local function assert_fails(kind, code, ...)
  local actual_kind, actual_code, message = x:failure()
  assert.are.same({ kind, code }, { actual_kind, actual_code }, message)
  for _, words in ipairs({ AUTHORITY .. ": ", ... }) do assert.is_truthy(message:find(words, 1, true), message) end
  assert.is_false(x:keep())
  assert.has_error(function() x:result() end)
end

local function is_stale()
  return select(4, x:failure())
end

local function assert_answer(status, body, keep)
  assert.is_nil((x:failure()))
  local actual_status, _, actual_body = x:result()
  assert.are.same({ status, body, keep }, { actual_status, actual_body, x:keep() })
end

describe("an exchange", function()
  it("connects, writes, reads, and has its response", function()
    assert.are.equal("connect", begin())
    assert.are.equal("write", x:connected(false, 0))
    assert.are.equal(WHOLE_REQUEST, x:outgoing())
    assert.are.equal("read", x:wrote(#WHOLE_REQUEST))
    assert.are.equal("", x:outgoing())
    assert.are.equal("read", x:received(OK:sub(1, -2)))
    assert.are.equal("finished", x:received("i"))
    assert_answer(200, "hi", true)
  end)

  it("writes as much as the stream takes, and says what is left", function()
    begin()
    x:connected(false, 0)
    for length = 1, #WHOLE_REQUEST do
      assert.are.equal(WHOLE_REQUEST:sub(length), x:outgoing())
      assert.are.equal(length == #WHOLE_REQUEST and "read" or "write", x:wrote(1))
    end
    assert.has_error(function() x:wrote(1) end)
  end)

  it("is over at once for a request that cannot be written", function()
    assert.are.equal("finished", begin({ target = "a b" }))
    assert.are.same({ "argument", "invalid" }, { (x:failure()), (select(2, x:failure())) })
  end)

  it("serves one request after the other, and forgets each", function()
    for _ = 1, 3 do
      exchanges.send(x, {})
      x:received("nonsense\r\n")
      assert_fails("protocol", "malformed")
      exchanges.send(x, { kept = true })
      x:ended()
      assert.is_true(is_stale())
      exchanges.send(x, {})
      x:received(OK)
      assert_answer(200, "hi", true)
      x:recycle()
      assert.has_error(function() x:result() end)
    end
  end)

  it("changes nothing any more when it is over", function()
    exchanges.send(x, {})
    x:received(NO_CONTENT)
    for _, event in ipairs({
      function() return x:connected(true, 1) end, function() return x:opening(1) end,
      function() return x:unconnected("connect", "late") end, function() return x:broke("late") end,
      function() return x:tick(1000) end, function() return x:cancel() end, function() return x:wrote(0) end,
      function() return x:fail("transport", "failed", "late") end,
    }) do
      assert.are.equal("finished", event())
      assert_answer(204, "", true)
    end
  end)
end)

describe("an exchange with a call", function()
  local function sending(operation, arguments)
    return calls.sending(operation or "close_user_connections", arguments or { user = "alice", reason = "bye" })
  end

  it("writes its request as outgoing() tells it, with the authority as the host", function()
    local call = sending("send_to_all", { content = "a\0b", content_type = "text" })
    local method, target, headers, body = call:outgoing()
    assert.are.equal("connect", x:begin(call, 0))
    x:connected(false, 0)
    assert.are.equal(("%s %s HTTP/1.1\r\nHost: %s\r\n%sContent-Length: 3\r\n\r\n"):format(method, target, AUTHORITY,
      headers) .. body, x:outgoing())
  end)

  it("delivers the response into it, once", function()
    local call = sending()
    x:begin(call, 0)
    x:connected(false, 0)
    x:wrote(#x:outgoing())
    x:received("HTTP/1.1 403 Secret\r\nX-One: 1\r\nContent-Length: 5\r\n\r\nhello")
    assert.is_true(x:deliver(call))
    assert.are.same({ 403, "X-One: 1\r\nContent-Length: 5\r\n", "hello" }, { call:received() })
    assert.are.equal("done", call:respond(1, calls.WALL, 0))
    x:recycle()
    assert.are.same({ 403, "X-One: 1\r\nContent-Length: 5\r\n", "hello" }, { call:received() })
  end)

  it("delivers one response after the other, of any size, also to a call that has had one", function()
    local call = sending()
    for _, length in ipairs({ 0, 1, 600, 5000, 70000, 3 }) do
      local head = "X-Long: " .. ("h"):rep(math.min(length, 9000)) .. "\r\nContent-Length: " .. length .. "\r\n"
      x:begin(call, 0)
      x:connected(true, 0)
      x:wrote(#x:outgoing())
      x:received("HTTP/1.1 200 OK\r\n" .. head .. "\r\n" .. ("b"):rep(length))
      x:deliver(call)
      x:recycle()
      assert.are.same({ 200, head, ("b"):rep(length) }, { call:received() })
    end
  end)

  it("is as patient as the call, and takes a new connection after the call's failure", function()
    local call = sending()
    x:begin(call, 100)
    assert.are.equal(160, x:due())
    assert.is_false(x:fresh())
    assert.are.equal("token", call:failure(1, 0, "transport", "closed", "it died", true))
    call:sign(1, calls.WALL)
    x:begin(call, 101)
    assert.are.equal(160, x:due())
    assert.is_true(x:fresh())
    x:connected(false, 101)
    assert.are.equal(116, x:due())
  end)

  it("takes none that is not about to send", function()
    assert.has_error(function() x:begin(calls.prepare("service_status"), 0) end)
    exchanges.send(x, {})
    x:received(NO_CONTENT)
    assert.has_error(function() x:deliver(calls.prepare("service_status")) end)
    for _, other in ipairs({ {}, "call", 1, io.stdout }) do
      assert.has_error(function() x:begin(other, 0) end)
      assert.has_error(function() x:deliver(other) end)
    end
  end)
end)

describe("an exchange whose connection dies", function()
  -- Every way to die, by what the stream's owner sees.
  local deaths = {
    ended = function() return x:ended() end,
    broke = function() return x:broke("connection reset by peer") end,
  }

  for name, die in pairs(deaths) do
    describe("(" .. name .. ")", function()
      it("before a byte of the request has left gets a new one instead of a kept one, once", function()
        begin()
        x:connected(true, 0)
        assert.are.equal("connect", die())
        assert.is_true(x:fresh())
        assert.is_nil((x:failure()))
        assert.are.equal("write", x:connected(false, 0))
        assert.are.equal(WHOLE_REQUEST, x:outgoing())
        assert.are.equal("finished", die())
        assert_fails("transport", "closed", "before any answer")
        assert.are.same({ false, false }, { is_stale(), x:distrust() })
      end)

      it("at every byte of the request is never sent again", function()
        for _, kept in ipairs({ true, false }) do
          for length = 1, #WHOLE_REQUEST do
            begin()
            x:connected(kept, 0)
            x:wrote(length)
            local move = die()
            if move == "read" then move = x:ended() end -- the peer might have answered before it died
            assert.are.equal("finished", move)
            assert_fails("transport", "closed", "before any answer")
            assert.are.same({ kept, kept }, { is_stale(), x:distrust() })
          end
        end
      end)

      it("at every byte of the response is a failure of that response", function()
        for _, kept in ipairs({ true, false }) do
          for length = 1, #OK - 1 do
            exchanges.send(x, { kept = kept })
            assert.are.equal("read", x:received(OK:sub(1, length)))
            assert.are.equal("finished", die())
            assert_fails("transport", "closed", "in the middle of the response")
            assert.are.same({ false, false }, { is_stale(), x:distrust() })
          end
        end
      end)
    end)
  end

  it("says what the stream said, and has the whole response if its end is the connection's", function()
    exchanges.send(x, {})
    x:broke("connection reset by peer")
    assert_fails("transport", "closed", "(connection reset by peer)")
    exchanges.send(x, {})
    x:received("HTTP/1.1 200 OK\r\n\r\nto the end")
    assert.are.equal("finished", x:ended())
    assert_answer(200, "to the end", false)
    exchanges.send(x, {})
    x:received("HTTP/1.1 200 OK\r\n\r\nto the end")
    assert.are.equal("finished", x:broke("reset")) -- which may have cut it
    assert_fails("transport", "closed", "in the middle of the response")
  end)

  it("is told why there is none at all", function()
    begin()
    x:opening(0)
    assert.are.equal("finished", x:unconnected("resolve", "its name could not be resolved"))
    assert_fails("transport", "resolve", "its name could not be resolved")
    assert.are.same({ false, false }, { is_stale(), x:distrust() })
  end)
end)

describe("an exchange that is answered early", function()
  local REFUSED = "HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\n\r\n"

  it("has its answer, sends no more, and closes the connection", function()
    for length = 1, #WHOLE_REQUEST - 1 do
      begin()
      x:connected(true, 0)
      x:wrote(length)
      assert.are.equal("finished", x:received(REFUSED))
      assert_answer(413, "", false)
    end
  end)

  it("goes on writing while the answer is not whole", function()
    begin()
    x:connected(false, 0)
    x:wrote(5)
    assert.are.equal("write", x:received(REFUSED:sub(1, 20)))
    assert.are.equal("read", x:wrote(#x:outgoing()))
    assert.are.equal("finished", x:received(REFUSED:sub(21)))
    assert_answer(413, "", true) -- the request had left by then
  end)

  it("reads it from a peer that takes no more bytes, and closes the connection", function()
    begin()
    x:connected(true, 0)
    x:wrote(5)
    assert.are.equal("read", x:broke("broken pipe"))
    assert.are.equal("finished", x:received(REFUSED))
    assert_answer(413, "", false)
  end)

  it("fails if that peer has not answered", function()
    begin()
    x:connected(true, 0)
    x:wrote(5)
    assert.are.equal("read", x:broke("broken pipe"))
    assert.are.equal("finished", x:broke("connection reset by peer"))
    assert_fails("transport", "closed", "before any answer", "connection reset by peer")
    assert.is_true(is_stale())
  end)
end)

describe("an exchange that receives what it did not ask for", function()
  it("before its request, drops a kept connection for a new one", function()
    for length = 1, #NO_CONTENT do
      begin()
      x:connected(true, 0)
      assert.are.equal("connect", x:received(NO_CONTENT:sub(1, length)))
      assert.is_true(x:fresh())
      assert.are.equal("write", x:connected(false, 0))
      x:wrote(#x:outgoing())
      x:received(OK)
      assert_answer(200, "hi", true)
    end
  end)

  it("before its request on a new connection, fails", function()
    begin()
    x:connected(false, 0)
    assert.are.equal("finished", x:received("220 mail.example ESMTP\r\n"))
    assert_fails("protocol", "malformed", "before it was asked")
  end)

  it("after its response, does not keep the connection", function()
    for _, more in ipairs({ "\r", "x", NO_CONTENT, ("x"):rep(100000) }) do
      exchanges.send(x, {})
      x:received(NO_CONTENT .. more)
      assert_answer(204, "", false)
      exchanges.send(x, {})
      x:received(NO_CONTENT)
      assert_answer(204, "", true)
      assert.are.equal("finished", x:received(more))
      assert_answer(204, "", false)
    end
    exchanges.send(x, {})
    x:received(NO_CONTENT)
    x:ended()
    assert_answer(204, "", false)
  end)

  it("hears interim responses, and no flood of them", function()
    exchanges.send(x, {})
    for _ = 1, 3 do assert.are.equal("read", x:received("HTTP/1.1 100 Continue\r\n\r\n")) end
    x:received(OK)
    assert_answer(200, "hi", true)
    exchanges.send(x, {})
    local flood, times = "HTTP/1.1 100 Continue\r\n\r\n", 0
    while x:received(flood) == "read" do times = times + 1 end
    assert_fails("protocol", "too_large", "max_header_bytes")
    assert.are.equal(math.floor(65536 / #flood), times)
  end)

  it("takes 408 on an idle connection for what it is: unasked", function()
    begin()
    x:connected(true, 0)
    assert.are.equal("connect", x:received("HTTP/1.1 408 Request Timeout\r\nConnection: close\r\n\r\n"))
  end)
end)

describe("the time of an exchange", function()
  it("counts from its turn, and its patience from the beginning", function()
    begin({ now = 100, seconds = 15, patience = 60 })
    assert.are.equal(160, x:due())
    assert.are.equal("connect", x:tick(159.9))
    x:opening(150)
    assert.are.equal(155, x:due())
    x:connected(false, 152)
    assert.are.equal(160, x:due())
    begin({ now = 100, seconds = 5, patience = 60 })
    x:connected(true, 150)
    assert.are.equal(155, x:due())
  end)

  it("ends the wait for a connection with the call's", function()
    begin({ patience = 60 })
    assert.are.equal("connect", x:tick(59.999))
    assert.are.equal("finished", x:tick(60))
    assert_fails("timeout", "queue_timeout", "no connection came free for it within 60 s")
    assert.is_false(x:distrust())
  end)

  it("ends the opening of a connection with connect_timeout, or the attempt", function()
    begin()
    x:opening(10)
    assert.are.equal("connect", x:tick(14.999))
    assert.are.equal("finished", x:tick(15))
    assert_fails("timeout", "connect_timeout", "not connected within 5 s")
    begin({ seconds = 2 })
    x:opening(10)
    assert.are.equal(12, x:due())
    x:tick(12)
    assert_fails("timeout", "connect_timeout", "not connected within 2 s")
  end)

  it("ends the attempt whatever it is at, and doubts what else is kept only if this one was", function()
    for _, kept in ipairs({ true, false }) do
      for _, progress in ipairs({
        function() end,
        function() x:wrote(5) end,
        function() x:wrote(#x:outgoing()) end,
        function() x:wrote(#x:outgoing()) x:received(OK:sub(1, 20)) end,
      }) do
        begin({ now = 100, seconds = 15 })
        x:connected(kept, 103)
        progress()
        assert.are_not.equal("finished", x:tick(117.9))
        assert.are.equal("finished", x:tick(118))
        assert_fails("timeout", "attempt_timeout", "no complete response within 15 s")
        assert.are.same({ kept, false }, { x:distrust(), is_stale() })
      end
    end
  end)

  it("goes on for the connection that replaces a dead one", function()
    begin({ now = 0, seconds = 15 })
    x:connected(true, 1)
    x:ended()
    assert.are.equal(16, x:due())
    x:opening(14)
    assert.are.equal(16, x:due())
    x:connected(false, 15)
    assert.are.equal(16, x:due())
    assert.are.equal("finished", x:tick(16))
    assert_fails("timeout", "attempt_timeout")
  end)

  it("is never longer than the call's", function()
    begin({ now = 0, seconds = 15, patience = 20 })
    x:connected(false, 10)
    assert.are.equal(20, x:due())
  end)
end)

describe("an exchange ended from outside", function()
  it("is cancelled wherever it is", function()
    for _, progress in ipairs({
      function() end, function() x:opening(0) end, function() x:connected(true, 0) end,
      function() x:connected(true, 0) x:wrote(5) end,
      function() x:connected(true, 0) x:wrote(#x:outgoing()) x:received("HTTP/1.1") end,
    }) do
      begin()
      progress()
      assert.are.equal("finished", x:cancel())
      local kind, code, message = x:failure()
      assert.are.same({ "cancelled", "cancelled", "the call was cancelled" }, { kind, code, message })
      assert.are.same({ false, false, false }, { x:keep(), x:distrust(), is_stale() })
    end
  end)

  it("fails for the reason of who has the stream", function()
    begin()
    assert.are.equal("finished", x:fail("transport", "busy", "too many calls wait"))
    assert_fails("transport", "busy", "too many calls wait")
  end)
end)

describe("an exchange of CONNECT", function()
  local function ask()
    exchanges.send(x, { method = "CONNECT", target = "origin.example:443", host = "origin.example:443",
      headers = "Proxy-Authorization: Basic eA==\r\n" })
  end

  it("asks for host and port, and has no length", function()
    exchanges.begin(x, { method = "CONNECT", target = "origin.example:443", host = "origin.example:443" })
    x:connected(false, 0)
    assert.are.equal("CONNECT origin.example:443 HTTP/1.1\r\nHost: origin.example:443\r\n\r\n", x:outgoing())
  end)

  it("keeps the stream after any 2xx, whatever its headers say of bodies and lifetimes", function()
    for _, head in ipairs({
      "HTTP/1.1 200 Connection established\r\n\r\n", "HTTP/1.0 200 OK\r\n\r\n",
      "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n", "HTTP/1.1 299 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
      "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n", "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
    }) do
      ask()
      assert.are.equal("finished", x:received(head))
      assert.are.same({ true, "" }, { x:keep(), (select(3, x:result())) })
    end
  end)

  it("does not keep a stream into which bytes came unasked", function()
    ask()
    x:received("HTTP/1.1 200 OK\r\n\r\nx")
    assert.is_false(x:keep())
  end)

  it("has the whole answer of a proxy that refuses", function()
    ask()
    x:received("HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 2\r\n\r\nno")
    assert_answer(407, "no", true)
  end)
end)

describe("an exchange object", function()
  it("has numbers that make sense", function()
    for _, seconds in ipairs({ 0, -1, 1e9, 0 / 0, "5s" }) do
      local err = calls.refusal(core.exchange, AUTHORITY, seconds)
      assert.are.same({ "argument", "connect_timeout" }, { err.kind, err.argument })
    end
  end)

  it("is told from everything else", function()
    for _, other in ipairs({ {}, "x", 1, io.stdout, calls.prepare("service_status") }) do
      assert.has_error(function() x.due(other) end)
      assert.has_error(function() x.received(other, "") end)
    end
    assert.are.equal("protected", getmetatable(x))
  end)
end)
