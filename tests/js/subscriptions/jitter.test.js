/** Many clients may be told at one moment: only the runs that follow that are spread. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { Jitter } from "../../../realtime/static/realtime/subscriptions/jitter.js";
import { FakeClock, settle } from "../support/fake_clock.js";
import { deferred, recorder } from "../support/handlers.js";
import { makeLive, makeWatching, reconnect } from "../support/live.js";
import { quietConsole } from "../support/quiet.js";

const CROWD = ["backend-restart", "server", "history-expired", "overflow", "bulk", "raw-sql"];

for (const reason of CROWD) {
  test(`a reset for ${reason} reaches every client, and waits for a random part of a second`, async () => {
    const handler = recorder();
    const { server, clock } = await makeWatching(handler);

    await server.reset("list:5", "c1", reason);
    await clock.advance(499);
    assert.equal(handler.told.length, 0);
    await clock.advance(1);

    assert.deepEqual(handler.told, [{ changes: {}, reset: reason, cursor: "c1" }]);
  });
}

for (const reason of ["unknown-cursor", "access", "no-replay", "of-the-future"]) {
  test(`a reset for ${reason} is handled at once`, async () => {
    const handler = recorder();
    const { server } = await makeWatching(handler);

    await server.reset("list:5", "c1", reason);

    assert.equal(handler.told.length, 1);
  });
}

test("a change is handled at once, however wide resets are spread", async () => {
  const handler = recorder();
  const { server, clock } = await makeWatching(handler, { cursor: "c0", resetJitter: 60_000 });

  await server.change("list:5", "c1");
  assert.equal(handler.told.length, 1);
  await server.reset("list:5", "c2");
  await clock.advance(29_999);
  assert.equal(handler.told.length, 1);
  await clock.advance(1);

  assert.equal(handler.told.length, 2);
});

test("a catch-up does not wait", async () => {
  const handler = recorder();

  await makeWatching(handler, { catchUp: true, jitter: 60_000 });

  assert.equal(handler.told.length, 1);
});

test("with a jitter every run waits, and changes that arrive meanwhile are merged into it", async () => {
  const handler = recorder();
  const { server, clock, subscription } = await makeWatching(handler, {
    cursor: "c0", jitter: 4_000,
  });

  await server.change("list:5", "c1", { left: ["1"] });
  await clock.advance(1_000);
  await server.change("list:5", "c2", { left: ["2"] });
  await clock.advance(999);
  assert.deepEqual([handler.told.length, subscription.cursor], [0, "c0"]);
  await clock.advance(1);

  assert.deepEqual(handler.told.map(({ changes }) => changes["app.row"].left), [["1", "2"]]);
  assert.equal(subscription.cursor, "c2");
});

test("changes that arrive during a run wait as well: all other clients' did too", async () => {
  const handler = deferred();
  const { server, clock } = await makeWatching(handler);
  await server.change("list:5", "c1");
  await server.reset("list:5", "c2");

  handler.runs[0].succeed();
  await clock.advance(499);
  assert.equal(handler.runs.length, 1);
  await clock.advance(1);

  assert.equal(handler.runs.length, 2);
});

test("a jitter of 0 means at once", async () => {
  const handler = recorder();
  const { server } = await makeWatching(handler, { cursor: "c0", jitter: 0 });

  await server.reset("list:5", "c1");

  assert.equal(handler.told.length, 1);
});

test("the jitter of a subscription may be changed", async () => {
  const handler = recorder();
  const { server, clock, subscription } = await makeWatching(handler);

  subscription.jitter = 10_000;
  await server.change("list:5", "c1");
  await clock.advance(4_999);
  assert.equal(handler.told.length, 0);
  await clock.advance(1);

  assert.deepEqual([handler.told.length, subscription.jitter], [1, 10_000]);
});

test("a refreshed cursor without changes does not wait", async () => {
  const { server, subscription } = await makeWatching(recorder(), { cursor: "c0", jitter: 9_000 });

  await server.send({ type: "changed", topics: { "list:5": { cursor: "c100" } } });

  assert.equal(subscription.cursor, "c100");
});

test("a connection that is lost during the wait asks from the applied cursor", async () => {
  const handler = recorder();
  const made = await makeWatching(handler, { cursor: "c0", jitter: 60_000 });
  await made.server.change("list:5", "c1", { left: ["1"] });

  await reconnect(made);

  assert.deepEqual(made.server.asked, [{ topic: "list:5", cursor: "c0" }]);
  assert.equal(handler.told.length, 0); // a new connection is no reason to hurry a crowd
  await made.clock.advance(30_000);
  assert.equal(handler.told.length, 1);
});

test("a wait that takes very long shows as stale", async () => {
  const handler = recorder();
  const { live, server, clock } = await makeWatching(handler, { cursor: "c0", jitter: 80_000 });
  await server.change("list:5", "c1");

  await clock.advance(29_999);
  assert.equal(live.state, "live");
  await clock.advance(1);
  assert.equal(live.state, "stale");
  await clock.advance(10_000);

  assert.deepEqual([live.state, handler.told.length], ["live", 1]);
});

test("waking ends the wait, and for a while runs do not wait", async () => {
  const handler = recorder();
  const { live, server } = await makeWatching(handler, { cursor: "c0", jitter: 60_000 });
  await server.change("list:5", "c1");

  live.wake();
  assert.equal(handler.told.length, 1);
  await server.send({ type: "pong" });
  await server.reset("list:5", "c2", "history-expired");

  assert.equal(handler.told.length, 2);
});

test("runs are spread again some time after the page woke", async () => {
  const handler = recorder();
  const { live, server, clock } = await makeWatching(handler);
  live.wake();
  await server.send({ type: "pong" });
  await clock.advance(10_000);

  await server.reset("list:5", "c2");

  assert.equal(handler.told.length, 0);
});

test("a failure of a spread run is retried as any other", async (t) => {
  quietConsole(t);
  const handler = recorder({ failures: 1 });
  const { server, clock, subscription } = await makeWatching(handler);

  await server.reset("list:5", "c1");
  await clock.advance(1_000);

  assert.deepEqual([handler.told.length, subscription.cursor], [2, "c1"]);
});

/** Two handlers that share a fetch, each with a jitter of its own. */
async function makeTogether(first, second, together = true) {
  const random = [0.25, 0.75, 0.25, 0.75];
  const made = makeLive({ random: () => random.shift() ?? 0.5 });
  const handlers = [recorder(), recorder()];
  made.live.subscribe("list:5", { jitter: first, together }, handlers[0]);
  made.live.subscribe("list:6", { jitter: second, together }, handlers[1]);
  await made.server.welcome();
  await made.server.confirm({ "list:5": "c0", "list:6": "c0" });
  const told = () => handlers.map((handler) => handler.told.length);
  const reset = { cursor: "c1", reset: "bulk" };
  const both = { type: "changed", topics: { "list:5": reset, "list:6": reset } };
  return { ...made, told, both };
}

test("waits that are together end with the first of them", async () => {
  const { server, clock, told, both } = await makeTogether(8_000, 2_000);

  await server.send(both);
  await clock.advance(499);
  assert.deepEqual(told(), [0, 0]);
  await clock.advance(1);

  assert.deepEqual(told(), [1, 1]);
});

test("a run at once ends the waits of others, also of those that are told in the same turn", async () => {
  const { server, told, both } = await makeTogether(0, 60_000);
  await server.change("list:6", "c1");
  assert.deepEqual(told(), [0, 0]);

  await server.change("list:5", "c1");
  assert.deepEqual(told(), [1, 1]);
  await server.send(both);
  assert.deepEqual(told(), [2, 2]);
  await server.change("list:6", "c2");

  assert.deepEqual(told(), [2, 2]);
});

test("waits that are not together end each by itself", async () => {
  const { server, clock, told, both } = await makeTogether(1_000, 2_000, false);

  await server.send(both);
  await clock.advance(250);
  assert.deepEqual(told(), [1, 0]);
  await clock.advance(1_250);

  assert.deepEqual(told(), [1, 1]);
});

test("a subscription that is cancelled while it waits does not end the others' waits", async () => {
  const made = await makeWatching(recorder(), { cursor: "c0", jitter: 1_000, together: true });
  const handler = recorder();
  made.live.subscribe("list:5", { cursor: "c0", jitter: 4_000, together: true }, handler);
  await settle();
  await made.server.confirm({ "list:5": "c0" });
  await made.server.change("list:5", "c1");

  made.subscription.cancel();
  await made.clock.advance(1_999);
  assert.equal(handler.told.length, 0);
  await made.clock.advance(1);

  assert.equal(handler.told.length, 1);
});

/** A Jitter that draws these random parts, one after the other. */
function makeJitter(...shares) {
  const clock = new FakeClock();
  return { clock, jitter: new Jitter({ clock, random: () => shares.shift() }) };
}

test("one random part is drawn for all waits, and the shortest ends all", async () => {
  const { clock, jitter } = makeJitter(0.5);
  const gone = [];
  jitter.wait(4_000, () => gone.push("wide"));
  jitter.wait(2_000, () => gone.push("narrow"));

  await clock.advance(999);
  assert.deepEqual(gone, []);
  await clock.advance(1);

  assert.deepEqual(gone, ["wide", "narrow"]);
  assert.equal(clock.waiting, 0);
});

test("another random part is drawn when no wait is left, run or cancelled", async () => {
  const { clock, jitter } = makeJitter(0.1, 0.2, 0.3);
  const gone = [];
  jitter.wait(1_000, () => gone.push("left"))();
  jitter.wait(1_000, () => gone.push("first"));
  await clock.advance(200);
  jitter.wait(1_000, () => gone.push("second"));

  await clock.advance(299);
  assert.deepEqual(gone, ["first"]);
  await clock.advance(1);

  assert.deepEqual(gone, ["first", "second"]);
});

test("a wait that an earlier run cancels does not run", async () => {
  const { clock, jitter } = makeJitter(0.5);
  const gone = [];
  let callOff = () => {};
  jitter.wait(1_000, () => callOff());
  callOff = jitter.wait(1_000, () => gone.push("called off"));

  await clock.advance(1_000);

  assert.deepEqual(gone, []);
});
