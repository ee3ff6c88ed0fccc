import assert from "node:assert/strict";
import { test } from "node:test";

import { settle } from "../support/fake_clock.js";
import { recorder } from "../support/handlers.js";
import { makeLive, makeWatching, nextWelcome, reconnect } from "../support/live.js";
import { quietConsole } from "../support/quiet.js";

test("handlers of one topic at one cursor are one subscription on the wire", async () => {
  const { live, server } = makeLive();
  const handlers = [recorder(), recorder()];
  for (const handler of handlers) live.subscribe("list:5", { cursor: "c0" }, handler);

  await server.welcome();
  await server.confirm({ "list:5": "c0" });
  await server.change("list:5", "c1");

  assert.deepEqual(server.asked, [{ topic: "list:5", cursor: "c0" }]);
  assert.deepEqual(handlers.map(({ told }) => told.length), [1, 1]);
});

test("a handler is told which rows to reload", async () => {
  const handler = recorder();
  const { server } = await makeWatching(handler);

  await server.change("list:5", "c1", { entered: ["19"], left: ["4"] });

  assert.deepEqual(handler.told, [
    {
      changes: { "app.row": { entered: ["19"], updated: [], left: ["4"] } },
      reset: null,
      cursor: "c1",
    },
  ]);
});

test("a handler is told a reset's reason, and its cursor is kept once applied", async () => {
  const handler = recorder();
  const { server, subscription } = await makeWatching(handler);

  await server.reset("list:5", "c9", "no-replay");

  assert.deepEqual(handler.told, [{ changes: {}, reset: "no-replay", cursor: "c9" }]);
  assert.equal(subscription.cursor, "c9");
});

test("a change of an unknown topic, and a frame of an unknown type, are ignored", async () => {
  const handler = recorder();
  const { live, server } = await makeWatching(handler);

  await server.change("list:6", "c1");
  await server.send({ type: "weather", topics: { "list:5": {} } });

  assert.deepEqual(handler.told, []);
  assert.equal(live.state, "live");
});

test("cancelling the last subscription of a topic unsubscribes, an earlier one does not", async () => {
  const { live, server, subscription } = await makeWatching(recorder());
  const second = live.subscribe("list:5", { cursor: "c0" }, recorder());
  await settle();
  await server.confirm({ "list:5": "c0" });
  const before = server.sent.length;

  subscription.cancel();
  await settle();
  assert.equal(server.sent.length, before);
  second.cancel();
  second.cancel();
  await settle();

  assert.deepEqual(server.sent.slice(before), [{ type: "unsubscribe", topics: ["list:5"] }]);
});

test("a cancelled subscription's handler is not called, and it is not requested again", async () => {
  const handler = recorder();
  const made = await makeWatching(handler);

  made.subscription.cancel();
  await made.server.change("list:5", "c1");
  await reconnect(made);

  assert.deepEqual(handler.told, []);
  assert.deepEqual(made.server.sent, []);
});

test("cancelling and subscribing in one turn sends no frame", async () => {
  const { live, server, subscription } = await makeWatching(recorder());

  subscription.cancel();
  live.subscribe("list:5", { cursor: "c0" }, recorder());
  await settle();

  assert.ok(server.sent.every((frame) => frame.type === "subscribe"));
});

test("cancelling before the answer unsubscribes after it", async () => {
  const { live, server } = makeLive();
  const subscription = live.subscribe("list:5", recorder());
  await server.welcome();

  subscription.cancel();
  await settle();
  assert.equal(server.sent.length, 1);
  await server.confirm({ "list:5": "c0" });

  assert.deepEqual(server.sent[1], { type: "unsubscribe", topics: ["list:5"] });
});

test("a denied topic calls onDenied, logs a warning, and is not requested again", async (t) => {
  const said = quietConsole(t);
  const made = makeLive();
  const denied = [];
  const onDenied = (reason) => denied.push(reason);
  const subscription = made.live.subscribe("list:9", { onDenied }, recorder());
  await made.server.welcome();

  await made.server.send({ type: "denied", topics: { "list:9": "not allowed" } });
  await reconnect(made);

  assert.deepEqual(denied, ["not allowed"]);
  assert.match(said.warn[0], /list:9 .*not allowed/);
  assert.deepEqual(made.server.sent, []);
  assert.equal(made.live.state, "stale");
  subscription.cancel();
  await settle();
  assert.equal(made.live.state, "live");
});

test("a denied topic may be subscribed to again", async (t) => {
  quietConsole(t);
  const { live, server } = makeLive();
  live.subscribe("list:9", recorder());
  await server.welcome();
  await server.send({ type: "denied", topics: { "list:9": "not allowed" } });

  live.subscribe("list:9", { ticket: "better" }, recorder());
  await settle();

  assert.deepEqual(server.asked, [{ topic: "list:9", ticket: "better" }]);
});

test("a denial of a topic's second subscription leaves the first one open", async (t) => {
  quietConsole(t);
  const first = recorder();
  const { live, server } = await makeWatching(first);
  const denied = [];
  live.subscribe("list:5", { ticket: "bad", onDenied: (why) => denied.push(why) }, recorder());
  await settle();

  await server.send({ type: "denied", topics: { "list:5": "bad ticket" } });
  await server.change("list:5", "c1");

  assert.deepEqual(denied, ["bad ticket"]);
  assert.equal(first.told.length, 1);
});

test("a topic that was cancelled without a connection is neither requested nor unsubscribed", async () => {
  const made = await makeWatching(recorder());
  await made.server.close();

  made.subscription.cancel();
  await nextWelcome(made);

  assert.deepEqual(made.server.sent, []);
});

test("a failed handler is not retried after its subscription was cancelled or denied", async (t) => {
  quietConsole(t);
  const handlers = [recorder({ failures: 9 }), recorder({ failures: 9 })];
  const { live, server, clock, subscription } = await makeWatching(handlers[0]);
  live.subscribe("list:5", { cursor: "c0" }, handlers[1]);
  await settle();
  await server.confirm({ "list:5": "c0" });
  await server.change("list:5", "c1");

  subscription.cancel();
  await server.send({ type: "revoked", topics: ["list:5"] });
  await clock.advance(20_000);

  assert.deepEqual(handlers.map(({ told }) => told.length), [1, 1]);
});

test("a subscription that was cancelled before the denial does not call onDenied", async (t) => {
  quietConsole(t);
  const { live, server } = makeLive();
  const denied = [];
  const subscription = live.subscribe("list:9", { onDenied: () => denied.push(1) }, recorder());
  await server.welcome();
  subscription.cancel();

  await server.send({ type: "denied", topics: { "list:9": "no" } });

  assert.deepEqual(denied, []);
});

test("subscribe without a handler is an error", () => {
  const { live } = makeLive();

  assert.throws(() => live.subscribe("list:5", {}), /expected a handler for list:5/);
});
