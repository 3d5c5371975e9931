-- What a host outside NGINX waits for: moments in their order, and coroutines whose wait is over.

local host = require("webpubsub.host")

-- A host whose time is the spec's own, with nothing in its background.
local function new_host()
  local clock, waits = 1000, {}
  local background = {}
  function background.next() end
  function background.pending() return 0 end
  function background.fd() return -1 end
  function background.wait(_, seconds)
    waits[#waits + 1] = seconds
    clock = clock + seconds
  end
  local self = host.of(background, function() return clock end)
  return self, function(seconds) clock = clock + seconds end, waits
end

describe("moments", function()
  it("come in their order, whatever the order in which they were asked for", function()
    local reactor, advance = new_host()
    local seed, asked, seen = 7, {}, {}
    for index = 1, 500 do
      seed = (seed * 16807) % 2147483647
      local entry = { due = 1000 + seed % 97, index = index }
      asked[index] = entry
      reactor:at(entry.due, function() seen[#seen + 1] = entry end)
    end
    table.sort(asked, function(a, b) return a.due < b.due or a.due == b.due and a.index < b.index end)
    for _ = 1, 100 do
      advance(1)
      for _ = 1, 20 do reactor:poll(0) end
    end
    assert.are.equal(500, #seen)
    for index, entry in ipairs(seen) do assert.are.equal(asked[index], entry) end
    assert.is_nil(reactor:timeout())
    assert.is_falsy(reactor:is_busy())
  end)

  it("that were withdrawn do not come, and nobody is woken for them", function()
    local reactor, advance = new_host()
    local timers, seen = {}, 0
    for index = 1, 100 do timers[index] = reactor:at(1000 + index, function() seen = seen + 1 end) end
    for index = 1, 100 do
      if index % 3 ~= 0 then reactor:forget(timers[index]) end
    end
    assert.are.equal(3, reactor:timeout())
    for _ = 1, 100 do
      advance(1)
      reactor:poll(0)
    end
    assert.are.equal(33, seen)
    for _, timer in ipairs(timers) do reactor:forget(timer) end
    assert.is_nil(reactor:timeout())
    assert.is_falsy(reactor:is_busy())
  end)

  it("are what a poll waits for at most", function()
    local reactor, _, waits = new_host()
    local came = false
    reactor:at(1002, function() came = true end)
    reactor:poll(60)
    assert.are.same({ true, { 2 } }, { came, waits })
    reactor:poll(60)
    assert.are.equal(1, #waits)
  end)

  it("tell the loops where they come before all others", function()
    local reactor = new_host()
    local nudges = 0
    local loop = { nudge = function() nudges = nudges + 1 end }
    reactor.loops[loop] = true
    local first = reactor:at(1010, print)
    reactor:at(1020, print)
    assert.are.equal(1, nudges)
    local last = reactor:at(1005, print)
    assert.are.equal(2, nudges)
    reactor:forget(first)
    reactor:forget(last)
    assert.are.equal(20, reactor:timeout())
  end)

  it("tell the loops, too, where they come to be asked for in a poll of somebody else's", function()
    local reactor, advance = new_host()
    local nudges = 0
    local loop = { nudge = function() nudges = nudges + 1 end }
    reactor.loops[loop] = true
    reactor:at(1001, function() reactor:at(1005, print) end)
    nudges = 0
    advance(1)
    reactor:poll(0)
    assert.are.equal(1, nudges)
    advance(1)
    reactor:poll(0)
    assert.are.equal(1, nudges)
  end)

  it("tell the loops, too, where the poll raises what a coroutine has raised", function()
    local reactor = new_host()
    local nudges = 0
    local loop = { nudge = function() nudges = nudges + 1 end }
    reactor:spawn(function() end, function()
      reactor.loops[loop] = true
      reactor:at(1005, print)
      nudges = 0
      error("oops", 0)
    end, {})
    nudges = 0
    assert.is_false((pcall(reactor.poll, reactor, 0)))
    assert.are.equal(1, nudges)
  end)
end)

describe("a coroutine of a host's own", function()
  it("is used again", function()
    local reactor, ended = new_host(), 0
    for _ = 1, 100 do
      reactor:spawn(function() end, function(_, ok) ended = ended + (ok and 1 or 0) end, {})
      reactor:poll(0)
    end
    assert.are.same({ 100, 1, 0 }, { ended, #reactor.all, reactor.spawned })
  end)

  it("may end in an error, which is told, and leave nothing", function()
    local reactor, told = new_host(), nil
    reactor:spawn(function() error("oops", 0) end, function(_, ok, problem) told = { ok, problem } end, {})
    reactor:poll(0)
    assert.are.same({ false, "oops" }, told)
    assert.are.equal(0, reactor.spawned)
  end)

  it("whose end raises an error has the poll raise it, once", function()
    local reactor = new_host()
    reactor:spawn(function() end, function() error("oops", 0) end, {})
    assert.are.same({ false, "oops" }, { pcall(reactor.poll, reactor, 0) })
    assert.are.equal(0, reactor:poll(0))
    assert.are.same({ 0, 0 }, { #reactor.all, reactor.spawned })
    assert.is_falsy(reactor:is_busy())
  end)
end)
