// What the checks of the vendor's libraries have in common. run.lua sets CONNECTION_STRING. Each check prints a PASS
// line, or a FAIL line with what went wrong.
import { webcrypto } from "node:crypto";
import { WebPubSubServiceClient } from "@azure/web-pubsub";
import { WebPubSubClient } from "@azure/web-pubsub-client";

globalThis.crypto ??= webcrypto; // the vendor's packages want it, and Debian 12's node 18 has it elsewhere

const DEADLINE_MS = 5000; // for each thing that is awaited
export const ROLES = ["webpubsub.joinLeaveGroup", "webpubsub.sendToGroup"];

let failures = 0;
let hubs = 0;

export function within(promise, what) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no ${what} within ${DEADLINE_MS} ms`)), DEADLINE_MS);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

// Each check has a hub of its own, and every client it opened is stopped afterwards.
export async function check(name, run) {
  const service = new WebPubSubServiceClient(process.env.CONNECTION_STRING, `interop${++hubs}`, {
    allowInsecureConnection: true,
    retryOptions: { maxRetries: 0 },
  });
  const opened = [];
  try {
    await run(service, opened);
    console.log(`PASS ${name}`);
  } catch (error) {
    failures += 1;
    console.log(`FAIL ${name}\n     ${error.stack}`);
  } finally {
    opened.forEach((client) => (client.stop ? client.stop() : client.terminate()));
  }
}

// A client of the vendor, started, with its messages as a queue; the reliable protocol unless one is given.
export async function connect(service, opened, token, options = {}) {
  const { url } = await service.getClientAccessToken(token);
  const client = new WebPubSubClient(url, { autoReconnect: false, messageRetryOptions: { maxRetries: 0 }, ...options });
  opened.push(client);
  const messages = [];
  let wake = () => {};
  const keep = ({ message }) => (messages.push(message), wake());
  client.on("server-message", keep);
  client.on("group-message", keep);
  const connected = new Promise((resolve) => client.on("connected", resolve));
  client.disconnected = new Promise((resolve) => client.on("disconnected", resolve));
  await within(client.start(), "handshake");
  client.id = (await within(connected, "connected event")).connectionId;
  client.next = async () => {
    if (!messages.length) await within(new Promise((resolve) => (wake = resolve)), "message");
    return messages.shift();
  };
  return client;
}

// Ends the process: with 1 if a check failed.
export function end() {
  process.exit(failures ? 1 : 0);
}
