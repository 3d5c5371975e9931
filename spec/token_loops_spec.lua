-- One token request for many calls in event loops, whose other coroutines go on meanwhile.

local azure = require("spec.support.azure")
local certs = require("spec.support.certs")
local core = require("webpubsub.core")
local cqueues = require("cqueues")
local scripted_server = require("spec.support.scripted_server")
local steps = require("spec.support.steps")
local uv = require("luv")

local MANY = 50
local DELAY = 0.2 -- seconds until the authority answers
local FEWEST_TICKS = 5

describe("one token request in a loop of", function()
  local service, authority

  setup(function()
    service = scripted_server.start({ tls = certs.valid })
    authority = scripted_server.start()
  end)
  teardown(function()
    service:stop()
    authority:stop()
  end)
  before_each(function()
    service:reset()
    authority:reset()
    service:script({ default = steps.reply({ status = 204 }) })
    authority:script({ { steps.delay(DELAY), azure.token("first") }, azure.token("second") })
  end)

  -- Calls without pcall, so that Lua 5.1 can wait in them.
  local function new_client()
    return azure.client(service, azure.client_secret(authority), { errors = "return" })
  end

  local function close(client, context)
    return client:close_user_connections({ user = "alice", context = context })
  end

  it("cqueues serves many calls, and holds up nobody", function()
    local client, loop, statuses, ticks = new_client(), cqueues.new(), {}, 0
    for index = 1, MANY do loop:wrap(function() statuses[index] = assert(close(client)).status end) end
    loop:wrap(function()
      while #statuses < MANY and ticks < 1000 do
        ticks = ticks + 1
        cqueues.sleep(0.01)
      end
    end)
    assert(loop:loop())
    assert.are.equal(MANY, #statuses)
    assert.are.equal(1, #authority:requests())
    assert.is_true(ticks >= FEWEST_TICKS, ticks .. " ticks")
  end)

  it("cqueues is handed over when the call that began it times out", function()
    local client, loop, first, second = new_client(), cqueues.new(), nil, nil
    loop:wrap(function() first = { close(client, { timeout = DELAY / 4 }) } end)
    loop:wrap(function() second = { close(client) } end)
    assert(loop:loop())
    assert.are.equal("timeout", first[2].kind)
    assert.are.equal(204, second[1].status)
    assert.are.equal(1, #authority:requests())
  end)

  it("cqueues is given up when nobody waits any more, and keeps no loop alive", function()
    authority:script({ steps.silence(), azure.token("next") })
    local client, loop, err = new_client(), cqueues.new(), nil
    loop:wrap(function() err = select(2, close(client, { timeout = 0.1 })) end)
    local started = core.now()
    assert(loop:loop())
    assert.are.equal("timeout", err.kind)
    assert.is_true(core.now() - started < 5)
    assert.are.equal(204, close(client).status)
    assert.are.same({ "next" }, azure.tokens(service))
  end)

  it("luv serves many calls, and holds up nobody", function()
    local client, statuses, ticks = new_client(), {}, 0
    local attached = client:attach_luv()
    for index = 1, MANY do
      coroutine.wrap(function() statuses[index] = assert(close(client)).status end)()
    end
    local timer = uv.new_timer()
    timer:start(10, 10, function()
      ticks = ticks + 1
      if #statuses == MANY or ticks > 1000 then timer:close() end
    end)
    uv.run()
    attached:close()
    assert.are.equal(MANY, #statuses)
    assert.are.equal(1, #authority:requests())
    assert.is_true(ticks >= FEWEST_TICKS, ticks .. " ticks")
  end)
end)
