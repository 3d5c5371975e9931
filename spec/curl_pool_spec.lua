local curl = require("webpubsub.curl")
local certs = require("spec.support.certs")
local exchange = require("spec.support.exchange")
local scripted_server = require("spec.support.scripted_server")
local steps = require("spec.support.steps")
local support = require("spec.support.background")
local wait = require("spec.support.wait")

local profile, assert_fails = exchange.profile, exchange.assert_fails
local submit, submit_all, take, take_all = support.submit, support.submit_all, support.take, support.take_all
local cancel_all = support.cancel_all
local ARRIVAL = support.ARRIVAL
local NO_CONTENT = steps.reply({ status = 204 })

local background = curl.background()
local server, dead

setup(function() server, dead = scripted_server.start(), scripted_server.start() end)
teardown(function()
  server:stop()
  dead:stop()
end)
before_each(function()
  server:reset()
  server:script({ default = NO_CONTENT })
  dead:reset()
  dead:script({ default = steps.silence() })
end)
after_each(support.assert_idle)

local function wait_for_requests(of_server, count)
  wait.until_true(function() return #of_server:requests() == count end, ARRIVAL, count .. " requests to arrive")
end

local function succeed(list)
  for _, one in ipairs(list) do assert.are.equal(204, (one:result())) end
end

describe("a profile's pool", function()
  it("holds up no other profile when its server never answers", function()
    local of_dead = profile(dead.origin, { max_connections = 5 })
    local waiting = submit_all(50, of_dead)
    wait_for_requests(dead, 5)
    local of_server = profile(server.origin, { max_connections = 5 })
    local started = curl.now()
    local served = submit_all(50, of_server)
    succeed(take_all(#served))
    assert.is_true(curl.now() - started < 1)
    assert.are.same({ #waiting, 5 }, { background:pending(), #dead:requests() })
    cancel_all(waiting)
  end)

  it("holds up no other profile of the same server either", function()
    local waiting = submit_all(50, profile(dead.origin, { max_connections = 5 }))
    wait_for_requests(dead, 5)
    dead:script({ default = NO_CONTENT })
    submit(profile(dead.origin))
    assert.are.equal(204, (take():result()))
    cancel_all(waiting)
  end)

  it("opens as many connections as it may, and no more", function()
    for connections, count in pairs({ [1] = 5, [3] = 6, [150] = 300 }) do
      server:reset()
      server:script({ default = { steps.delay(0.1), NO_CONTENT } })
      local list = submit_all(count, profile(server.origin, { max_connections = connections }))
      succeed(take_all(#list))
      assert.are.equal(connections, server:connections())
    end
  end)

  it("keeps all its connections between two bursts, whatever others do", function()
    local of_profile = profile(server.origin, { max_connections = 120 })
    server:script({ default = { steps.delay(0.3), NO_CONTENT } })
    local first = submit_all(120, of_profile)
    succeed(take_all(#first))
    assert.are.equal(120, server:connections())
    local others = submit_all(1, profile(dead.origin, { max_connections = 1 }))
    wait_for_requests(dead, 1)
    cancel_all(others)
    local second = submit_all(120, of_profile)
    succeed(take_all(#second))
    assert.are.equal(120, server:connections())
  end)

  it("lets time run out in each queue by itself", function()
    local list, started = {}, curl.now()
    for index, seconds in ipairs({ 0.6, 0.3, 0.45 }) do
      local of_profile = profile(dead.origin, { max_connections = 1, idle_timeout = index })
      list[2 * index - 1] = submit(of_profile)
      list[2 * index] = submit(of_profile, { patience = seconds })
    end
    for _, seconds in ipairs({ 0.3, 0.45, 0.6 }) do
      local message = assert_fails("timeout", "queue_timeout", take():result())
      assert.is_truthy(message:find(("within %g s"):format(seconds), 1, true), message)
      local late = curl.now() - started - seconds
      assert.is_true(late > -0.001 and late < 0.5, "late by " .. late)
    end
    cancel_all({ list[1], list[3], list[5] })
  end)

  it("goes with the last of its exchanges, and does not keep the profile", function()
    for _ = 1, 200 do submit(profile(dead.origin, { max_connections = 1 })):cancel() end
    wait.until_true(function()
      support.forget()
      while background:next() do end
      return background:pending() == 0
    end, ARRIVAL, "all to end")
  end)
end)

describe("TLS handshakes", function()
  local HANDSHAKES = 16
  local tls_server

  setup(function() tls_server = scripted_server.start({ tls = certs.valid }) end)
  teardown(function() tls_server:stop() end)
  before_each(function() tls_server:reset() end)

  local function burst(script, count)
    local of_profile = profile(tls_server.origin, { ca_file = certs.ca.cert })
    tls_server:script(script)
    local list = submit_all(count, of_profile)
    return function() succeed(take_all(#list)) end
  end

  local function slow_accepts(seconds, count)
    local script = { default = NO_CONTENT }
    for index = 1, count do script[index] = steps.on_accept(steps.delay(seconds)) end
    return script
  end

  it("are under way in a limited number", function()
    local finish = burst(slow_accepts(0.3, HANDSHAKES), 2 * HANDSHAKES)
    wait.until_true(function() return tls_server:connections() == HANDSHAKES end, ARRIVAL, "the first of them")
    assert.is_false(background:wait(0.15))
    assert.are.equal(HANDSHAKES, tls_server:connections())
    finish()
  end)

  it("do not hold up another profile", function()
    local finish = burst(slow_accepts(0.8, HANDSHAKES), 2 * HANDSHAKES)
    wait.until_true(function() return tls_server:connections() == HANDSHAKES end, ARRIVAL, "the first of them")
    submit(profile(server.origin))
    assert.are.equal(204, (take():result()))
    assert.are.equal(2 * HANDSHAKES, background:pending())
    finish()
  end)
end)
