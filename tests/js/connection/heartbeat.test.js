/** A connection is judged dead by the clock, since timers stand still during sleep. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { makeConnection, makeOpen } from "../support/connection.js";

test("a connection that is silent for two and a half heartbeats is dead", async () => {
  const { connection, server, clock } = await makeOpen();

  await clock.advance(62_499);
  assert.equal(connection.state, "open");
  await clock.advance(1);

  assert.equal(connection.state, "waiting");
  assert.equal(server.sockets[0].closed, true);
});

test("a frame of any type is a sign of life", async () => {
  const { connection, server, clock } = await makeOpen();

  for (let i = 0; i < 5; i++) {
    await clock.advance(60_000);
    await server.send({ type: "changed", topics: {} });
  }

  assert.equal(connection.state, "open");
});

test("the heartbeat is the server's", async () => {
  const { connection, server, clock } = makeConnection();
  connection.open();
  await server.welcome({ heartbeat: 2 });

  await clock.advance(5_000);

  assert.equal(connection.state, "waiting");
});

test("a server that names no heartbeat is judged by the default", async () => {
  const { connection, server, clock } = makeConnection();
  connection.open();
  await server.welcome({ heartbeat: undefined });

  await clock.advance(62_500);

  assert.equal(connection.state, "waiting");
});

test("a page that slept through the deadline reopens soon after, without an event", async () => {
  const { connection, server, clock } = await makeOpen();
  clock.sleep(62_500);
  assert.equal(connection.state, "open");

  await clock.advance(5_000);

  assert.equal(connection.state, "waiting");
  assert.equal(server.sockets[0].closed, true);
});

test("a short sleep counts towards the silence", async () => {
  const { connection, clock } = await makeOpen();
  await clock.advance(20_000);
  clock.sleep(40_000);

  await clock.advance(2_499);
  assert.equal(connection.state, "open");
  await clock.advance(2_501);

  assert.equal(connection.state, "waiting");
});

test("a frame that was buffered before a long sleep is no sign of life", async () => {
  const { connection, server, clock, heard } = await makeOpen();
  clock.sleep(62_500);

  await server.send({ type: "changed", topics: {} });

  assert.equal(connection.state, "waiting");
  assert.deepEqual(heard, ["opened", "lost"]);
});

test("a clock that was set back does not prolong the silence", async () => {
  const { connection, clock } = await makeOpen();
  clock.sleep(-3_600_000);

  await clock.advance(5_000 + 62_500);

  assert.equal(connection.state, "waiting");
});
