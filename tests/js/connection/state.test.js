import assert from "node:assert/strict";
import { test } from "node:test";

import { settle } from "../support/fake_clock.js";
import { recorder } from "../support/handlers.js";
import { makeLive, makeWatching } from "../support/live.js";
import { quietConsole } from "../support/quiet.js";

/** The parts of a document that the client uses. */
function makeDocument(t) {
  t.after(() => delete globalThis.document);
  globalThis.document = Object.assign(new EventTarget(), {
    documentElement: { dataset: {} },
    visibilityState: "visible",
  });
  return globalThis.document;
}

test("live means: the connection is open, and every subscription confirmed", async () => {
  const { live, server } = makeLive();
  live.subscribe("list:5", recorder());
  live.subscribe("list:6", recorder());
  assert.equal(live.state, "connecting");

  await server.welcome();
  await server.confirm({ "list:5": "c0" });
  assert.equal(live.state, "connecting");
  await server.confirm({ "list:6": "c0" });

  assert.equal(live.state, "live");
});

test("a new subscription makes a live page connecting, not reconnecting", async () => {
  const { live, server } = await makeWatching(recorder());

  live.subscribe("list:6", recorder());
  assert.equal(live.state, "connecting");
  await settle();
  await server.confirm({ "list:6": "c0" });

  assert.equal(live.state, "live");
});

test("a lost connection is reconnecting until all is restored", async () => {
  const { live, server, clock } = await makeWatching(recorder());

  await server.close();
  assert.equal(live.state, "reconnecting");
  await clock.advance(1_000);
  assert.equal(live.state, "reconnecting");
  await server.welcome();
  assert.equal(live.state, "reconnecting");
  await server.confirm({ "list:5": "c0" });
  assert.equal(live.state, "live");
  await settle();

  live.subscribe("list:6", recorder());

  assert.equal(live.state, "connecting");
});

test("a failed handler is stale until its retry has succeeded", async (t) => {
  quietConsole(t);
  const { live, server, clock } = await makeWatching(recorder({ failures: 1 }));

  await server.change("list:5", "c1");
  assert.equal(live.state, "stale");
  await clock.advance(500);

  assert.equal(live.state, "live");
});

test("cancelling the subscription whose handler failed ends the stale state", async (t) => {
  quietConsole(t);
  const { live, server, subscription } = await makeWatching(recorder({ failures: 9 }));
  await server.change("list:5", "c1");

  subscription.cancel();

  assert.equal(live.state, "live");
});

test("a refused client has the state refused", async () => {
  const { live, server, clock } = await makeWatching(recorder());

  await server.close(4401);
  assert.equal(live.state, "refused");
  await clock.advance(60_000);
  assert.equal(live.state, "reconnecting");
  await server.close(4401);

  assert.equal(live.state, "refused");
});

test("`since` is the time at which the state began", async () => {
  const { live, server, clock } = makeLive();
  await clock.advance(1_000);
  live.subscribe("list:5", recorder());
  await server.welcome();
  assert.equal(live.since, 0);

  await clock.advance(4_000);
  await server.confirm({ "list:5": "c0" });
  await clock.advance(2_000);
  await server.change("list:5", "c1");

  assert.deepEqual([live.state, live.since], ["live", 5_000]);
});

test("`since` is set before the state event is sent", async () => {
  const { live, server, clock } = await makeWatching(recorder());
  await clock.advance(3_000);
  const seen = [];
  live.addEventListener("state", () => seen.push([live.state, live.since, live.closeCode]));

  await server.close(4429);

  assert.deepEqual(seen, [["reconnecting", 3_000, 4429]]);
});

test("the last close code is kept, so that a page can say what to do", async () => {
  const made = await makeWatching(recorder());
  assert.equal(made.live.closeCode, null);

  await made.server.close(4401);
  assert.deepEqual([made.live.state, made.live.closeCode], ["refused", 4401]);
  made.live.wake();
  await made.clock.advance(250);
  await made.server.welcome();
  await made.server.confirm({ "list:5": "c0" });
  assert.deepEqual([made.live.state, made.live.closeCode], ["live", 4401]);
  await made.clock.advance(62_500);

  assert.equal(made.live.closeCode, 1006); // given up by this client
});

test("a state event is sent once for each change", async (t) => {
  quietConsole(t);
  const { live, server, clock } = makeLive();
  const states = [];
  live.addEventListener("state", () => states.push(live.state));
  live.subscribe("list:5", recorder({ failures: 1 }));
  await settle();
  live.subscribe("list:6", recorder());
  await server.welcome();
  await server.confirm({ "list:5": "c0", "list:6": "c0" });
  await server.change("list:5", "c1");
  await clock.advance(500);
  await server.change("list:5", "c2");
  await server.close();

  assert.deepEqual(states, ["connecting", "live", "stale", "live", "reconnecting"]);
});

test("the state is mirrored at the document's root", async (t) => {
  makeDocument(t);
  const { server } = makeLive();
  const { dataset } = globalThis.document.documentElement;
  await settle();
  assert.equal(dataset.liveState, "connecting");

  await server.welcome();

  assert.equal(dataset.liveState, "live");
});

test("a page that becomes visible probes its connection, a frozen one closes it", async (t) => {
  const document = makeDocument(t);
  const { server } = makeLive();
  await server.welcome();

  document.dispatchEvent(new Event("visibilitychange"));
  assert.deepEqual(server.sent, [{ type: "ping" }]);
  document.dispatchEvent(new Event("freeze"));

  assert.equal(server.socket.closed, true);
});

test("waking retries failed handlers and probes the connection", async (t) => {
  quietConsole(t);
  const handler = recorder({ failures: 1 });
  const { live, server } = await makeWatching(handler);
  await server.change("list:5", "c1");

  live.wake();
  await settle();

  assert.equal(handler.told.length, 2);
  assert.deepEqual(server.sent.at(-1), { type: "ping" });
});

test("a reopened connection retries handlers that failed meanwhile", async (t) => {
  quietConsole(t);
  const handler = recorder({ failures: 6 });
  const { server, clock } = await makeWatching(handler);
  await server.change("list:5", "c1");
  await clock.advance(16_000); // five failures: the next retry is sixteen seconds away
  await server.close();
  await clock.advance(500);
  const before = handler.told.length;

  await server.welcome();

  assert.equal(handler.told.length, before + 1);
});
