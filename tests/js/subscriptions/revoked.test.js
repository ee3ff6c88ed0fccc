/** Access that ends while a topic is subscribed to: no more of its changes are applied. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { settle } from "../support/fake_clock.js";
import { deferred, recorder } from "../support/handlers.js";
import { makeWatching, reconnect } from "../support/live.js";
import { quietConsole } from "../support/quiet.js";

const REVOKED = { type: "revoked", topics: ["list:5"] };

test("a revocation that crosses a request leaves that request for its own answer", async (t) => {
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
  assert.ok(made.server.sent.every(({ type }) => type === "subscribe"));
  await reconnect(made);

  assert.deepEqual(denied, ["revoked"]);
  assert.deepEqual(handler.told, []);
  assert.deepEqual(made.server.sent, []);
});

test("a handler that runs when access ends is not called again for changes that came meanwhile", async (t) => {
  quietConsole(t);
  const handler = deferred();
  const { server, clock, subscription } = await makeWatching(handler);
  await server.change("list:5", "c1");
  await server.change("list:5", "c2");

  await server.send(REVOKED);
  handler.runs[0].succeed();
  await clock.advance(60_000);

  assert.equal(handler.runs.length, 1);
  assert.equal(subscription.cursor, "c0");
});

test("a handler that fails after access ended is not retried, and logs no warning", async (t) => {
  const said = quietConsole(t);
  const handler = deferred();
  const { server, clock } = await makeWatching(handler);
  await server.change("list:5", "c1");

  await server.send(REVOKED);
  handler.runs[0].fail();
  await clock.advance(60_000);

  assert.equal(handler.runs.length, 1);
  assert.equal(said.warn.length, 1); // of the revocation
});

test("a run that waits, for its retry or in its jitter, is not run after access ended", async (t) => {
  quietConsole(t);
  const failing = recorder({ failures: 9 });
  const spread = recorder();
  const { live, server, clock } = await makeWatching(failing);
  live.subscribe("list:5", { cursor: "c0", jitter: 5_000 }, spread);
  await settle();
  await server.confirm({ "list:5": "c0" });
  await server.change("list:5", "c1");

  await server.send(REVOKED);
  live.wake();
  await clock.advance(60_000);

  assert.deepEqual([failing.told.length, spread.told.length], [1, 0]);
});

test("a topic may be subscribed to again after access ended", async (t) => {
  quietConsole(t);
  const handler = recorder();
  const { live, server, subscription } = await makeWatching(recorder());
  await server.send(REVOKED);

  subscription.cancel();
  live.subscribe("list:5", { cursor: "c0", ticket: "fresh" }, handler);
  await settle();
  assert.deepEqual(server.asked, [{ topic: "list:5", cursor: "c0", ticket: "fresh" }]);
  await server.confirm({ "list:5": "c0" });
  await server.change("list:5", "c1");

  assert.equal(handler.told.length, 1);
  assert.equal(live.state, "live");
});
