// The vendor's event handler (@azure/web-pubsub-express), unchanged, answers the emulator's events for the vendor's
// client. Started by run.lua, which sets EMULATOR to the program to start once the handler's port is known.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { createServer } from "node:http";
import { createInterface } from "node:readline";
import { WebPubSubServiceClient } from "@azure/web-pubsub";
import { WebPubSubClient, WebPubSubJsonProtocol } from "@azure/web-pubsub-client";
import { WebPubSubEventHandler } from "@azure/web-pubsub-express";
import WebSocket from "ws";
import { check, end, within } from "./harness.mjs";

const HUB = "events";
const seen = [];
const states = [];
let wake = () => {};

const handler = new WebPubSubEventHandler(HUB, {
  handleConnect(request, response) {
    if (request.queries?.name?.[0] === "eve") return response.fail(401, "banned");
    response.setState("visits", 0);
    response.success({ userId: request.queries.name[0], groups: ["lobby"], roles: ["webpubsub.sendToGroup.lobby"] });
  },
  handleUserEvent(request, response) {
    seen.push([request.context.eventName, request.dataType, request.data, request.context.userId]);
    if (request.context.eventName === "fail") return response.fail(500, "no");
    const visits = request.context.states.visits + 1;
    states.push(visits);
    response.setState("visits", visits);
    response.success(JSON.stringify({ visits }), "json");
  },
  onConnected: ({ context }) => (seen.push(["connected", context.userId]), wake()),
  onDisconnected: ({ context, reason }) => (seen.push(["disconnected", context.userId, reason]), wake()),
}).getMiddleware();

// What of express the middleware needs.
const web = createServer((request, response) => {
  request.baseUrl = "";
  request.path = new URL(request.url, "http://localhost").pathname;
  handler(request, response, () => response.writeHead(404).end());
});
await new Promise((resolve) => web.listen(0, "127.0.0.1", resolve));
const url = `http://127.0.0.1:${web.address().port}/api/webpubsub/hubs/{hub}/`;

const emulator = spawn("lua5.4",
  [process.env.EMULATOR, "--port", "0", "--quiet", "--exit-on-eof", "--event-handler", url]);
let connectionString;
for await (const line of createInterface({ input: emulator.stdout })) {
  connectionString ??= /'(Endpoint=[^']*)'/.exec(line)?.[1];
  if (line.startsWith("listening on")) break;
}
process.env.CONNECTION_STRING = connectionString;
const service = new WebPubSubServiceClient(connectionString, HUB, { allowInsecureConnection: true });

async function urlFor(name) {
  return `${(await service.getClientAccessToken()).url}&name=${name}`;
}

async function until(condition, what) {
  while (!condition()) await within(new Promise((resolve) => (wake = resolve)), what);
}

await check("the vendor's handler names the user, its groups and its roles", async (_, opened) => {
  const alice = new WebPubSubClient(await urlFor("alice"), { protocol: WebPubSubJsonProtocol() });
  opened.push(alice);
  const connected = new Promise((resolve) => alice.on("connected", resolve));
  await within(alice.start(), "handshake");
  assert.equal((await within(connected, "connected event")).userId, "alice");
  assert.equal(await service.groupExists("lobby"), true);
  await alice.sendToGroup("lobby", "hello", "text");
  await until(() => seen.some(([name, user]) => name === "connected" && user === "alice"), "connected event");
});

await check("the vendor's handler refuses a client", async () => {
  const eve = new WebSocket(await urlFor("eve"));
  const status = new Promise((resolve) => eve.on("unexpected-response", (_, response) => resolve(response.statusCode)));
  eve.on("error", () => {});
  assert.equal(await within(status, "answer"), 401);
});

await check("the vendor's handler answers events and keeps the connection's state", async (_, opened) => {
  const bob = new WebPubSubClient(await urlFor("bob"));
  opened.push(bob);
  const answers = [];
  bob.on("server-message", ({ message }) => (answers.push(message.data), wake()));
  await within(bob.start(), "handshake");
  seen.length = states.length = 0;
  await bob.sendEvent("visit", { where: "here" }, "json");
  await bob.sendEvent("visit", "there", "text");
  await bob.sendEvent("visit", new Uint8Array([0, 255]).buffer, "binary");
  await until(() => answers.length === 3, "answers");
  assert.deepEqual(answers, [{ visits: 1 }, { visits: 2 }, { visits: 3 }]);
  const events = seen.filter(([name]) => name === "visit");
  assert.deepEqual(events.map(([, type]) => type), ["json", "text", "binary"]);
  assert.deepEqual(events[0][2], { where: "here" });
  assert.equal(events[1][2], "there");
  await service.closeUserConnections("bob", { reason: "enough" });
  await until(() => seen.some((one) => one.join() === "disconnected,bob,enough"), "disconnected event");
});

await check("an event that the vendor's handler fails drops the connection", async (_, opened) => {
  const carol = new WebPubSubClient(await urlFor("carol"),
    { autoReconnect: false, messageRetryOptions: { maxRetries: 0 } });
  opened.push(carol);
  const gone = new Promise((resolve) => carol.on("disconnected", resolve));
  await within(carol.start(), "handshake");
  await assert.rejects(carol.sendEvent("fail", "x", "text"));
  await within(gone, "disconnected event");
  assert.equal(await service.userExists("carol"), false);
});

emulator.stdin.end();
web.close();
end();
