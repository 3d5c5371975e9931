// The vendor's service and client libraries, unchanged, against the emulator. Started by run.lua.
import assert from "node:assert/strict";
import { once } from "node:events";
import { WebPubSubServiceClient, odata } from "@azure/web-pubsub";
import { WebPubSubJsonProtocol } from "@azure/web-pubsub-client";
import WebSocket from "ws";
import { ROLES, check, connect, end, within } from "./harness.mjs";

await check("sends text, JSON and binary to all, a user, a connection, a group", async (service, opened) => {
  const alice = await connect(service, opened, { userId: "alice", groups: ["g"] });
  await service.sendToAll("text", { contentType: "text/plain" });
  assert.deepEqual(await alice.next().then((m) => [m.dataType, m.data]), ["text", "text"]);
  await service.sendToUser("alice", { list: [], n: 1.5 });
  assert.deepEqual(await alice.next().then((m) => [m.dataType, m.data]), ["json", { list: [], n: 1.5 }]);
  await service.sendToConnection(alice.id, new Uint8Array([0, 255]).buffer);
  assert.deepEqual(await alice.next().then((m) => [...new Uint8Array(m.data)]), [0, 255]);
  await service.group("g").sendToAll("to g", { contentType: "text/plain" });
  assert.deepEqual(await alice.next().then((m) => [m.group, m.data]), ["g", "to g"]);
});

await check("filters with odata and leaves out the excluded", async (service, opened) => {
  const alice = await connect(service, opened, { userId: "vic's", groups: ["a"] });
  const bob = await connect(service, opened, { userId: "bob", groups: ["a", "b"] });
  await service.sendToAll("1", { contentType: "text/plain", filter: odata`userId eq ${"vic's"}` });
  await service.sendToAll("2", { contentType: "text/plain", filter: odata`${"a"} in groups and not(${"b"} in groups)` });
  await service.group("a").sendToAll("3", { contentType: "text/plain", excludedConnections: [alice.id] });
  await service.sendToAll("4", { contentType: "text/plain", messageTtlSeconds: 60 });
  assert.deepEqual([(await alice.next()).data, (await alice.next()).data, (await alice.next()).data], ["1", "2", "4"]);
  assert.deepEqual([(await bob.next()).data, (await bob.next()).data], ["3", "4"]);
  await assert.rejects(service.sendToAll("x", { contentType: "text/plain", filter: "invalid filter" }),
    (error) => error.statusCode === 400 && error.message.includes("Syntax error at position 14"));
});

await check("closes a user's connections with a reason, but not the excluded one", async (service, opened) => {
  const laptop = await connect(service, opened, { userId: "alice" });
  const phone = await connect(service, opened, { userId: "alice" });
  await service.closeUserConnections("alice", { excluded: [phone.id], reason: "signed in elsewhere" });
  const { message } = await within(laptop.disconnected, "disconnected event");
  assert.equal(message.message, "Application server closed the connection. Reason: signed in elsewhere");
  assert.equal(await service.connectionExists(laptop.id), false);
  assert.equal(await service.connectionExists(phone.id), true);
  assert.equal(await service.userExists("alice"), true);
  await service.closeConnection(phone.id, { reason: "enough" });
  await within(phone.disconnected, "disconnected event");
  assert.equal(await service.userExists("alice"), false);
});

await check("closes everyone and a group", async (service, opened) => {
  const member = await connect(service, opened, { groups: ["g"] });
  const stranger = await connect(service, opened, {});
  await service.group("g").closeAllConnections({ reason: "x" });
  await within(member.disconnected, "disconnected event");
  await service.closeAllConnections();
  await within(stranger.disconnected, "disconnected event");
});

await check("manages groups by connection, user and filter", async (service, opened) => {
  const alice = await connect(service, opened, { userId: "alice" });
  const group = service.group("a / b");
  await group.addConnection(alice.id);
  assert.equal(await service.groupExists("a / b"), true);
  await group.removeConnection(alice.id);
  assert.equal(await service.groupExists("a / b"), false);
  await group.addUser("alice");
  await group.removeUser("alice");
  await service.addConnectionsToGroups(["x", "y"], odata`userId eq ${"alice"}`);
  assert.equal(await service.groupExists("y"), true);
  await service.removeConnectionsFromGroups(["x"], odata`userId eq ${"alice"}`);
  await service.removeConnectionFromAllGroups(alice.id);
  await service.removeUserFromAllGroups("alice");
  assert.equal(await service.groupExists("y"), false);
  await assert.rejects(group.addConnection("none"),
    (error) => error.statusCode === 404 && error.code === "Error.Connection.NotExisted");
});

await check("lists a group page by page", async (service, opened) => {
  const ids = [];
  for (let index = 0; index < 5; index++) {
    ids.push((await connect(service, opened, { userId: `user ${index}`, groups: ["g"] })).id);
  }
  const listed = [];
  for await (const member of await service.group("g").listConnections()) listed.push(member.connectionId);
  assert.deepEqual(listed, ids);
  const sizes = [];
  const pages = (await service.group("g").listConnections({ top: 4, maxPageSize: 3 })).byPage();
  for await (const page of pages) sizes.push(page.length);
  assert.deepEqual(sizes, [3, 1]);
});

await check("grants, checks and revokes permissions, which work at once", async (service, opened) => {
  const alice = await connect(service, opened, { userId: "alice" });
  assert.equal(await service.hasPermission(alice.id, "joinLeaveGroup", { targetName: "g" }), false);
  await assert.rejects(alice.joinGroup("g"), (error) => error.errorDetail.name === "Forbidden");
  await service.grantPermission(alice.id, "joinLeaveGroup", { targetName: "g" });
  assert.equal(await service.hasPermission(alice.id, "joinLeaveGroup", { targetName: "g" }), true);
  await alice.joinGroup("g");
  await service.revokePermission(alice.id, "joinLeaveGroup", { targetName: "g" });
  await assert.rejects(alice.leaveGroup("g"), (error) => error.errorDetail.name === "Forbidden");
});

for (const [name, protocol] of [["reliable", undefined], ["plain", WebPubSubJsonProtocol()]]) {
  await check(`lets ${name} JSON clients join, send to and leave groups`, async (service, opened) => {
    const options = protocol ? { protocol } : {};
    const alice = await connect(service, opened, { userId: "alice", roles: ROLES }, options);
    const bob = await connect(service, opened, { userId: "bob", groups: ["g"] }, options);
    await alice.joinGroup("g");
    await alice.sendToGroup("g", { x: [] }, "json");
    assert.deepEqual(await bob.next().then((m) => [m.fromUserId, m.data]), ["alice", { x: [] }]);
    assert.deepEqual((await alice.next()).data, { x: [] });
    await alice.sendToGroup("g", "quiet", "text", { noEcho: true, ackId: 1000 });
    assert.deepEqual(await alice.sendToGroup("g", "again", "text", { ackId: 1000 }).then((r) => r.isDuplicated), true);
    assert.equal((await bob.next()).data, "quiet");
    await alice.leaveGroup("g");
    await assert.rejects(alice.sendEvent("e", "x", "text"), (error) => error.errorDetail.name === "InternalServerError");
  });
}

await check("tells a client what is left out, and keeps it", async (service, opened) => {
  const alice = await connect(service, opened, { roles: ROLES });
  await assert.rejects(alice.invokeEvent("e", "x", "text"), (error) => error.errorDetail.name === "NotSupported");
  await alice.joinGroup("g");
});

await check("connects a client again whose connection was closed", async (service, opened) => {
  const alice = await connect(service, opened, { userId: "alice", roles: ROLES },
    { autoReconnect: true, reconnectRetryOptions: { retryDelayInMs: 50 } });
  await alice.joinGroup("g");
  const again = new Promise((resolve) => alice.on("connected", resolve));
  await service.closeUserConnections("alice");
  const { connectionId } = await within(again, "second connected event");
  assert.notEqual(connectionId, alice.id);
  assert.equal(await service.groupExists("g"), true);
});

await check("serves raw clients and closes them with 1000 and no reason", async (service, opened) => {
  const { url } = await service.getClientAccessToken({ userId: "raw" });
  const raw = new WebSocket(url);
  opened.push(raw);
  await within(once(raw, "open"), "handshake");
  const received = once(raw, "message");
  await service.sendToUser("raw", { hello: "world" });
  const [data, isBinary] = await within(received, "message");
  assert.deepEqual([data.toString(), isBinary], ['{"hello":"world"}', false]);
  const closed = once(raw, "close");
  await service.closeUserConnections("raw", { reason: "x" });
  const [code, reason] = await within(closed, "close");
  assert.deepEqual([code, reason.toString()], [1000, ""]);
});

await check("refuses a key that is not the emulator's", async (service) => {
  const stranger = new WebPubSubServiceClient(
    process.env.CONNECTION_STRING.replace(/AccessKey=[^;]*/, "AccessKey=another"), service.hubName,
    { allowInsecureConnection: true, retryOptions: { maxRetries: 0 } });
  await assert.rejects(stranger.sendToAll("x", { contentType: "text/plain" }), (error) => error.statusCode === 401);
});

end();
