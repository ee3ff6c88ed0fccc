/** Tickets expire: a topic that was denied with an old one is requested with a fresh one. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { settle } from "../support/fake_clock.js";
import { deferred, recorder } from "../support/handlers.js";
import { makeLive, makeWatching, reconnect } from "../support/live.js";
import { quietConsole } from "../support/quiet.js";

const DENIED = { type: "denied", topics: { "list:5": "not allowed" } };
const FRESH = { topic: "list:5", cursor: "c0", ticket: "new" };

/** A subscription that was confirmed, and denied on the next connection. */
async function makeDenied(handler = recorder(), options = {}) {
  const denied = [];
  const onDenied = (reason) => denied.push(reason);
  const made = await makeWatching(handler, { cursor: "c0", ticket: "old", onDenied, ...options });
  await reconnect(made);
  await made.server.send(DENIED);
  return { ...made, denied, handler };
}

async function renew({ live }, ticket = "new") {
  live.renewTickets({ "list:5": ticket });
  await settle();
}

test("a script that fetches a ticket in `onDenied` is subscribed again, from its cursor", async (t) => {
  quietConsole(t);
  const fetched = deferred();
  const handler = recorder();
  const { live, server } = makeLive();
  const onDenied = async () => live.renewTickets(await fetched());
  const options = { cursor: "c0", ticket: "old", onDenied };
  const subscription = live.subscribe("list:5", options, handler);
  await server.welcome();
  await server.send(DENIED);
  assert.equal(live.state, "stale");

  fetched.runs[0].succeed({ "list:5": "new" });
  await settle();
  assert.deepEqual(server.asked, [FRESH]);
  await server.confirm({ "list:5": "c0" });
  await server.change("list:5", "c1");

  assert.deepEqual([handler.told.length, subscription.cursor], [1, "c1"]);
  assert.equal(live.state, "live");
});

test("a ticket that `onDenied` has at hand is sent at once, for all handlers of the topic", async (t) => {
  quietConsole(t);
  const { live, server } = makeLive();
  const denied = [];
  const onDenied = (reason) => {
    denied.push(reason);
    live.renewTickets({ "list:5": "new" });
  };
  live.subscribe("list:5", { cursor: "c0", ticket: "old", onDenied }, recorder());
  live.subscribe("list:5", { cursor: "c1", ticket: "old", onDenied }, recorder());
  await server.welcome();

  await server.send(DENIED);
  assert.deepEqual(server.asked.map(({ cursor }) => cursor).sort(), ["c0", "c1"]);
  assert.ok(server.asked.every(({ ticket }) => ticket === "new"));
  await server.confirm({ "list:5": "c1" });

  assert.deepEqual([denied, live.state], [["not allowed"], "live"]);
});

test("a fresh ticket that is denied too ends the subscription: age is not the reason", async (t) => {
  quietConsole(t);
  const made = await makeDenied();
  await renew(made);

  await made.server.send(DENIED);
  const before = made.server.sent.length;
  await renew(made, "newer");

  assert.deepEqual([made.denied.length, made.live.state], [2, "stale"]);
  assert.equal(made.server.sent.length, before);
});

test("each connection may need a fresh ticket", async (t) => {
  quietConsole(t);
  const made = await makeDenied();
  await renew(made);
  await made.server.confirm({ "list:5": "c0" });

  await reconnect(made);
  await made.server.send(DENIED);
  await renew(made, "newer");

  assert.deepEqual(made.server.asked, [{ ...FRESH, ticket: "newer" }]);
});

test("the denied ticket, none, and those of other topics repeat no request", async (t) => {
  quietConsole(t);
  const made = await makeDenied();
  const before = made.server.sent.length;

  made.live.renewTickets({ "list:5": "old", "list:6": "new" });
  made.live.renewTickets({ "list:5": null });
  made.live.renewTickets({});
  await settle();

  assert.equal(made.server.sent.length, before);
  assert.equal(made.live.state, "stale");
});

test("a ticket that comes without a connection is sent on the next one", async (t) => {
  quietConsole(t);
  const made = await makeDenied();
  await made.server.close();

  await renew(made);
  await reconnect(made);

  assert.deepEqual(made.server.asked, [FRESH]);
});

test("a subscription that was cancelled or revoked is not requested with a fresh ticket", async (t) => {
  quietConsole(t);
  const cancelled = await makeDenied();
  const revoked = await makeWatching(recorder(), { cursor: "c0", ticket: "old" });
  cancelled.subscription.cancel();
  await revoked.server.send({ type: "revoked", topics: ["list:5"] });

  for (const made of [cancelled, revoked]) {
    const before = made.server.sent.length;
    await renew(made);
    assert.equal(made.server.sent.length, before);
  }
});

test("a subscription that another's `onDenied` cancelled is not denied", async (t) => {
  quietConsole(t);
  const { live, server } = makeLive();
  const denied = [];
  const onDenied = () => second.cancel();
  const first = live.subscribe("list:5", { onDenied }, recorder());
  const second = live.subscribe("list:5", { onDenied: () => denied.push("second") }, recorder());
  await server.welcome();

  await server.send(DENIED);
  first.cancel();
  await settle();

  assert.deepEqual([denied, live.state], [[], "live"]);
});

test("a failed run is not retried after a denial, but replayed when the ticket is renewed", async (t) => {
  quietConsole(t);
  const told = [];
  let fails = true;
  const handler = async (changes) => {
    told.push(changes);
    if (fails) throw new Error("could not apply");
  };
  const made = await makeWatching(handler, { cursor: "c0", ticket: "old" });
  await made.server.change("list:5", "c1");
  await reconnect(made);
  await made.server.send(DENIED);
  const before = told.length;
  fails = false;

  await renew(made);
  await made.clock.advance(20_000);
  assert.equal(told.length, before);
  assert.deepEqual(made.server.asked, [FRESH]);
  await made.server.confirm({ "list:5": "c0" });
  await made.server.change("list:5", "c1");

  assert.deepEqual([told.length, made.subscription.cursor], [before + 1, "c1"]);
  assert.equal(made.live.state, "live");
});

test("a run that is under way at a denial is the only one until it ends", async (t) => {
  quietConsole(t);
  const handler = deferred();
  const made = await makeWatching(handler, { cursor: "c0", ticket: "old" });
  await made.server.change("list:5", "c1");
  await reconnect(made);
  await made.server.send(DENIED);

  await renew(made);
  await made.server.confirm({ "list:5": "c0" });
  await made.server.change("list:5", "c2");
  assert.equal(handler.runs.length, 1);
  handler.runs[0].succeed();
  await settle();
  assert.equal(handler.runs.length, 2);
  handler.runs[1].succeed();
  await settle();

  assert.deepEqual([made.subscription.cursor, made.live.state], ["c2", "live"]);
});

test("a run that ended while the topic was denied leaves the handler free after the renewal", async (t) => {
  quietConsole(t);
  const handler = deferred();
  const made = await makeWatching(handler, { cursor: "c0", ticket: "old" });
  await made.server.change("list:5", "c1");
  await reconnect(made);
  await made.server.send(DENIED);
  handler.runs[0].succeed();
  await settle();

  await renew(made);
  assert.deepEqual(made.server.asked, [FRESH]);
  await made.server.confirm({ "list:5": "c0" });
  await made.server.change("list:5", "c1");

  assert.equal(handler.runs.length, 2);
});

test("a run that failed while the topic was denied is not skipped by what followed it", async (t) => {
  quietConsole(t);
  const handler = deferred();
  const made = await makeWatching(handler, { cursor: "c0", ticket: "old" });
  await made.server.change("list:5", "c1");
  await made.server.change("list:5", "c2");
  await reconnect(made);
  await made.server.send(DENIED);
  handler.runs[0].fail();
  await settle();

  await renew(made);
  await made.server.change("list:5", "c3"); // ahead of the replay
  handler.runs[1].succeed();
  await settle();

  assert.equal(made.subscription.cursor, "c0");
});

test("a run that hangs over a denial and its renewal shows as stale", async (t) => {
  quietConsole(t);
  const made = await makeWatching(deferred(), { cursor: "c0", ticket: "old" });
  await made.server.change("list:5", "c1");
  await reconnect(made);
  await made.server.send(DENIED);
  await renew(made);
  await made.server.confirm({ "list:5": "c0" });
  assert.equal(made.live.state, "live");

  await made.clock.advance(30_000);

  assert.equal(made.live.state, "stale");
});

test("tickets from `renewTickets` are used from the next request on", async () => {
  const made = await makeWatching(recorder(), { cursor: "c0", ticket: "old" });

  made.live.renewTickets({ "list:5": "new", "list:6": "not ours" });
  await reconnect(made);

  assert.deepEqual(made.server.asked, [FRESH]);
});

test("a ticket that was renewed while the old one was being denied is sent", async () => {
  const made = await makeWatching(recorder(), { cursor: "c0", ticket: "old" });
  await reconnect(made);
  made.live.renewTickets({ "list:5": "new" });

  await made.server.send(DENIED);

  assert.deepEqual(made.server.asked, [FRESH]);
});
