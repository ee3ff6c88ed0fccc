import assert from "node:assert/strict";
import { test } from "node:test";

import { connect } from "../../realtime/static/realtime/live.js";
import { onWake } from "../../realtime/static/realtime/wake.js";
import { FakeClock, settle } from "./support/fake_clock.js";
import { FakeServer } from "./support/fake_server.js";
import { recorder } from "./support/handlers.js";
import { makeLive, makeWatching } from "./support/live.js";
import { quietConsole } from "./support/quiet.js";

/** The little that the client uses of a document. */
function makeDocument(t) {
  t.after(() => delete globalThis.document);
  globalThis.document = Object.assign(new EventTarget(), {
    documentElement: { dataset: {} },
    visibilityState: "visible",
  });
  return globalThis.document;
}

test("live means open, and every subscription confirmed", async () => {
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

test("cancelling what failed ends the staleness", async (t) => {
  quietConsole(t);
  const { live, server, subscription } = await makeWatching(recorder({ failures: 9 }));
  await server.change("list:5", "c1");

  subscription.cancel();

  assert.equal(live.state, "live");
});

test("a refused client says so", async () => {
  const { live, server, clock } = await makeWatching(recorder());

  await server.close(4401);
  assert.equal(live.state, "refused");
  await clock.advance(60_000);
  assert.equal(live.state, "reconnecting");
  await server.close(4401);

  assert.equal(live.state, "refused");
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

test("a page that is looked at again asks whether its connection lives", async (t) => {
  const document = makeDocument(t);
  const { server } = makeLive();
  await server.welcome();

  document.dispatchEvent(new Event("visibilitychange"));

  assert.deepEqual(server.sent, [{ type: "ping" }]);
});

test("waking retries what failed and asks whether the connection lives", async (t) => {
  quietConsole(t);
  const handler = recorder({ failures: 1 });
  const { live, server } = await makeWatching(handler);
  await server.change("list:5", "c1");

  live.wake();
  await settle();

  assert.equal(handler.told.length, 2);
  assert.deepEqual(server.sent.at(-1), { type: "ping" });
});

test("a reopened connection retries what failed while it was away", async (t) => {
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

test("a page wakes when it is looked at, comes online or returns from the cache", () => {
  const window = new EventTarget();
  const document = Object.assign(new EventTarget(), { visibilityState: "hidden" });
  let woken = 0;
  onWake(() => woken++, { window, document });

  document.dispatchEvent(new Event("visibilitychange"));
  window.dispatchEvent(Object.assign(new Event("pageshow"), { persisted: false }));
  assert.equal(woken, 0);
  document.visibilityState = "visible";
  document.dispatchEvent(new Event("visibilitychange"));
  window.dispatchEvent(Object.assign(new Event("pageshow"), { persisted: true }));
  window.dispatchEvent(new Event("online"));

  assert.equal(woken, 3);
});

test("one URL is one connection, however it is written", (t) => {
  globalThis.location = { href: "https://example.com/lists/5/#top" };
  t.after(() => delete globalThis.location);
  const server = new FakeServer();
  const options = { WebSocket: server.WebSocket, clock: new FakeClock() };

  const live = connect("/ws/live/", options);

  assert.equal(connect("wss://example.com/ws/live/", options), live);
  assert.equal(connect("/ws/live/#part", options), live);
  assert.notEqual(connect("/ws/other/", options), live);
  assert.deepEqual(
    server.sockets.map(({ url }) => url),
    ["wss://example.com/ws/live/", "wss://example.com/ws/other/"],
  );
});
