// javascript.mjs SECONDS IN_FLIGHT PORT: the vendor's service client; prints calls per second. The clock starts when as
// many calls as there are in flight have ended.
import { createRequire } from "node:module";
import { webcrypto } from "node:crypto";

globalThis.crypto ??= webcrypto; // the vendor's packages want it, and Debian 12's node 18 has it elsewhere

const { WebPubSubServiceClient } = createRequire(new URL("../../interop/package.json", import.meta.url))(
  "@azure/web-pubsub");

const [seconds, inFlight, port] = process.argv.slice(2).map(Number);
const service = new WebPubSubServiceClient(
  `Endpoint=http://127.0.0.1;Port=${port};AccessKey=a key of the usual length, 44 characters long;Version=1.0;`, "bench",
  { allowInsecureConnection: true, retryOptions: { maxRetries: 0 } });

let calls = 0;
let started;
let user = 1000;

async function work() {
  for (;;) {
    await service.closeUserConnections(`user-${user++}`, { excluded: ["conn-1"], reason: "signed in elsewhere" });
    calls++;
    if (!started && calls >= inFlight) [started, calls] = [performance.now(), 0];
    const passed = started ? (performance.now() - started) / 1000 : 0;
    if (passed >= seconds) {
      console.log((calls / passed).toFixed(1));
      process.exit(0);
    }
  }
}

for (let index = 0; index < inFlight; index++) work();
