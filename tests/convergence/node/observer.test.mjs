import assert from "node:assert/strict";
import { test } from "node:test";
import { Observer } from "./observer.mjs";

const TOLD = { type: "changed", topics: { "list:1": { changes: { task: { updated: ["7"] } } } } };
const SUBSCRIBED = { type: "subscribed", topics: { "list:1": { cursor: "c" } } };

/** A connected client of one topic, whose handler ends when the test lets it. */
function scene() {
  const notes = [];
  const observer = new Observer((kind) => notes.push(kind));
  const live = { subscribe: (topic, options, handler) => ({ topic, options, handler, cancel() {} }) };
  observer.follow(live, () => 0);
  const runs = [];
  const handler = () => new Promise((resolve, reject) => runs.push({ resolve, reject }));
  const subscribe = () => live.subscribe("list:1", {}, handler);
  const ask = () => observer.sent({ type: "subscribe", subscriptions: [{ topic: "list:1" }] });
  observer.heard({ type: "welcome" });
  return { observer, notes, runs, subscribe, ask };
}

test("a client is quiet when its topics are confirmed and their changes applied", async () => {
  const { observer, runs, subscribe, ask } = scene();
  const subscription = subscribe();
  ask();
  assert.equal(observer.isQuiet, false);
  observer.heard(SUBSCRIBED);
  assert.equal(observer.isQuiet, true);

  observer.heard(TOLD);
  assert.equal(observer.isQuiet, false);
  const run = subscription.handler({});
  observer.heard(TOLD);
  runs[0].resolve();
  await run;
  assert.equal(observer.isQuiet, false);
  const next = subscription.handler({});
  runs[1].resolve();
  await next;
  assert.equal(observer.isQuiet, true);
});

test("a failed run of a handler is still owed", async () => {
  const { observer, runs, subscribe, ask } = scene();
  const subscription = subscribe();
  ask();
  observer.heard(SUBSCRIBED);
  const run = subscription.handler({});
  runs[0].reject(new Error("not applied"));
  await assert.rejects(run);

  assert.equal(observer.isQuiet, false);
});

test("a client that lost its connection is not quiet", () => {
  const { observer, subscribe, ask } = scene();
  subscribe();
  ask();
  observer.heard(SUBSCRIBED);
  observer.lost();

  assert.equal(observer.isQuiet, false);
});

test("a frame that the client did not read is not owed", () => {
  const { observer, subscribe, ask } = scene();
  subscribe();
  ask();
  observer.heard(SUBSCRIBED);
  observer.heard(TOLD)();

  assert.equal(observer.isQuiet, true);
});

test("a denied subscription is denied until it is cancelled", () => {
  const { observer, notes, subscribe } = scene();
  const subscription = subscribe();
  subscription.options.onDenied("revoked");
  assert.deepEqual(observer.denied, ["list:1"]);
  assert.ok(notes.includes("ended list"));

  subscription.cancel();
  assert.deepEqual(observer.denied, []);
  assert.equal(observer.isQuiet, true);
});

for (const refusal of [
  { type: "revoked", topics: ["list:1"] },
  { type: "denied", topics: { "list:1": "not allowed" } },
]) {
  test(`a change after "${refusal.type}" is a leak until the topic is confirmed again`, () => {
    const { observer, notes } = scene();
    const leaks = () => notes.filter((kind) => kind === "leak").length;
    observer.heard(TOLD);
    assert.equal(leaks(), 0);
    observer.heard(refusal);
    observer.heard(TOLD);
    assert.equal(leaks(), 1);

    observer.heard(SUBSCRIBED);
    observer.heard(TOLD);
    observer.heard(refusal);
    // On another connection the topic was not denied yet.
    observer.heard({ type: "welcome" });
    observer.heard(TOLD);
    assert.equal(leaks(), 1);
  });
}

test("the changes of each row that a subscription receives are counted", () => {
  const { observer, subscribe } = scene();
  subscribe();
  for (let times = 0; times < 3; times++) observer.heard(TOLD);

  const [{ told }] = observer.watches;
  assert.deepEqual([...told], [['["task","7"]', 3]]);
});
