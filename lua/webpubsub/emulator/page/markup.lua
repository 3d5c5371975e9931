--- The page's HTML; init.lua puts style and script in.

return [[
<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Web PubSub emulator</title>
<link rel="icon" href="data:,">
<style>{{style}}</style>
<header>
  <h1>Web PubSub emulator</h1>
  <code id="endpoint"></code>
  <code id="handler" hidden></code>
  <span id="live" role="status" data-state="connecting">connecting</span>
</header>
<nav id="hubs" aria-label="Hubs"></nav>
<main>
  <section id="connections" aria-label="Connections">
    <div class="bar">
      <h2>Connections <output id="connection-count">0</output></h2>
      <input id="connection-filter" type="search" placeholder="Filter by user, group, id or protocol"
        aria-label="Filter connections">
    </div>
    <div class="row head" aria-hidden="true">
      <span>User</span><span>Hub</span><span>Groups</span><span>Protocol</span><span>Age</span><span></span>
    </div>
    <div class="list" id="connection-list" tabindex="0"><div class="spacer"></div></div>
    <p class="empty" id="connection-empty">No connections. A client's URL: <code>webpubsub url --hub chat</code></p>
    <form class="bar" id="send" autocomplete="off">
      <label>Send to
        <select id="send-to">
          <option value="everyone">everyone</option><option value="user">user</option>
          <option value="group">group</option><option value="connection">connection</option>
        </select></label>
      <input id="send-name" aria-label="Name" placeholder="name" hidden>
      <label>in <select id="send-hub" aria-label="Hub"></select></label>
      <input id="send-data" aria-label="Message" placeholder="Message" required>
      <select id="send-type" aria-label="Type"><option>text</option><option>json</option></select>
      <button type="submit">Send</button>
    </form>
  </section>
  <section id="activity" aria-label="Activity">
    <div class="bar">
      <h2>Activity <output id="activity-count">0</output></h2>
      <input id="activity-filter" type="search" placeholder="Filter by what it says" aria-label="Filter activity">
      <button id="clear" type="button">Clear</button>
    </div>
    <div id="kinds" role="group" aria-label="Kinds"></div>
    <div class="list" id="activity-list" tabindex="0"><div class="spacer"></div></div>
    <p class="empty" id="activity-empty">Nothing has happened yet.</p>
    <pre id="detail" hidden></pre>
  </section>
</main>
<dialog id="close-dialog">
  <form method="dialog">
    <p>Close the connection of <b id="close-who"></b>?</p>
    <input id="close-reason" placeholder="Reason the client is told" aria-label="Reason" maxlength="200">
    <menu>
      <button value="cancel" formnovalidate>Cancel</button><button value="close" class="danger">Close</button>
    </menu>
  </form>
</dialog>
<p id="problem" role="alert" hidden></p>
<script>{{script}}</script>
</html>
]]
