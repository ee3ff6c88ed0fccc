/**
 * The promise: a client is never silently stale. Each test is one way in which a message could get
 * lost, and shows that it does not.
 */
import assert from "node:assert/strict";
import { test } from "node:test";

import { settle } from "../support/fake_clock.js";
import { deferred, recorder } from "../support/handlers.js";
import { makeLive, makeWatching, nextWelcome, reconnect } from "../support/live.js";
import { quietConsole } from "../support/quiet.js";

const FROM = (cursor) => [{ topic: "list:5", cursor }];

test("a reconnect asks from the applied cursor, not from the received one", async () => {
  const handler = deferred();
  const made = await makeWatching(handler);
  await made.server.change("list:5", "c1");
  handler.runs[0].succeed();
  await made.server.change("list:5", "c2");
  await made.server.change("list:5", "c3");

  await reconnect(made);

  assert.deepEqual(made.server.asked, FROM("c1"));
});

test("after a server drained, the client asks from the applied cursors, after a spread wait", async () => {
  for (const code of [1012, 4503]) {
    const made = await makeWatching(recorder());
    await made.server.change("list:5", "c1");

    await made.server.close(code);
    await made.clock.advance(2_499);
    assert.equal(made.server.sockets.length, 1);
    await made.clock.advance(1);
    await made.server.welcome();

    assert.deepEqual(made.server.asked, FROM("c1"));
  }
});

test("the confirmation never moves an existing cursor", async () => {
  const made = await makeWatching(recorder());
  await made.server.change("list:5", "c1");
  await reconnect(made);

  await made.server.confirm({ "list:5": "c7" });
  assert.equal(made.subscription.cursor, "c1");
  await reconnect(made);

  assert.deepEqual(made.server.asked, FROM("c1"));
});

test("a subscription without a cursor goes on from its confirmation", async () => {
  const made = await makeWatching(recorder(), {});
  assert.deepEqual(made.server.asked, [{ topic: "list:5" }]);

  await reconnect(made);

  assert.deepEqual(made.server.asked, FROM("c0"));
});

test("a subscription whose confirmation was lost with the connection is requested again", async () => {
  const made = makeLive();
  made.live.subscribe("list:5", recorder());
  await made.server.welcome();

  await reconnect(made);

  assert.deepEqual(made.server.asked, [{ topic: "list:5" }]);
});

test("a request that was lost on a dying socket is repeated on the next one", async () => {
  const made = makeLive();
  await made.server.welcome();
  made.server.socket.closed = true; // no close event yet: the browser does not know either
  made.live.subscribe("list:5", { cursor: "c0" }, recorder());
  await settle();
  assert.deepEqual(made.server.sent, []);
  assert.notEqual(made.live.state, "live");

  await nextWelcome(made);

  assert.equal(made.server.sockets.length, 2);
  assert.deepEqual(made.server.asked, FROM("c0"));
});

test("an unsubscription that was lost on a dying socket is not needed on the next one", async () => {
  const handler = recorder();
  const made = await makeWatching(handler);
  made.server.socket.closed = true;
  made.subscription.cancel();
  await settle();

  await nextWelcome(made);

  assert.deepEqual(made.server.sent, []);
});

test("changes that a run handles survive the connection, and its success moves the cursor", async () => {
  const handler = deferred();
  const made = await makeWatching(handler);
  await made.server.change("list:5", "c1", { left: ["1"] });
  await made.server.change("list:5", "c2", { left: ["2"] });
  await made.server.close();

  handler.runs[0].succeed();
  await settle();
  assert.deepEqual(handler.runs[1].told.changes["app.row"].left, ["2"]);
  handler.runs[1].succeed();
  await nextWelcome(made);

  assert.deepEqual(made.server.asked, FROM("c2"));
});

test("a failed handler is told again, merged with later changes, on the next connection", async (t) => {
  quietConsole(t);
  const handler = recorder({ failures: 1 });
  const made = await makeWatching(handler);
  await made.server.change("list:5", "c1", { left: ["1"] });
  assert.equal(made.live.state, "stale");

  await made.server.close();
  await nextWelcome(made);

  assert.deepEqual(made.server.asked, FROM("c1"));
  assert.deepEqual(handler.told[1].changes["app.row"].left, ["1"]);
});

test("a handler that keeps failing keeps the cursor where it is", async (t) => {
  quietConsole(t);
  const made = await makeWatching(recorder({ failures: Infinity }));
  await made.server.change("list:5", "c1");
  await made.server.reset("list:5", "c2");
  await made.clock.advance(20_000);

  await reconnect(made);

  assert.deepEqual(made.server.asked, FROM("c0"));
  await made.server.confirm({ "list:5": "c2" });
  assert.equal(made.live.state, "stale");
});

test("replayed messages that are told twice do no harm, and the cursor ends at the last", async () => {
  const handler = deferred();
  const made = await makeWatching(handler);
  await made.server.change("list:5", "c1", { entered: ["1"] });
  await made.server.change("list:5", "c2", { entered: ["2"] });
  await reconnect(made);
  await made.server.confirm({ "list:5": "c0" });
  await made.server.change("list:5", "c1", { entered: ["1"] });
  await made.server.change("list:5", "c2", { entered: ["2"] });

  handler.runs[0].succeed();
  await settle();

  assert.equal(handler.runs.length, 2);
  assert.deepEqual(handler.runs[1].told.changes["app.row"].entered, ["2", "1"]);
  handler.runs[1].succeed();
  await settle();
  assert.equal(made.subscription.cursor, "c2");
});

test("a handler that joins gets its own replay: live changes ahead of it do not move its cursor", async () => {
  const made = await makeWatching(recorder());
  const handler = recorder();
  const joined = made.live.subscribe("list:5", { cursor: "older" }, handler);
  await settle();
  assert.deepEqual(made.server.asked, FROM("older"));

  // Sent before the server read the request: c7 is ahead of the replay that is still to come.
  await made.server.change("list:5", "c7");
  assert.equal(handler.told.length, 1);
  assert.equal(joined.cursor, "older");
  await reconnect(made);

  assert.deepEqual(made.server.asked, [...FROM("c7"), ...FROM("older")]);
});

test("one request per topic is unanswered at a time: an answer is never taken for another's", async () => {
  const { live, server } = makeLive();
  live.subscribe("list:5", { cursor: "c5" }, recorder());
  await server.welcome();
  const joined = live.subscribe("list:5", { cursor: "c3" }, recorder());
  await settle();
  assert.equal(server.sent.length, 1);

  await server.confirm({ "list:5": "c5" }); // answers the first
  assert.equal(joined.ticket.isConfirmed, false);
  assert.deepEqual(server.asked, FROM("c3"));
  await server.change("list:5", "c9");
  assert.equal(joined.cursor, "c3");
  await server.confirm({ "list:5": "c3" });
  await server.change("list:5", "c4");

  assert.equal(joined.cursor, "c4");
});

test("messages for an earlier subscription do not move the cursor of a new one", async () => {
  const made = await makeWatching(recorder());
  made.subscription.cancel();
  await settle();
  const again = made.live.subscribe("list:5", { cursor: "c0" }, recorder());
  await settle();

  await made.server.change("list:5", "c8"); // the server had not read the unsubscription yet

  assert.equal(again.cursor, "c0");
});

test("handlers at different cursors each get their replay after a reconnect", async () => {
  const slow = deferred();
  const made = await makeWatching(slow);
  made.live.subscribe("list:5", { cursor: "c0" }, recorder());
  await settle();
  await made.server.confirm({ "list:5": "c0" });
  await made.server.change("list:5", "c1");

  await reconnect(made);

  assert.deepEqual(made.server.asked, [...FROM("c0"), ...FROM("c1")]);
});

test("without a cursor, catchUp calls the handler after the confirmation", async () => {
  const handler = deferred();
  const { server, subscription } = await makeWatching(handler, { catchUp: true });
  assert.deepEqual(handler.runs[0].told, { changes: {}, reset: "unknown-cursor", cursor: "c0" });
  assert.equal(subscription.cursor, null);

  handler.runs[0].succeed();
  await server.change("list:5", "c1");
  handler.runs[1].succeed();
  await settle();

  assert.equal(subscription.cursor, "c1");
});

test("with a cursor, the replay is the catch-up", async () => {
  const handler = recorder();

  await makeWatching(handler, { catchUp: true, cursor: "c0" });

  assert.deepEqual(handler.told, []);
});

test("a catch-up that ends between two connections does not hide changes in between", async () => {
  const handler = deferred();
  const made = await makeWatching(handler, { catchUp: true });
  await reconnect(made);
  assert.deepEqual(made.server.asked, [{ topic: "list:5" }]);

  // The run began before c5 happened, and the request named no cursor to replay from.
  handler.runs[0].succeed();
  await settle();
  await made.server.confirm({ "list:5": "c5" });

  assert.equal(handler.runs.length, 2);
  assert.equal(handler.runs[1].told.reset, "unknown-cursor");
});

test("a cursor that the server refreshes without changes is kept for the next connection", async () => {
  const handler = recorder();
  const made = await makeWatching(handler);

  await made.server.send({ type: "changed", topics: { "list:5": { cursor: "c100" } } });
  await reconnect(made);

  assert.deepEqual(handler.told, []);
  assert.deepEqual(made.server.asked, FROM("c100"));
});

test("a refreshed cursor does not overtake a failed run", async (t) => {
  quietConsole(t);
  const made = await makeWatching(recorder({ failures: Infinity }));
  await made.server.change("list:5", "c1");

  await made.server.send({ type: "changed", topics: { "list:5": { cursor: "c100" } } });

  assert.equal(made.subscription.cursor, "c0");
});

test("a frame that is not understood is replayed by the next connection", async (t) => {
  quietConsole(t);
  const made = await makeWatching(recorder());

  await made.server.send({ type: "changed", topics: null });
  assert.equal(made.live.state, "reconnecting");
  await nextWelcome(made);

  assert.deepEqual(made.server.asked, FROM("c0"));
});

test("a callback that throws does not affect the frame's other topics", async (t) => {
  const said = quietConsole(t);
  const { live, server } = makeLive();
  const denied = [];
  const onDenied = () => {
    throw new Error("page's bug");
  };
  live.subscribe("list:1", { onDenied }, recorder());
  live.subscribe("list:2", { onDenied: (reason) => denied.push(reason) }, recorder());
  await server.welcome();

  await server.send({ type: "denied", topics: { "list:1": "no", "list:2": "no" } });

  assert.deepEqual(denied, ["no"]);
  assert.equal(server.sockets.length, 1);
  assert.equal(live.state, "stale"); // the denied topic is not watched
  assert.match(said.error[0], /page's bug/);
});
