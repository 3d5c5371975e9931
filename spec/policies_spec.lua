-- Policies: functions that see, and may change, the request of a call.

local calls = require("spec.support.calls")
local cjson = require("cjson")
local driven = require("spec.support.driven")
local policies = require("webpubsub.policies")

local STAGES = { "per_call", "per_attempt", "before_send" }

-- Policies for every stage that note the stage under this name.
local function noting(log, name)
  local all = {}
  for _, stage in ipairs(STAGES) do
    all[stage] = function(request) log[#log + 1] = ("%s %s %d"):format(name, stage, request.attempt) end
  end
  return all
end

local function sent_with(stage, policy, answers, options)
  local _, _, transport = driven.once(answers or { {} }, options, { policies = { [stage] = policy } })
  return transport.requests
end

describe("policies", function()
  it("run in the order of their stages, the client's before the call's, for each attempt", function()
    local log = {}
    driven.once({ { status = 503 }, {} }, { policies = noting(log, "client") }, { policies = noting(log, "call") })
    assert.are.same({
      "client per_call 0", "call per_call 0",
      "client per_attempt 1", "call per_attempt 1", "client before_send 1", "call before_send 1",
      "client per_attempt 2", "call per_attempt 2", "client before_send 2", "call before_send 2",
    }, log)
  end)

  it("of one stage run in the order of their list", function()
    local log = {}
    local function note(name) return function() log[#log + 1] = name end end
    driven.once({ {} }, { policies = { per_call = { note("a"), note("b") } } },
      { policies = { per_call = { note("c"), note("d") } } })
    assert.are.same({ "a", "b", "c", "d" }, log)
  end)

  it("of the client alone, of the call alone, or none at all", function()
    local log = {}
    driven.once({ {} }, { policies = { before_send = function() log[#log + 1] = "client" end } })
    driven.once({ {} }, nil, { policies = { before_send = function() log[#log + 1] = "call" end } })
    driven.once({ {} }, { policies = {} }, { policies = { per_call = {} } })
    driven.once({ {} }, { policies = { per_call = cjson.null } }, { policies = cjson.null })
    assert.are.same({ "client", "call" }, log)
  end)

  it("run again before the answer to a challenge", function()
    local log = {}
    local challenge = 'WWW-Authenticate: Bearer error="insufficient_claims", claims="e30="\r\n'
    driven.once({ { status = 401, headers = challenge }, {} },
      { policies = noting(log, "client"), credential = function() return "token", 2e9 end })
    assert.are.same({ "client per_call 0", "client per_attempt 1", "client before_send 1", "client per_attempt 2",
      "client before_send 2" }, log)
  end)

  it("are kept as they were when the client was made", function()
    local log = {}
    local list = { function() log[#log + 1] = "kept" end }
    local client = driven.client({ {} }, { policies = { per_call = list } })
    list[1] = "not a function"
    driven.run(client)
    assert.are.same({ "kept" }, log)
  end)
end)

describe("a policy", function()
  it("sees the request", function()
    local seen
    sent_with("per_attempt", function(request)
      seen = { request.operation, request.method, request.url, request.attempt, request.headers.accept,
        request.headers["X-None"] or "none", request.request_id == request.headers["x-ms-client-request-id"] }
      assert.is_nil(request.body)
      assert.is_nil(request.nothing)
      assert.are.equal("application/json", request:all_headers().accept)
    end)
    local url = calls.ENDPOINT .. "/api/hubs/chat/users/alice/:closeConnections?api-version=2024-12-01&excluded=conn-1"
      .. "&reason=because"
    assert.are.same({ "close_user_connections", "POST", url, 1, "application/json", "none", true }, seen)
  end)

  for _, stage in ipairs(STAGES) do
    it("may set, replace and remove headers in " .. stage, function()
      local request = sent_with(stage, function(request)
        request.headers["X-New"] = "1"
        request.headers["user-agent"] = "mine"
        request.headers.ACCEPT = nil
      end)[1]
      assert.are.same({ "1", "mine" }, { request.headers["x-new"], request.headers["user-agent"] })
      assert.is_nil(request.headers.accept)
    end)
  end

  it("may add to the query before the request is signed", function()
    for _, stage in ipairs({ "per_call", "per_attempt" }) do
      local request = sent_with(stage, function(request) request:add_query("a b", "c&d") end)[1]
      assert.is_truthy(request.target:find("&reason=because&a%20b=c%26d", 1, true), request.target)
      local payload = request.headers.authorization:match("%.([^.]+)%.")
      assert.are.equal(calls.ENDPOINT .. request.target, cjson.decode(calls.decode_base64url(payload)).aud)
    end
  end)

  it("may not add to the query once the request is signed", function()
    local err = calls.refusal(sent_with, "before_send", function(request) request:add_query("a", "b") end)
    assert.are.same({ "argument", "invalid", "policies" }, { err.kind, err.code, err.argument })
  end)

  it("may replace the token in before_send", function()
    local request = sent_with("before_send", function(request) request.headers.Authorization = "Bearer mine" end)[1]
    assert.are.equal("Bearer mine", request.headers.authorization)
  end)

  it("sees the token in before_send and not earlier", function()
    local seen = {}
    local function look(request) seen[#seen + 1] = request.headers.authorization ~= nil end
    driven.once({ { status = 503 }, {} }, nil,
      { policies = { per_call = look, per_attempt = look, before_send = look } })
    assert.are.same({ false, false, true, false, true }, seen)
  end)

  it("changes one attempt in per_attempt and before_send, all of them in per_call", function()
    for stage, second in pairs({ per_call = "1", per_attempt = "2", before_send = "2" }) do
      local runs = 0
      local requests = sent_with(stage, function(request)
        runs = runs + 1
        request.headers["X-Run"] = (request.headers["X-Run"] or "") .. runs
      end, { { status = 503 }, {} })
      assert.are.same({ "1", second }, { requests[1].headers["x-run"], requests[2].headers["x-run"] })
    end
  end)

  it("may not set headers that the pipeline writes, nor break the header block", function()
    for _, name in ipairs({ "Host", "content-length", "Transfer-Encoding", "x-ms-client-request-id", "a b", "",
      "a:" }) do
      local err = calls.refusal(sent_with, "per_attempt", function(request) request.headers[name] = "x" end)
      assert.are.same({ "argument", "invalid", "headers" }, { err.kind, err.code, err.argument })
    end
    for _, value in ipairs({ "a\r\nX: b", "a\nb", "a\0", "\127" }) do
      local err = calls.refusal(sent_with, "before_send", function(request) request.headers["X-A"] = value end)
      assert.are.equal("invalid", err.code)
    end
    for _, value in ipairs({ 42, true, {} }) do
      local err = calls.refusal(sent_with, "per_call", function(request) request.headers["X-A"] = value end)
      assert.are.equal("type", err.code)
    end
  end)

  it("may not set anything else of the request", function()
    for _, name in ipairs({ "url", "method", "body", "headers", "attempt", "mine" }) do
      assert.error_matches(function()
        sent_with("per_call", function(request) request[name] = "x" end)
      end, "it cannot set " .. name)
    end
  end)

  it("that raises ends the call, and what it raised reaches the caller unchanged", function()
    for _, stage in ipairs(STAGES) do
      local mine = {}
      local client, transport = driven.client({ {} })
      local ok, err = pcall(driven.run, client, { policies = { [stage] = function() error(mine) end } })
      assert.is_false(ok)
      assert.are.equal(mine, err)
      assert.are.equal(0, #transport.requests)
    end
  end)
end)

describe("checking policies", function()
  local function refused(given)
    local err = calls.refusal(policies.check, given, "new")
    assert.are.same({ "argument", "new" }, { err.kind, err.operation })
    return err
  end

  it("refuses an unknown stage, with the nearest known one", function()
    local err = refused({ per_cal = function() end })
    assert.are.same({ "unknown", "per_cal" }, { err.code, err.argument })
    assert.is_truthy(err.message:find('did you mean "per_call"?', 1, true), err.message)
    err = refused({ xyz = function() end })
    assert.is_truthy(err.message:find("it takes per_call, per_attempt and before_send", 1, true), err.message)
    assert.are.equal("unknown", refused({ function() end }).code)
  end)

  it("refuses what is no function or list of functions", function()
    local function nothing() end
    for _, value in ipairs({ "x", 42, true, false, { "x" }, { nothing, "x" }, { nothing, nil, nothing },
      { name = nothing }, { nothing, name = nothing } }) do
      local err = refused({ per_call = value })
      assert.are.same({ "type", "per_call" }, { err.code, err.argument })
    end
  end)

  it("is done before anything is sent", function()
    local client, transport = driven.client({ {} })
    local err = calls.refusal(driven.run, client, { policies = { per_request = function() end } })
    assert.are.same({ "unknown", "close_user_connections" }, { err.code, err.operation })
    assert.are.equal(0, #transport.requests)
  end)
end)
