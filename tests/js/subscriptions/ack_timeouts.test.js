/** A server that welcomes us, and then does not answer what it was asked for. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { settle } from "../support/fake_clock.js";
import { recorder } from "../support/handlers.js";
import { makeLive, nextWelcome, reconnect } from "../support/live.js";
import { quietConsole } from "../support/quiet.js";

/** Two topics that are asked for, and a server whose heart beats. */
async function makeAsking() {
  const made = makeLive();
  const subscriptions = ["list:5", "list:6"].map((topic) =>
    made.live.subscribe(topic, { cursor: "c0" }, recorder()),
  );
  await made.server.welcome();
  return { ...made, subscriptions };
}

/** Let time pass on a connection that lives. */
async function beat({ clock, server }, milliseconds) {
  for (let left = milliseconds; left > 0; left -= 10_000) {
    await clock.advance(Math.min(left, 10_000));
    if (!server.socket.closed) await server.send({ type: "ping", seq: 1 });
  }
}

test("a topic that is neither confirmed nor denied in time makes the client come back", async () => {
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

test("an answer that comes late, but in time, is an answer", async (t) => {
  quietConsole(t);
  const made = await makeAsking();
  await made.server.confirm({ "list:5": "c0" });
  await beat(made, 29_000);
  await made.server.send({ type: "denied", topics: { "list:6": "no" } });

  await beat(made, 60_000);

  assert.equal(made.server.sockets.length, 1);
});

test("time counts from each request, not from the first", async () => {
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

test("what was left is still owed its answer, and then nothing is", async () => {
  const made = await makeAsking();
  for (const subscription of made.subscriptions) subscription.cancel();
  await made.server.confirm({ "list:5": "c0", "list:6": "c0" });

  await beat(made, 60_000);

  assert.equal(made.server.sockets.length, 1);
  assert.equal(made.live.state, "live");
});

test("time counts anew on the next connection", async () => {
  const made = await makeAsking();
  await beat(made, 20_000);
  await reconnect(made);

  await beat(made, 20_000);

  assert.equal(made.server.sockets.length, 2);
  assert.equal(made.server.socket.closed, false);
});

test("what was left while away is not awaited on the next connection", async () => {
  const made = await makeAsking();
  await made.server.close();
  made.subscriptions[1].cancel();
  await nextWelcome(made);
  await made.server.confirm({ "list:5": "c0" });

  await beat(made, 60_000);

  assert.equal(made.server.sockets.length, 2);
});

test("a server that never answers is tried more and more rarely", async () => {
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

test("a server that dies before it answers is no success either, however long it lasted", async () => {
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
