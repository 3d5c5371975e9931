--- The page's style, light and dark as the browser is.

return [[

:root {
  --page: #f5f6f8; --panel: #fff; --line: #dfe3e8; --text: #1c2430; --soft: #647084; --accent: #2563eb;
  --hover: #eef3fe; --good: #15803d; --bad: #c01f3a; --warn: #a15c07; --chip: #eaedf2;
  --request: #2563eb; --client: #0f766e; --message: #7c3aed; --event: #b45309; --note: #647084;
  color-scheme: light;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #11151b; --panel: #191f27; --line: #2b333e; --text: #e3e8ef; --soft: #94a1b3; --accent: #7aa7ff;
    --hover: #222b38; --good: #56d08a; --bad: #ff7d90; --warn: #f0b45c; --chip: #29323f;
    --request: #7aa7ff; --client: #4fd1c0; --message: #bb9bff; --event: #f0b45c; --note: #94a1b3;
    color-scheme: dark;
  }
}
* { box-sizing: border-box; }
[hidden] { display: none !important; }
body {
  margin: 0; height: 100vh; display: flex; flex-direction: column; background: var(--page); color: var(--text);
  font: 13px/1.4 system-ui, sans-serif;
}
code, .id, .time, .ms { font-family: ui-monospace, monospace; font-size: 12px; }
header { display: flex; align-items: baseline; gap: 14px; padding: 10px 16px 4px; }
h1 { font-size: 16px; margin: 0; }
h2 { font-size: 13px; margin: 0; white-space: nowrap; }
output { color: var(--soft); font-weight: normal; margin-left: 4px; }
header code { color: var(--soft); overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
#live { margin-left: auto; color: var(--soft); white-space: nowrap; }
#live::before {
  content: ""; display: inline-block; width: 8px; height: 8px; border-radius: 50%; margin-right: 6px;
  background: var(--warn);
}
#live[data-state="live"]::before { background: var(--good); }
#live[data-state="lost"]::before { background: var(--bad); }
nav { display: flex; gap: 6px; padding: 4px 16px 10px; overflow-x: auto; flex: none; }
#kinds {
  display: flex; gap: 6px; align-items: center; height: 30px; padding: 0 12px; border-bottom: 1px solid var(--line);
  flex: none; overflow-x: auto;
}
#kinds button { font-size: 12px; padding: 0 8px; }
nav button, #kinds button {
  border: 1px solid var(--line); background: var(--panel); color: var(--soft); border-radius: 999px;
}
nav button[aria-pressed="true"], #kinds button[aria-pressed="true"] {
  border-color: var(--accent); color: var(--accent);
}
main {
  flex: 1; min-height: 0; display: grid; grid-template-columns: minmax(0, 1.05fr) minmax(0, 1fr); gap: 12px;
  padding: 0 16px 16px;
}
section {
  background: var(--panel); border: 1px solid var(--line); border-radius: 8px; display: flex; flex-direction: column;
  min-height: 0; overflow: hidden; position: relative;
}
.bar {
  display: flex; gap: 8px; align-items: center; padding: 8px 12px; border-bottom: 1px solid var(--line); flex: none;
  flex-wrap: wrap;
}
form.bar { border-bottom: 0; border-top: 1px solid var(--line); }
input, select, button { font: inherit; color: inherit; }
input, select {
  background: var(--page); border: 1px solid var(--line); border-radius: 6px; padding: 3px 8px; min-width: 0;
}
.bar input[type="search"], #send-data { flex: 1; min-width: 90px; }
#send-name { width: 110px; }
button {
  cursor: pointer; background: var(--chip); border: 1px solid transparent; border-radius: 6px; padding: 3px 10px;
}
button:hover { border-color: var(--accent); }
button:focus-visible, input:focus-visible, select:focus-visible, .list:focus-visible {
  outline: 2px solid var(--accent); outline-offset: -1px;
}
button.danger { background: var(--bad); color: var(--panel); }
.list { flex: 1; overflow-y: auto; position: relative; }
.spacer { width: 1px; }
.row {
  display: grid; grid-template-columns: minmax(80px, 1.4fr) minmax(50px, .8fr) minmax(70px, 1.3fr) 72px 48px 64px;
  gap: 8px; align-items: center; height: 32px; padding: 0 12px; left: 0; right: 0;
}
.list .row { position: absolute; border-bottom: 1px solid var(--line); }
.list .row:hover { background: var(--hover); }
.row.head { color: var(--soft); font-size: 12px; height: 30px; border-bottom: 1px solid var(--line); flex: none; }
.row > * { overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.row .id { color: var(--soft); }
.row .age { text-align: right; color: var(--soft); font-variant-numeric: tabular-nums; }
.row.head :nth-child(5) { text-align: right; }
.row.away { opacity: .55; }
.chip { background: var(--chip); border-radius: 4px; padding: 1px 6px; margin-right: 4px; }
.row button { padding: 1px 8px; }
#activity .row { grid-template-columns: 58px 66px minmax(0, 1fr) 32px 58px; height: 28px; cursor: pointer; }
.time, .ms { color: var(--soft); }
.ms, .status { text-align: right; font-variant-numeric: tabular-nums; }
.kind { font-weight: 600; color: var(--note); }
.kind[data-kind="request"] { color: var(--request); }
.kind[data-kind="client"] { color: var(--client); }
.kind[data-kind="message"] { color: var(--message); }
.kind[data-kind="event"] { color: var(--event); }
.good { color: var(--good); }
.bad { color: var(--bad); }
.empty {
  position: absolute; inset: 90px 0 auto; text-align: center; color: var(--soft); pointer-events: none; margin: 0;
}
#detail {
  margin: 0; padding: 8px 12px; max-height: 40%; overflow: auto; border-top: 1px solid var(--line); flex: none;
  font-size: 12px; white-space: pre-wrap; overflow-wrap: anywhere;
}
dialog {
  border: 1px solid var(--line); border-radius: 8px; background: var(--panel); color: var(--text); width: 360px;
}
dialog::backdrop { background: rgb(0 0 0 / 40%); }
dialog p { margin: 0 0 10px; }
dialog input { width: 100%; }
menu { display: flex; justify-content: flex-end; gap: 8px; padding: 0; margin: 12px 0 0; }
#problem {
  position: fixed; bottom: 12px; left: 50%; transform: translateX(-50%); margin: 0; padding: 6px 14px;
  border-radius: 6px; background: var(--bad); color: var(--panel);
}
@media (max-width: 900px) {
  body { height: auto; min-height: 100vh; }
  main { grid-template-columns: minmax(0, 1fr); }
  section { height: 60vh; }
}
]]
