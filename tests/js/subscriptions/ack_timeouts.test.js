/** A server that sends welcome, and then does not answer requests. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { settle } from "../support/fake_clock.js";
import { recorder } from "../support/handlers.js";
import { makeLive, nextWelcome, reconnect } from "../support/live.js";
import { quietConsole } from "../support/quiet.js";

/** A client that has requested two topics, and a server that sends heartbeats. */
async function makeAsking() {
  const made = makeLive();
  const subscriptions = ["list:5", "list:6"].map((topic) =>
    made.live.subscribe(topic, { cursor: "c0" }, recorder()),
  );
  await made.server.welcome();
  return { ...made, subscriptions };
}

/** Let time pass while the server sends heartbeats. */
async function beat({ clock, server }, milliseconds) {
  for (let left = milliseconds; left > 0; left -= 10_000) {
    await clock.advance(Math.min(left, 10_000));
    if (!server.socket.closed) await server.send({ type: "ping", seq: 1 });
  }
}

test("a topic that is neither confirmed nor denied in time makes the client reconnect", async () => {
  const made = await makeAsking();
  await made.server.confirm({ "list:5": "c0" });

  await beat(made, 29_999);
  assert.equal(made.live.state, "connecting");
  assert.equal(made.server.sockets.length, 1);
  await made.clock.advance(1);
  assert.equal(made.live.state, "reconnecting");
  assert.equal(made.server.sockets[0].closed, true);
  await nextWelcome(made);

  assert.deepEqual(made.server.asked.map(({ topic }) => topic), ["list:5", "list:6"]);
});

test("an answer just before the deadline is in time", async (t) => {
  quietConsole(t);
  const made = await makeAsking();
  await made.server.confirm({ "list:5": "c0" });
  await beat(made, 29_000);
  await made.server.send({ type: "denied", topics: { "list:6": "no" } });

  await beat(made, 60_000);

  assert.equal(made.server.sockets.length, 1);
});

test("the deadline counts from each request, not from the first", async () => {
  const made = await makeAsking();
  await made.server.confirm({ "list:6": "c0" });
  await beat(made, 20_000);
  made.live.subscribe("list:7", recorder());
  await settle();
  await made.server.confirm({ "list:5": "c0" });

  await beat(made, 29_999);
  assert.equal(made.server.sockets[0].closed, false);
  await made.clock.advance(1);

  assert.equal(made.server.sockets[0].closed, true);
});

test("topics that were cancelled are still awaited, until their answers come", async () => {
  const made = await makeAsking();
  for (const subscription of made.subscriptions) subscription.cancel();
  await made.server.confirm({ "list:5": "c0", "list:6": "c0" });

  await beat(made, 60_000);

  assert.equal(made.server.sockets.length, 1);
  assert.equal(made.live.state, "live");
});

test("the deadline begins anew on the next connection", async () => {
  const made = await makeAsking();
  await beat(made, 20_000);
  await reconnect(made);

  await beat(made, 20_000);

  assert.equal(made.server.sockets.length, 2);
  assert.equal(made.server.socket.closed, false);
});

test("a topic that was cancelled without a connection is not awaited on the next one", async () => {
  const made = await makeAsking();
  await made.server.close();
  made.subscriptions[1].cancel();
  await nextWelcome(made);
  await made.server.confirm({ "list:5": "c0" });

  await beat(made, 60_000);

  assert.equal(made.server.sockets.length, 2);
});

test("attempts at a server that never answers become rarer", async () => {
  const made = await makeAsking();
  await made.server.confirm({ "list:5": "c0", "list:6": "c0" });
  await beat(made, 60_000);
  made.live.subscribe("list:7", recorder());

  const waits = [];
  for (let i = 0; i < 7; i++) {
    await beat(made, 30_000);
    const lostAt = made.clock.now();
    await nextWelcome(made);
    waits.push(made.clock.now() - lostAt);
  }

  assert.deepEqual(waits, [500, 1_000, 2_000, 4_000, 8_000, 15_000, 15_000]);
});

test("a connection that is lost before the answers is no success, however long it lasted", async () => {
  const made = await makeAsking();

  const waits = [];
  for (let i = 0; i < 4; i++) {
    await beat(made, 20_000);
    const lostAt = made.clock.now();
    await reconnect(made);
    waits.push(made.clock.now() - lostAt);
  }

  assert.deepEqual(waits, [500, 1_000, 2_000, 4_000]);
});
