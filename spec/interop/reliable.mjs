// The vendor's client, unchanged, over a line that is cut a hundred times under traffic: nothing may be lost, nothing
// may come twice, and it stays the same connection. Started by run.lua.
import assert from "node:assert/strict";
import { connect as connectTcp, createServer } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { WebPubSubServiceClient } from "@azure/web-pubsub";
import { ROLES, check, connect, end } from "./harness.mjs";

const CUTS = 100;
const BETWEEN_CUTS_MS = 40;
const SEND_EVERY_MS = 2;
const LAST_MESSAGE_MS = 60000;

const endpoint = new URL(/Endpoint=([^;]*)/.exec(process.env.CONNECTION_STRING)[1]);

// A line to the emulator that can be cut: every connection through it ends at once, without a word.
async function openLine() {
  const pairs = new Set();
  const server = createServer((near) => {
    const far = connectTcp(Number(endpoint.port), endpoint.hostname);
    const pair = [near, far];
    pairs.add(pair);
    pair.forEach((socket, index) => {
      socket.on("error", () => {});
      socket.on("close", () => (pairs.delete(pair), pair[1 - index].destroy()));
      socket.pipe(pair[1 - index]);
    });
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    port: server.address().port,
    close: () => server.close(),
    cut() {
      const count = pairs.size;
      pairs.forEach((pair) => pair.forEach((socket) => socket.destroy()));
      return count;
    },
  };
}

await check(`keeps a client's place over a line that is cut ${CUTS} times under traffic`, async (service, opened) => {
  const line = await openLine();
  // Tokens are made for the host that a client asks for.
  const throughLine = new WebPubSubServiceClient(
    process.env.CONNECTION_STRING.replace(endpoint.host, `${endpoint.hostname}:${line.port}`), service.hubName,
    { allowInsecureConnection: true });
  const retrying = { autoReconnect: false, messageRetryOptions: { maxRetries: 1000, retryDelayInMs: 5 } };
  const reader = await connect(throughLine, opened, { userId: "reader", groups: ["news"] }, retrying);
  const writer = await connect(throughLine, opened, { userId: "writer", roles: ROLES }, retrying);
  const fromServer = [], fromWriter = [];
  reader.on("server-message", ({ message }) => fromServer.push(message.data));
  reader.on("group-message", ({ message }) => fromWriter.push(message.data));

  let cutting = true, sent = 0, written = 0;
  const server = (async () => {
    for (; cutting; await sleep(SEND_EVERY_MS)) {
      await service.sendToUser("reader", String(sent++), { contentType: "text/plain" });
    }
  })();
  const client = (async () => {
    for (; cutting; await sleep(SEND_EVERY_MS)) {
      // With an id of its own, for the client makes up another one each time it tries again.
      await writer.sendToGroup("news", String(written), "text", { ackId: ++written });
    }
  })();
  let cuts = 0;
  while (cuts < CUTS) {
    await sleep(BETWEEN_CUTS_MS);
    if (line.cut() === 2) cuts += 1; // both were connected
  }
  cutting = false;
  await Promise.all([server, client]);
  const deadline = Date.now() + LAST_MESSAGE_MS;
  while ((fromServer.length < sent || fromWriter.length < written) && Date.now() < deadline) await sleep(10);

  const numbers = (count) => Array.from({ length: count }, (_, index) => String(index));
  assert.deepEqual(fromServer, numbers(sent));
  assert.deepEqual(fromWriter, numbers(written));
  assert.equal(await service.connectionExists(reader.id), true);
  console.log(`     ${sent} messages of the server and ${written} of a client, in order, over ${cuts} cuts`);
  line.close();
});

end();
