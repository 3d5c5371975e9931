-- Connections that are kept: for how long, what makes them unfit for another request, and that no request ever goes to
-- a server that it is not meant for.

local curl = require("webpubsub.curl")
local certs = require("spec.support.certs")
local engines = require("spec.support.engines")
local exchange = require("spec.support.exchange")
local scripted_server = require("spec.support.scripted_server")
local steps = require("spec.support.steps")
local support = require("spec.support.background")
local wait = require("spec.support.wait")

local assert_fails = exchange.assert_fails
local reply, raw = steps.reply, steps.raw
local NO_CONTENT = reply({ status = 204 })
local ARRIVAL = support.ARRIVAL

local servers = {}

setup(function()
  servers.plain = scripted_server.start()
  servers.TLS = scripted_server.start({ tls = certs.valid })
end)
teardown(function()
  for _, server in pairs(servers) do server:stop() end
end)
before_each(function()
  for _, server in pairs(servers) do
    server:reset()
    server:script({ default = NO_CONTENT })
  end
end)

local function profile(server, options)
  local all = { ca_file = certs.ca.cert }
  for name, value in pairs(options or {}) do all[name] = value end
  return exchange.profile(server.origin, all)
end

local function wait_until_closed(server)
  wait.until_true(function() return server:open_connections() == 0 end, ARRIVAL, "the connections to be closed")
end

-- Until the client's side has seen what the server has sent: the server's side is done with the entry.
local function wait_until_sent(server)
  wait.until_true(function() return server:remaining() == 0 end, ARRIVAL, "the script to be played")
  local started = curl.now()
  wait.until_true(function() return curl.now() - started > 0.25 end, ARRIVAL, "the bytes to arrive")
end

for engine, send in pairs(engines) do
  for kind in pairs({ plain = true, TLS = true }) do
    describe("a kept connection, " .. kind .. ", " .. engine .. ",", function()
      local server

      before_each(function() server = servers[kind] end)

      local function is_new(of_profile, request)
        local status, problem, _, info = send(of_profile, request)
        assert.are.equal(204, status, problem)
        return info.new_connection
      end

      it("serves the next exchange", function()
        local of_profile = profile(server)
        assert.are.same({ true, false, false }, { is_new(of_profile), is_new(of_profile), is_new(of_profile) })
      end)

      it("does not serve one when it was idle for too long", function()
        local of_profile = profile(server, { idle_timeout = 0.1 })
        is_new(of_profile)
        local started = curl.now()
        wait.until_true(function() return curl.now() - started > 0.11 end, ARRIVAL, "a moment to pass")
        assert.is_true(is_new(of_profile))
      end)

      it("does not serve one when it is too old, however busy it was", function()
        local of_profile = profile(server, { max_connection_age = 0.3 })
        local started, new = curl.now(), 0
        while curl.now() - started < 1 do new = new + (is_new(of_profile) and 1 or 0) end
        assert.is_true(new >= 3 and new <= 5, new .. " connections")
        assert.are.equal(new, server:connections())
      end)

      for what, entry in pairs({
        ["was closed"] = { NO_CONTENT, steps.close() },
        ["was reset"] = { NO_CONTENT, steps.abort() },
        ["has bytes that nobody asked for"] = { NO_CONTENT, steps.delay(0.05), raw("x") },
        ["has another answer"] = { NO_CONTENT, steps.delay(0.05), reply({ status = 200, body = "of somebody else" }) },
        ["was given up by its server in words"] = { NO_CONTENT, steps.delay(0.05),
          raw("HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"), steps.close() },
      }) do
        it("does not serve one when it " .. what, function()
          server:script({ entry, default = NO_CONTENT })
          local of_profile = profile(server)
          is_new(of_profile)
          wait_until_sent(server)
          assert.is_true(is_new(of_profile, { target = "/second" }))
          assert.are.equal("/second", server:requests()[2].target)
          assert.is_false(is_new(of_profile))
        end)
      end

      it("does not serve one when more than the response came with it", function()
        server:script({ raw("HTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
          default = NO_CONTENT })
        local of_profile = profile(server)
        is_new(of_profile)
        assert.is_true(is_new(of_profile))
      end)

      it("takes the idle ones with it when it turns out dead", function()
        local of_profile, list = profile(server), {}
        server:script({ default = { steps.delay(0.2), NO_CONTENT } })
        for index = 1, 8 do list[index] = support.submit(of_profile) end
        support.take_all(#list)
        if engine == "in place" then -- which has connections of its own
          for index = 1, 8 do list[index] = exchange.start(of_profile) end
          for index = 1, 8 do exchange.finish(list[index]) end
        end
        local opened = server:connections()
        server:script({ steps.silence(), default = NO_CONTENT })
        assert_fails("timeout", "attempt_timeout", send(of_profile, { seconds = 0.2 }))
        assert.is_true(is_new(of_profile))
        assert.are.equal(opened + 1, server:connections())
      end)
    end)
  end
end

describe("the background engine", function()
  it("closes what it does not use any more by itself", function()
    for kind, server in pairs(servers) do
      support.submit(profile(server, { idle_timeout = 0.2 }))
      assert.are.equal(204, (support.take():result()))
      assert.are.equal(1, server:open_connections(), kind)
      wait_until_closed(server)
    end
  end)

  it("closes what the server has closed without waiting for the next exchange", function()
    for kind, server in pairs(servers) do
      server:script({ { NO_CONTENT, steps.delay(0.05), raw("x"), steps.delay(0.2) } })
      support.submit(profile(server))
      assert.are.equal(204, (support.take():result()), kind)
      wait_until_closed(server)
    end
  end)
end)

describe("no request goes to a server that it is not meant for", function()
  -- Each server knows its own requests by their targets, and its own certificate does not tell it from the others.
  local COUNT, ROUNDS = 6, 150

  local function exchange_among(list, send)
    local profiles, answered = {}, 0
    for index, server in ipairs(list) do
      profiles[index] = {
        profile(server, { idle_timeout = 0.01 * index, max_connection_age = 0.03 * index }),
        profile(server, { max_connections = index }),
      }
      server:reset()
      server:script({
        NO_CONTENT, { NO_CONTENT, steps.close() }, { NO_CONTENT, raw("HTTP/1.1 200 OK\r\n\r\n") }, steps.abort(),
        { NO_CONTENT, steps.delay(0.01), reply({ status = 200 }) }, steps.on_accept(steps.close()), raw("nonsense\r\n"),
        NO_CONTENT, steps.close(), { NO_CONTENT, steps.abort() }, default = NO_CONTENT,
      })
    end
    for _ = 1, ROUNDS do
      local index = math.random(#list)
      local status = send(profiles[index][math.random(2)], { target = "/for-" .. index, fresh = math.random() < 0.1 })
      answered = answered + (status == 204 and 1 or 0)
    end
    assert.is_true(answered > ROUNDS / 2, answered .. " answers")
    for index, server in ipairs(list) do
      for _, request in ipairs(server:requests()) do assert.are.equal("/for-" .. index, request.target) end
    end
  end

  for kind, options in pairs({ plain = {}, TLS = { tls = certs.valid } }) do
    describe("over " .. kind, function()
      local list = {}

      setup(function()
        for index = 1, COUNT do list[index] = scripted_server.start(options) end
      end)
      teardown(function()
        for _, server in ipairs(list) do server:stop() end
      end)

      for engine, send in pairs(engines) do
        it(engine .. ", whatever ages, breaks and uses a descriptor's number again", function()
          exchange_among(list, send)
        end)
      end
    end)
  end
end)
