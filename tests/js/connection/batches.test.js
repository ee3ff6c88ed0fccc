/** How requests and answers share frames: many in one frame, or one over several. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { inBatches } from "../../../realtime/static/realtime/connection/batches.js";
import { settle } from "../support/fake_clock.js";
import { recorder } from "../support/handlers.js";
import { makeLive } from "../support/live.js";
import { quietConsole } from "../support/quiet.js";

const SERVER_LIMIT = 65_536;

const bytes = (frame) => Buffer.byteLength(JSON.stringify(frame));

test("all topics are requested in one frame after the welcome", async () => {
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

test("very many topics are split, so that no frame is too large for the server", async () => {
  const { live, server } = makeLive();
  const ticket = "t".repeat(300);
  for (let key = 0; key < 400; key++) live.subscribe(`list:${key}`, { ticket }, recorder());

  await server.welcome();

  const lengths = server.sent.map(bytes);
  assert.equal(server.sent.flatMap((frame) => frame.subscriptions).length, 400);
  assert.ok(server.sent.length < 5 && Math.max(...lengths) < SERVER_LIMIT, `${lengths}`);
});

test("the requests of one topic stay in one frame, since they get one answer", async () => {
  const { live, server } = makeLive();
  const ticket = "t".repeat(9_000);
  for (let key = 0; key < 6; key++) {
    live.subscribe(`list:${key}`, { ticket, cursor: "c1" }, recorder());
    live.subscribe(`list:${key}`, { ticket, cursor: "c0" }, recorder());
  }

  await server.welcome();

  const asked = server.sent.map(({ subscriptions }) => subscriptions.map(({ topic }) => topic));
  assert.deepEqual(asked, [
    ["list:0", "list:0", "list:1", "list:1"],
    ["list:2", "list:2", "list:3", "list:3"],
    ["list:4", "list:4", "list:5", "list:5"],
  ]);
});

test("unsubscribing from very many topics is split as well", async () => {
  const { live, server } = makeLive();
  const topics = Array.from({ length: 900 }, (_, key) => `list:${"x".repeat(80)}${key}`);
  const subscriptions = topics.map((topic) => live.subscribe(topic, recorder()));
  await server.welcome();
  await server.confirm(Object.fromEntries(topics.map((topic) => [topic, "c0"])));
  const before = server.sent.length;

  for (const subscription of subscriptions) subscription.cancel();
  await settle();

  const frames = server.sent.slice(before);
  assert.deepEqual(frames.flatMap(({ topics: left }) => left), topics);
  assert.ok(frames.length === 2 && Math.max(...frames.map(bytes)) < SERVER_LIMIT);
});

test("a frame's length is measured in bytes", () => {
  const frames = inBatches(Array.from({ length: 100 }, () => "字".repeat(300)));

  assert.equal(frames.flat().length, 100);
  assert.ok(frames.length === 2 && Math.max(...frames.map(bytes)) < SERVER_LIMIT);
});

test("no items make no frame", () => {
  assert.deepEqual(inBatches([]), []);
});

test("one request may be answered by several frames, in any order; live is when all are", async (t) => {
  quietConsole(t);
  const { live, server } = makeLive();
  const handlers = Array.from({ length: 4 }, () => recorder());
  const subscriptions = handlers.map((handler, key) => live.subscribe(`list:${key}`, handler));
  await server.welcome();

  const states = [];
  await server.confirm({ "list:3": "c3", "list:1": "c1" });
  states.push(live.state);
  await server.change("list:1", "c2");
  await server.confirm({ "list:0": "c0" });
  states.push(live.state);
  await server.send({ type: "denied", topics: { "list:2": "no" } });
  states.push(live.state);
  subscriptions[2].cancel();
  states.push(live.state);

  assert.deepEqual(states, ["connecting", "connecting", "stale", "live"]);
  assert.deepEqual(subscriptions.map(({ cursor }) => cursor), ["c0", "c2", null, "c3"]);
  assert.deepEqual(handlers.map(({ told }) => told.length), [0, 1, 0, 0]);
  assert.equal(server.sockets.length, 1);
});
