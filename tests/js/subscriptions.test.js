import assert from "node:assert/strict";
import { test } from "node:test";

import { settle } from "./support/fake_clock.js";
import { recorder } from "./support/handlers.js";
import { makeLive, makeWatching, nextWelcome, reconnect } from "./support/live.js";
import { quietConsole } from "./support/quiet.js";

test("all topics are asked for in one frame, once the server has welcomed us", async () => {
  const { live, server } = makeLive();
  live.subscribe("list:5", { cursor: "c5", ticket: "t5" }, recorder());
  live.subscribe("list:6", recorder());
  await settle();
  assert.deepEqual(server.sent, []);

  await server.welcome();

  assert.deepEqual(server.sent, [
    {
      type: "subscribe",
      subscriptions: [{ topic: "list:5", cursor: "c5", ticket: "t5" }, { topic: "list:6" }],
    },
  ]);
});

test("subscribe calls of one turn share one frame", async () => {
  const { live, server } = makeLive();
  await server.welcome();

  live.subscribe("list:5", recorder());
  live.subscribe("list:6", recorder());
  await settle();

  assert.equal(server.sent.length, 1);
  assert.equal(server.asked.length, 2);
});

test("very many topics are split, so that no frame is too long for the server", async () => {
  const { live, server } = makeLive();
  const ticket = "t".repeat(300);
  for (let key = 0; key < 400; key++) live.subscribe(`list:${key}`, { ticket }, recorder());

  await server.welcome();

  const lengths = server.sent.map((frame) => JSON.stringify(frame).length);
  assert.equal(server.sent.flatMap((frame) => frame.subscriptions).length, 400);
  assert.ok(server.sent.length < 5 && Math.max(...lengths) < 64_000, `${lengths}`);
});

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

test("a change is told as what to reload", async () => {
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

test("a reset is told with its reason, and its cursor is kept once applied", async () => {
  const handler = recorder();
  const { server, subscription } = await makeWatching(handler);

  await server.reset("list:5", "c9", "history-expired");

  assert.deepEqual(handler.told, [{ changes: {}, reset: "history-expired", cursor: "c9" }]);
  assert.equal(subscription.cursor, "c9");
});

test("a change of a topic that is not watched, and a frame of the future, are passed over", async () => {
  const handler = recorder();
  const { live, server } = await makeWatching(handler);

  await server.change("list:6", "c1");
  await server.send({ type: "weather", topics: { "list:5": {} } });

  assert.deepEqual(handler.told, []);
  assert.equal(live.state, "live");
});

test("the last handler's leaving unsubscribes, an earlier one's does not", async () => {
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

test("a cancelled subscription is told nothing and not asked for again", async () => {
  const handler = recorder();
  const made = await makeWatching(handler);

  made.subscription.cancel();
  await made.server.change("list:5", "c1");
  await reconnect(made);

  assert.deepEqual(handler.told, []);
  assert.deepEqual(made.server.sent, []);
});

test("leaving and coming back in one turn keeps the subscription on the wire", async () => {
  const { live, server, subscription } = await makeWatching(recorder());

  subscription.cancel();
  live.subscribe("list:5", { cursor: "c0" }, recorder());
  await settle();

  assert.ok(server.sent.every((frame) => frame.type === "subscribe"));
});

test("leaving before the answer unsubscribes after it", async () => {
  const { live, server } = makeLive();
  const subscription = live.subscribe("list:5", recorder());
  await server.welcome();

  subscription.cancel();
  await settle();
  assert.equal(server.sent.length, 1);
  await server.confirm({ "list:5": "c0" });

  assert.deepEqual(server.sent[1], { type: "unsubscribe", topics: ["list:5"] });
});

test("a denied topic is told, warned of, and not asked for again", async (t) => {
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

test("a denied topic may be asked for again", async (t) => {
  quietConsole(t);
  const { live, server } = makeLive();
  live.subscribe("list:9", recorder());
  await server.welcome();
  await server.send({ type: "denied", topics: { "list:9": "not allowed" } });

  live.subscribe("list:9", { ticket: "better" }, recorder());
  await settle();

  assert.deepEqual(server.asked, [{ topic: "list:9", ticket: "better" }]);
});

test("a second handler's denial leaves the first one's subscription open", async (t) => {
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

test("a topic that was left while away is neither asked for nor unsubscribed", async () => {
  const made = await makeWatching(recorder());
  await made.server.close();

  made.subscription.cancel();
  await nextWelcome(made);

  assert.deepEqual(made.server.sent, []);
});

test("what failed is not retried after it was cancelled or denied", async (t) => {
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

test("who left before the denial is not told of it", async (t) => {
  quietConsole(t);
  const { live, server } = makeLive();
  const denied = [];
  const subscription = live.subscribe("list:9", { onDenied: () => denied.push(1) }, recorder());
  await server.welcome();
  subscription.cancel();

  await server.send({ type: "denied", topics: { "list:9": "no" } });

  assert.deepEqual(denied, []);
});

test("a revocation that crosses a request leaves the request to its own answer", async (t) => {
  quietConsole(t);
  const { live, server } = await makeWatching(recorder());
  const handler = recorder();
  live.subscribe("list:5", { cursor: "c0", ticket: "new" }, handler);
  await settle();

  await server.send({ type: "revoked", topics: ["list:5"] });
  await server.confirm({ "list:5": "c0" });
  await server.change("list:5", "c1");

  assert.equal(handler.told.length, 1);
  assert.equal(live.state, "stale"); // for the first handler, which was not cancelled
});

test("a revoked topic ends for all its handlers", async (t) => {
  quietConsole(t);
  const handler = recorder();
  const denied = [];
  const onDenied = (reason) => denied.push(reason);
  const made = await makeWatching(handler, { cursor: "c0", onDenied });

  await made.server.send({ type: "revoked", topics: ["list:5", "list:unknown"] });
  await made.server.change("list:5", "c1");
  await reconnect(made);

  assert.deepEqual(denied, ["revoked"]);
  assert.deepEqual(handler.told, []);
  assert.deepEqual(made.server.sent, []);
});

test("a handler must be given", () => {
  const { live } = makeLive();

  assert.throws(() => live.subscribe("list:5", {}), /expected a handler for list:5/);
});
