--- The page's script. Lists draw the rows that can be seen and no others, so ten thousand connections are no burden.

return [[

"use strict";
const $ = (id) => document.getElementById(id);
const MAX_ENTRIES = 2000; // of the activity; older ones are forgotten
const RETRY_MS = 1000;
const KINDS = { // how the emulator's kinds of entries are shown
  request: ["request", "requests"], opened: ["client", "clients"], closed: ["client", "clients"],
  away: ["client", "clients"], message: ["message", "messages"], event: ["event", "events"], note: ["note", "notes"],
};
const state = {
  connections: new Map(), // by id, oldest first
  entries: [], // newest first
  hub: "", // the one that is shown, or all
  hidden: new Set(), // kinds that are not shown
  clockSkew: 0, // seconds to add to this clock for the emulator's
  socket: null,
};

function element(tag, className, text) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}

// A list of rows of one height, of which only those in sight are in the document.
function virtualList(box, rowHeight, draw) {
  const spacer = box.querySelector(".spacer");
  const rows = new Map();
  let items = [];
  function render() {
    const first = Math.max(0, Math.floor(box.scrollTop / rowHeight) - 5);
    const last = Math.min(items.length, Math.ceil((box.scrollTop + box.clientHeight) / rowHeight) + 5);
    const wanted = new Map();
    for (let index = first; index < last; index++) wanted.set(items[index], index);
    for (const [item, row] of rows) {
      if (!wanted.has(item) || item.changed) {
        row.remove();
        rows.delete(item);
      }
    }
    for (const [item, index] of wanted) {
      let row = rows.get(item);
      if (!row) {
        row = draw(item);
        item.changed = false;
        rows.set(item, row);
        box.append(row);
      }
      row.style.top = `${index * rowHeight}px`;
    }
  }
  box.addEventListener("scroll", render, { passive: true });
  window.addEventListener("resize", render);
  return {
    show(next) {
      // What is being read stays where it is when rows are put in above it.
      if (box.scrollTop > 0 && items.length && next !== items) {
        const at = next.indexOf(items[Math.floor(box.scrollTop / rowHeight)]);
        if (at >= 0) box.scrollTop = at * rowHeight + (box.scrollTop % rowHeight);
      }
      items = next;
      spacer.style.height = `${items.length * rowHeight}px`;
      render();
    },
    each(visit) { rows.forEach((row, item) => visit(row, item)); },
  };
}

// Connections -------------------------------------------------------------------------------------------------------

function age(connection) {
  const seconds = Math.max(0, Math.floor(Date.now() / 1000 + state.clockSkew - connection.since));
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
  return `${Math.floor(seconds / 3600)} h`;
}

function shortProtocol(name) {
  return name.replace(/\.webpubsub\.azure\.v1$/, "").replace("json.reliable", "reliable")
    .replace("no sub-protocol", "raw");
}

function drawConnection(connection) {
  const row = element("div", connection.away ? "row away" : "row");
  row.dataset.id = connection.id;
  const user = element("span");
  if (connection.user) user.append(element("b", "user", connection.user), " ");
  user.append(element("span", "id", connection.id.slice(0, 8)));
  user.title = connection.user ? `${connection.user} (${connection.id})` : connection.id;
  const groups = element("span", "groups");
  connection.groups.forEach((group) => groups.append(element("span", "chip", group)));
  groups.title = connection.groups.join(", ");
  const protocol = element("span", "protocol", connection.away ? "away" : shortProtocol(connection.protocol));
  protocol.title = connection.protocol;
  const end = element("span");
  const close = element("button", "close", "Close");
  close.type = "button";
  close.addEventListener("click", () => askToClose(connection));
  end.append(close);
  row.append(user, element("span", "", connection.hub), groups, protocol, element("span", "age", age(connection)), end);
  return row;
}

const connectionList = virtualList($("connection-list"), 32, drawConnection);

function hubCounts() {
  const counts = new Map();
  for (const { hub } of state.connections.values()) counts.set(hub, (counts.get(hub) || 0) + 1);
  return counts;
}

const hubButtons = new Map();

function makeHubButton(name) {
  const button = element("button");
  button.type = "button";
  button.addEventListener("click", () => ((state.hub = name), refresh()));
  hubButtons.set(name, button);
  return button;
}

function showHubs() {
  const counts = hubCounts();
  if (state.hub && !counts.has(state.hub)) counts.set(state.hub, 0);
  const names = [...counts.keys()].sort();
  // A button stays the same while its numbers change: it may be under a finger.
  const buttons = ["", ...names].map((name) => {
    const button = hubButtons.get(name) || makeHubButton(name);
    button.textContent = name ? `${name} · ${counts.get(name)}` : `all hubs · ${state.connections.size}`;
    button.setAttribute("aria-pressed", String(state.hub === name));
    return button;
  });
  if (buttons.some((button, index) => $("hubs").children[index] !== button)
    || $("hubs").children.length !== buttons.length) {
    $("hubs").replaceChildren(...buttons);
  }
  const select = $("send-hub"), chosen = state.hub || select.value;
  if ([...select.options].map((option) => option.value).join() !== names.join()) {
    select.replaceChildren(...names.map((name) => new Option(name)));
  }
  if (names.includes(chosen)) select.value = chosen;
}

function showConnections() {
  const wanted = $("connection-filter").value.trim().toLowerCase();
  const matches = (text) => text.toLowerCase().includes(wanted);
  const list = [...state.connections.values()].filter((one) => (!state.hub || one.hub === state.hub)
    && (!wanted || [one.user || "", one.id, one.protocol, ...one.groups].some(matches)));
  $("connection-count").textContent = list.length === state.connections.size ? String(list.length)
    : `${list.length} of ${state.connections.size}`;
  $("connection-empty").hidden = state.connections.size > 0;
  connectionList.show(list.reverse());
}

// Activity ----------------------------------------------------------------------------------------------------------

function who(entry) {
  return entry.user || (entry.id ? entry.id.slice(0, 8) : "");
}

const DESCRIBE = {
  request: (entry) => entry.text || `${entry.method} ${entry.path}${entry.problem ? `: ${entry.problem}` : ""}`,
  opened: (entry) => `${who(entry)} ${entry.recovered ? "came back" : "connected"} to ${entry.hub} `
    + `(${shortProtocol(entry.protocol)})`,
  away: (entry) => `${who(entry)} lost its connection: ${entry.reason}`,
  closed: (entry) => `${who(entry)} ${entry.by === "client" ? "left" : "was closed"}`
    + (entry.reason ? `: ${entry.reason}` : ""),
  message: (entry) => `${entry.id ? who(entry) : "server"} → ${entry.to}: ${entry.preview ?? `${entry.bytes} bytes`}`,
  event: (entry) => `${entry.name} of ${who(entry)}${entry.problem ? `: ${entry.problem}` : ""}`,
  note: (entry) => entry.text,
};

function statusOf(entry) {
  if (entry.kind === "message") return [`×${entry.count}`, ""];
  if (entry.status) return [String(entry.status), entry.status < 400 ? "good" : "bad"];
  return entry.problem ? ["—", "bad"] : ["", ""];
}

function clock(seconds) {
  return new Date(seconds * 1000).toTimeString().slice(0, 8);
}

function drawEntry(entry) {
  const row = element("div", "row");
  const kind = element("span", "kind", KINDS[entry.kind][0]);
  kind.dataset.kind = KINDS[entry.kind][0];
  const text = element("span", "text", entry.described);
  text.title = entry.described;
  const [status, tone] = statusOf(entry);
  row.append(element("span", "time", clock(entry.time)), kind, text, element("span", `status ${tone}`, status),
    element("span", "ms", entry.ms === undefined ? "" : `${entry.ms.toFixed(1)} ms`));
  row.addEventListener("click", () => showDetail(entry));
  return row;
}

// Shows all that is known of an entry; asked a second time, hides it.
let shown = null;
function showDetail(entry) {
  shown = entry === shown ? null : entry;
  $("detail").hidden = !shown;
  if (!shown) return;
  const { described, changed, ...rest } = entry;
  $("detail").textContent = JSON.stringify({ ...rest, time: clock(entry.time) }, null, 1);
}

const activityList = virtualList($("activity-list"), 28, drawEntry);

function showActivity() {
  const wanted = $("activity-filter").value.trim().toLowerCase();
  const list = state.entries.filter((entry) => !state.hidden.has(KINDS[entry.kind][1])
    && (!state.hub || !entry.hub || entry.hub === state.hub)
    && (!wanted || entry.described.toLowerCase().includes(wanted)));
  $("activity-count").textContent = list.length === state.entries.length ? String(list.length)
    : `${list.length} of ${state.entries.length}`;
  $("activity-empty").hidden = state.entries.length > 0;
  activityList.show(list);
}

// What the emulator says --------------------------------------------------------------------------------------------

const APPLY = {
  opened(entry) {
    const known = state.connections.get(entry.id);
    if (known) Object.assign(known, { away: false, changed: true });
    else state.connections.set(entry.id, { ...entry, groups: [], since: entry.time, changed: false });
  },
  away(entry) {
    const known = state.connections.get(entry.id);
    if (known) Object.assign(known, { away: true, changed: true });
  },
  closed(entry) { state.connections.delete(entry.id); },
  group(entry) {
    const known = state.connections.get(entry.id);
    if (!known) return;
    known.groups = known.groups.filter((group) => group !== entry.group);
    if (entry.joined) known.groups = [...known.groups, entry.group].sort();
    known.changed = true;
  },
};

function remember(entry) {
  if (!KINDS[entry.kind]) return;
  entry.described = DESCRIBE[entry.kind](entry);
  state.entries.unshift(entry);
}

function receive(message) {
  if (message.type === "snapshot") {
    $("endpoint").textContent = message.endpoint;
    $("handler").hidden = !message.handler;
    $("handler").textContent = `events → ${message.handler}`;
    state.clockSkew = message.now - Date.now() / 1000;
    state.connections = new Map(message.connections.map((one) => [one.id, one]));
    state.entries = [];
    message.entries.forEach(remember);
  } else if (message.type === "entries") {
    const last = state.entries.length ? state.entries[0].serial : 0;
    for (const entry of message.entries) {
      if (entry.serial <= last) continue;
      APPLY[entry.kind]?.(entry);
      remember(entry);
    }
  } else if (message.type === "problem") {
    complain(message.text);
  }
  state.entries.length = Math.min(state.entries.length, MAX_ENTRIES);
  refresh();
}

let waiting = false;
function refresh() {
  if (waiting) return;
  waiting = true;
  requestAnimationFrame(() => {
    waiting = false;
    showHubs();
    showConnections();
    showActivity();
  });
}

function setLive(name, text) {
  $("live").dataset.state = name;
  $("live").textContent = text;
}

function open() {
  const socket = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/page/live`);
  state.socket = socket;
  socket.onopen = () => setLive("live", "live");
  socket.onmessage = ({ data }) => receive(JSON.parse(data));
  socket.onclose = () => {
    setLive("lost", "not connected, trying again");
    setTimeout(open, RETRY_MS);
  };
}

// What the reader asks for ------------------------------------------------------------------------------------------

let complaining;
function complain(text) {
  $("problem").textContent = text;
  $("problem").hidden = false;
  clearTimeout(complaining);
  complaining = setTimeout(() => ($("problem").hidden = true), 5000);
}

function ask(command) {
  if (state.socket.readyState !== WebSocket.OPEN) complain("The emulator is not connected.");
  else state.socket.send(JSON.stringify(command));
}

function askToClose(connection) {
  const dialog = $("close-dialog");
  $("close-who").textContent = connection.user || connection.id;
  dialog.returnValue = "";
  dialog.onclose = () => {
    if (dialog.returnValue === "close") {
      ask({ type: "close", hub: connection.hub, id: connection.id, reason: $("close-reason").value });
    }
  };
  dialog.showModal();
}

$("close-reason").addEventListener("keydown", (event) => {
  if (event.key !== "Enter") return;
  event.preventDefault();
  $("close-dialog").close("close");
});
$("send-to").addEventListener("change", () => ($("send-name").hidden = $("send-to").value === "everyone"));
$("send").addEventListener("submit", (event) => {
  event.preventDefault();
  ask({ type: "send", hub: $("send-hub").value, to: $("send-to").value, name: $("send-name").value,
    dataType: $("send-type").value, data: $("send-data").value });
  $("send-data").value = "";
});
$("connection-filter").addEventListener("input", refresh);
$("activity-filter").addEventListener("input", refresh);
$("clear").addEventListener("click", () => {
  state.entries = [];
  if (shown) showDetail(shown);
  refresh();
});
for (const name of new Set(Object.values(KINDS).map(([, plural]) => plural))) {
  const button = element("button", "", name);
  button.type = "button";
  button.setAttribute("aria-pressed", "true");
  button.addEventListener("click", () => {
    if (!state.hidden.delete(name)) state.hidden.add(name);
    button.setAttribute("aria-pressed", String(!state.hidden.has(name)));
    refresh();
  });
  $("kinds").append(button);
}
setInterval(() => connectionList.each((row, one) => (row.querySelector(".age").textContent = age(one))), 1000);
open();
]]
