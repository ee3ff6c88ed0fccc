/** The connection when the browser stops the page's scripts, and when the page wakes. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { followPageLifecycle } from "../../../realtime/static/realtime/connection/page_lifecycle.js";
import { makeOpen } from "../support/connection.js";

test("a page that wakes sends a ping, and keeps its connection if a pong comes", async () => {
  const { connection, server, clock } = await makeOpen();

  connection.wake();
  connection.wake();
  assert.deepEqual(server.sent, [{ type: "ping" }]);
  await server.send({ type: "pong" });
  await clock.advance(10_000);

  assert.equal(connection.state, "open");
});

test("a page that wakes on a dead connection reopens it within seconds", async () => {
  const { connection, server, clock } = await makeOpen();
  connection.wake();

  // It may have been buffered before the sleep, so it does not prove that the connection is alive.
  await server.send({ type: "changed", topics: {} });
  await clock.advance(3_000);
  assert.equal(connection.state, "waiting");
  await clock.advance(500);

  assert.equal(server.sockets.length, 2);
});

test("a probe of a lost connection does not end the next one", async () => {
  const { connection, server, clock } = await makeOpen();
  connection.wake();
  await server.close();
  await clock.advance(500);
  await server.welcome();

  await clock.advance(3_000);

  assert.equal(connection.state, "open");
  assert.equal(server.sockets.length, 2);
});

test("a page that wakes does not wait out the backoff", async () => {
  const { connection, server, clock } = await makeOpen();
  for (let i = 0; i < 6; i++) {
    await server.close(1006);
    await clock.advance(30_000);
  }
  await server.close(1006);
  const before = server.sockets.length;

  connection.wake();
  connection.wake();
  await clock.advance(250);

  assert.equal(server.sockets.length, before + 1);
});

test("a refused client reconnects when the user looks", async () => {
  const { connection, server, clock } = await makeOpen();
  await server.close(4401);

  connection.wake();
  await clock.advance(500);
  await server.welcome();

  assert.equal(connection.state, "open");
});

test("a page that wakes after a long sleep reopens the connection without a probe", async () => {
  const { connection, server, clock } = await makeOpen();
  clock.sleep(62_500);

  connection.wake();
  assert.equal(connection.state, "waiting");
  assert.deepEqual(server.sent, []);
  await clock.advance(250);

  assert.equal(server.sockets.length, 2);
});

test("a page that sleeps closes its socket, and reconnects at once when it wakes", async () => {
  const { connection, server, clock } = await makeOpen();

  connection.sleep();
  assert.equal(connection.state, "waiting");
  assert.equal(server.sockets[0].closed, true);
  clock.sleep(3_600_000);
  connection.wake();
  await clock.advance(250);

  assert.equal(server.sockets.length, 2);
});

test("a page whose scripts go on after `sleep` reconnects as after any loss", async () => {
  const { connection, server, clock } = await makeOpen();

  connection.sleep();
  connection.sleep();
  await clock.advance(500);

  assert.equal(server.sockets.length, 2);
});

test("a refused client stays refused when its page sleeps", async () => {
  const { connection, server } = await makeOpen();
  await server.close(4401);

  connection.sleep();

  assert.equal(connection.state, "refused");
});

/** A page whose events are recorded as the calls that they cause. */
function follow() {
  const window = new EventTarget();
  const document = Object.assign(new EventTarget(), { visibilityState: "hidden" });
  const calls = [];
  const follower = { wake: () => calls.push("wake"), sleep: () => calls.push("sleep") };
  followPageLifecycle(follower, { window, document });
  const fire = (target, type, fields = {}) =>
    target.dispatchEvent(Object.assign(new Event(type), fields));
  return { window, document, calls, fire };
}

test("a page wakes when it becomes visible or online, is thawed, or returns from the cache", () => {
  const { window, document, calls, fire } = follow();
  fire(document, "visibilitychange");
  fire(window, "pageshow", { persisted: false });
  assert.deepEqual(calls, []);

  document.visibilityState = "visible";
  fire(document, "visibilitychange");
  fire(window, "online");
  fire(document, "resume");
  fire(window, "pageshow", { persisted: true });

  assert.deepEqual(calls, ["wake", "wake", "wake", "wake"]);
});

test("a page sleeps when it is frozen or cached, not when it is unloaded", () => {
  const { window, document, calls, fire } = follow();

  fire(window, "pagehide", { persisted: false });
  fire(document, "freeze");
  fire(window, "pagehide", { persisted: true });

  assert.deepEqual(calls, ["sleep", "sleep"]);
});
