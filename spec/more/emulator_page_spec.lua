-- The emulator's page in a browser: what it shows of what the library does, and what its buttons do.

local browser = require("spec.support.browser")
local launch = require("webpubsub.emulator.launch")
local webpubsub = require("webpubsub")
local websocket_clients = require("spec.support.websocket_clients")

local MANY = 10000
local FARE_WELL = "Application server closed the connection. Reason: "

-- Helpers of the scripts that run in the page.
local PAGE = [[
  const texts = (selector) => [...document.querySelectorAll(selector)].map((one) => one.textContent);
  const rowOf = (id) => document.querySelector(`#connection-list .row[data-id="${id}"]`);
  const visible = (element) => element.checkVisibility();
]]

describe("the emulator's page", function()
  local emulator, client, sockets, page

  setup(function() page = browser.open({ width = 1280, height = 800 }) end)
  teardown(function() page:close() end)
  before_each(function()
    emulator = launch()
    client = webpubsub.new({ connection_string = emulator.connection_string, hub = "chat", proxy = false })
  end)
  after_each(function()
    if sockets then sockets:stop() end
    sockets = nil
    emulator.stop()
  end)

  local function run(script, ...)
    return page:run(PAGE .. script, ...)
  end

  local function wait_for(script, what, ...)
    return page:wait_for(PAGE .. script, what, ...)
  end

  local function visit()
    page:visit(emulator.endpoint .. "/")
    wait_for("return document.getElementById('live').dataset.state === 'live'", "the page to be live")
  end

  local function connect(identities)
    sockets = websocket_clients.connect(emulator, "chat", identities)
    for index = 1, #identities do
      if sockets.ids[index] then wait_for("return rowOf(arguments[0]) !== null", "its row", sockets.ids[index]) end
    end
  end

  -- Gives a field a value as its user does.
  local function choose(id, value, event)
    run([[
      const field = document.getElementById(arguments[0]);
      field.value = arguments[1];
      field.dispatchEvent(new Event(arguments[2]));]], id, value, event)
  end

  local function wait_for_activity(text)
    wait_for("return texts('#activity-list .text').includes(arguments[0])", "the activity: " .. text, text)
  end

  it("shows connections that come, with what is known of them", function()
    visit()
    assert.is_true(run("return visible(document.getElementById('connection-empty'))"))
    connect({ { user = "alice", groups = { "news", "sport" } }, { user = "bob" } })
    local row = run([[
      const row = rowOf(arguments[0]);
      return [row.querySelector(".user").textContent, row.children[1].textContent,
        [...row.querySelectorAll(".chip")].map((chip) => chip.textContent).join(" "),
        row.querySelector(".protocol").textContent, row.querySelector(".age").textContent];]], sockets.ids[1])
    assert.is_truthy(row[5]:find("^%d+ s$"))
    row[5] = nil
    assert.are.same({ "alice", "chat", "news sport", "json" }, row)
    assert.is_false(run("return visible(document.getElementById('connection-empty'))"))
    assert.are.same({ "all hubs · 2", "chat · 2" }, run("return texts('#hubs button')"))
  end)

  it("shows whom the library closes, and the reason", function()
    visit()
    connect({ { user = "alice" }, { user = "alice" }, { user = "bob" } })
    client:close_user_connections({ user = "alice", reason = "signed in elsewhere" })
    wait_for("return rowOf(arguments[0]) === null && rowOf(arguments[1]) === null", "alice's rows to go",
      sockets.ids[1], sockets.ids[2])
    wait_for_activity("alice was closed: signed in elsewhere")
    wait_for_activity("close user alice: 2 closed")
    assert.are.same({ "204" }, run([[
      return [...document.querySelectorAll("#activity-list .row")]
        .filter((row) => row.querySelector(".text").textContent === "close user alice: 2 closed")
        .map((row) => row.querySelector(".status").textContent);]]))
    assert.is_true(run("return rowOf(arguments[0]) !== null", sockets.ids[3]))
  end)

  it("follows groups and messages", function()
    visit()
    connect({ { user = "alice" } })
    client:add_user_to_group({ user = "alice", group = "news" })
    wait_for("return rowOf(arguments[0]).querySelector('.chip')?.textContent === 'news'", "the group", sockets.ids[1])
    client:send_to_group({ group = "news", content = "read all about it", content_type = "text/plain" })
    wait_for_activity("server → group news: read all about it")
  end)

  it("closes a connection after it asked for the reason", function()
    visit()
    connect({ { user = "alice" }, { user = "bob" } })
    page:click(("#connection-list .row[data-id='%s'] .close"):format(sockets.ids[1]))
    page:type("#close-reason", "enough")
    page:click("#close-dialog button.danger")
    assert.are.equal(FARE_WELL .. "enough", sockets:ended(1).message)
    wait_for("return rowOf(arguments[0]) === null", "its row to go", sockets.ids[1])
    page:click(("#connection-list .row[data-id='%s'] .close"):format(sockets.ids[2]))
    page:click("#close-dialog button[value='cancel']")
    assert.is_true(sockets:stayed(2))
  end)

  it("sends what is typed", function()
    visit()
    connect({ { user = "alice" }, { user = "bob" } })
    choose("send-to", "user", "change")
    page:type("#send-name", "alice")
    page:type("#send-data", "<b>hello</b>")
    page:click("#send button")
    assert.are.same({ "<b>hello</b>" }, { require("cjson").decode(sockets:take_text(1)).data })
    assert.is_true(sockets:stayed(2))
    wait_for_activity("server → user alice: <b>hello</b>")
  end)

  it("filters connections and activity, and shows one hub at a time", function()
    visit()
    connect({ { user = "alice", groups = { "news" } }, { user = "bob" } })
    local others = websocket_clients.connect(emulator, "game", { { user = "carol" } })
    wait_for("return rowOf(arguments[0]) !== null", "carol's row", others.ids[1])
    page:type("#connection-filter", "NEWS")
    wait_for("return texts('#connection-list .user').join() === 'alice'", "the filter")
    assert.are.equal("1 of 3", run("return document.getElementById('connection-count').textContent"))
    choose("connection-filter", "", "input")
    page:click("#hubs button:nth-child(3)")
    wait_for("return texts('#connection-list .user').join() === 'carol'", "one hub")
    page:click("#hubs button:nth-child(1)")
    page:type("#activity-filter", "carol")
    wait_for("return texts('#activity-list .text').every((text) => text.includes('carol'))", "the filter")
    page:click("#kinds button:nth-child(2)") -- clients
    wait_for("return texts('#activity-list .text').length === 0", "the kind to be left out")
    others:stop()
  end)

  it("shows the events that are delivered, and their answers", function()
    local scripted_server = require("spec.support.scripted_server")
    local steps = require("spec.support.steps")
    local handler = scripted_server.start()
    handler:script({ steps.reply({ status = 200, headers = { ["WebHook-Allowed-Origin"] = "*" } }),
      default = steps.reply({ status = 204 }) })
    emulator.stop()
    emulator = launch({ event_handler = handler.origin .. "/events" })
    visit()
    assert.are.equal("events → " .. handler.origin .. "/events",
      run("return document.getElementById('handler').textContent"))
    connect({ { user = "alice" } })
    wait_for_activity("connect of alice")
    wait_for_activity("connected of alice")
    handler:stop()
  end)

  it("comes back by itself when the emulator was started again", function()
    visit()
    local port = emulator.port
    emulator.stop()
    wait_for("return document.getElementById('live').dataset.state === 'lost'", "it to notice")
    emulator = launch({ port = port })
    wait_for("return document.getElementById('live').dataset.state === 'live'", "it to come back")
    connect({ { user = "alice" } })
  end)

  it("shows ten thousand connections as easily as ten", function()
    visit()
    run([[
      const connections = Array.from({ length: arguments[0] }, (_, index) => ({ hub: "chat", id: `id${index}`,
        user: `user ${index}`, protocol: "json.webpubsub.azure.v1", groups: ["g"], since: 0 }));
      receive({ type: "snapshot", endpoint: "x", now: 0, connections, entries: [] });]], MANY)
    wait_for("return document.getElementById('connection-count').textContent === String(arguments[0])", "them", MANY)
    assert.is_true(run("return document.querySelectorAll('#connection-list .row').length < 60"))
    run("document.getElementById('connection-list').scrollTop = 1e9")
    wait_for("return texts('#connection-list .user').includes('user 0')", "the last row")
    local milliseconds = run([[
      const started = performance.now();
      for (let index = 0; index < 20; index++) {
        receive({ type: "entries", entries: [{ kind: "closed", id: `id${index}`, hub: "chat", serial: index + 1,
          time: 0, by: "request" }] });
        showHubs(); showConnections(); showActivity();
      }
      return (performance.now() - started) / 20;]])
    assert.is_truthy(milliseconds < 100, milliseconds .. " ms for each change")
  end)

  it("is dark where the browser is", function()
    local dark = browser.open({ dark = true })
    dark:visit(emulator.endpoint .. "/")
    local colours = [[
      const { color, backgroundColor } = getComputedStyle(document.body);
      return [color, backgroundColor];]]
    assert.are_not.same(page:run(colours), dark:run(colours))
    dark:close()
  end)
end)
