/** Tickets expire: a topic that was denied with an old one is requested with a fresh one. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { settle } from "../support/fake_clock.js";
import { deferred, recorder } from "../support/handlers.js";
import { makeLive, makeWatching, reconnect } from "../support/live.js";
import { quietConsole } from "../support/quiet.js";

const DENIED = { type: "denied", topics: { "list:5": "not allowed" } };

/** A subscription that is confirmed, and denied on the next connection; its handler records. */
async function makeDenied(renew, options = {}) {
  const denied = [];
  const onDenied = (reason) => denied.push(reason);
  const handler = recorder();
  const made = await makeWatching(handler, {
    cursor: "c0", ticket: "old", renew, onDenied, ...options,
  });
  await reconnect(made);
  await made.server.send(DENIED);
  return { ...made, denied, handler };
}

/** A `renew` that gives a new ticket each time: t1, t2 and so on. */
function tickets() {
  let calls = 0;
  return Object.assign(async () => ({ ticket: `t${++calls}` }), { count: () => calls });
}

test("a denied topic is requested again with the ticket that `renew` gives", async (t) => {
  quietConsole(t);
  const { live, server, clock, denied, handler } = await makeDenied(tickets());
  assert.equal(live.state, "reconnecting");

  await clock.advance(500);
  assert.deepEqual(server.asked, [{ topic: "list:5", cursor: "c0", ticket: "t1" }]);
  await server.confirm({ "list:5": "c0" });
  await server.change("list:5", "c1");

  assert.equal(live.state, "live");
  assert.deepEqual([denied, handler.told.length], [[], 1]);
});

test("`renew` is called after a short random pause: many clients may need a ticket at once", async (t) => {
  quietConsole(t);
  const renew = tickets();
  const { clock } = await makeDenied(renew);

  await clock.advance(499);
  assert.equal(renew.count(), 0);
  await clock.advance(1);

  assert.equal(renew.count(), 1);
});

test("a fresh ticket that is denied too ends the subscription", async (t) => {
  quietConsole(t);
  const renew = tickets();
  const { live, server, clock, denied } = await makeDenied(renew);
  await clock.advance(500);

  await server.send(DENIED);
  await clock.advance(60_000);

  assert.deepEqual([denied, renew.count(), live.state], [["not allowed"], 1, "stale"]);
});

for (const [what, renew] of [
  ["rejects", async () => { throw new Error("logged out"); }],
  ["throws", () => { throw new Error("logged out"); }],
  ["gives nothing", async () => null],
  ["gives no ticket", async () => ({})],
  ["gives the same ticket", async () => ({ ticket: "old" })],
]) {
  test(`a \`renew\` that ${what} ends the subscription`, async (t) => {
    quietConsole(t);
    const { live, server, clock, denied } = await makeDenied(renew);
    const before = server.sent.length;
    const states = [];
    live.addEventListener("state", () => states.push(live.state));

    await clock.advance(500);

    assert.deepEqual(denied, ["not allowed"]);
    assert.deepEqual(states, ["stale"]);
    assert.equal(server.sent.length, before);
  });
}

test("a `renew` that does not settle is given up", async (t) => {
  quietConsole(t);
  const runs = deferred();
  const { clock, denied } = await makeDenied(() => runs());

  await clock.advance(500 + 29_999);
  assert.deepEqual(denied, []);
  await clock.advance(1);
  assert.deepEqual(denied, ["not allowed"]);
  runs.runs[0].fail();
  await settle();

  assert.deepEqual(denied, ["not allowed"]);
});

test("pauses grow from connection to connection until the server confirms", async (t) => {
  quietConsole(t);
  const renew = tickets();
  const made = await makeDenied(renew);
  const counts = [];
  for (const pause of [500, 1_000, 2_000]) {
    await made.clock.advance(pause - 1);
    counts.push(renew.count());
    await made.clock.advance(1);
    counts.push(renew.count());
    await reconnect(made);
    await made.server.send(DENIED);
  }
  await made.clock.advance(4_000);
  await made.server.confirm({ "list:5": "c0" });

  await reconnect(made);
  await made.server.send(DENIED);
  await made.clock.advance(500);

  assert.deepEqual(counts, [0, 1, 1, 2, 2, 3]);
  assert.equal(renew.count(), 5);
});

test("a ticket that arrives after the connection was lost is used on the next one", async (t) => {
  quietConsole(t);
  const runs = deferred();
  const made = await makeDenied(() => runs());
  await made.clock.advance(500);
  await reconnect(made);
  assert.deepEqual(made.server.sent, []);

  runs.runs[0].succeed({ ticket: "new" });
  await settle();

  assert.deepEqual(made.server.asked, [{ topic: "list:5", cursor: "c0", ticket: "new" }]);
});

test("a `renew` that fails without a network ends no subscription: the next connection requests it", async (t) => {
  quietConsole(t);
  const runs = deferred();
  const made = await makeDenied(() => runs());
  await made.clock.advance(500);
  await made.server.close();

  runs.runs[0].fail();
  await reconnect(made);

  assert.deepEqual(made.denied, []);
  assert.deepEqual(made.server.asked, [{ topic: "list:5", cursor: "c0", ticket: "old" }]);
});

test("a subscription that ends during a renewal is not requested again", async (t) => {
  quietConsole(t);
  for (const [end, reasons] of [
    [({ subscription }) => subscription.cancel(), []],
    [({ server }) => server.send({ type: "revoked", topics: ["list:5"] }), ["revoked"]],
  ]) {
    const renew = tickets();
    const made = await makeDenied(renew);
    const before = made.server.sent.length;

    await end(made);
    await made.clock.advance(20_000);

    assert.deepEqual([made.denied, renew.count()], [reasons, 0]);
    assert.equal(made.server.sent.length, before);
  }
});

test("a renewed cursor is used as a first position only, so it skips no change", async (t) => {
  quietConsole(t);
  const renew = async () => ({ ticket: "new", cursor: "c9" });
  const made = makeLive();
  const asked = async (options) => {
    made.live.subscribe("list:5", { ticket: "old", renew, ...options }, recorder());
    await settle();
    await made.server.send(DENIED);
    await made.clock.advance(500);
    await made.server.confirm({ "list:5": "c9" });
    return made.server.asked[0].cursor;
  };
  await made.server.welcome();

  assert.equal(await asked({}), "c9");
  assert.equal(await asked({ cursor: "c0" }), "c0");
  assert.equal(await asked({ catchUp: true }), undefined);
});

test("tickets from `renewTickets` are used from the next request on", async () => {
  const made = await makeWatching(recorder(), { cursor: "c0", ticket: "old" });

  made.live.renewTickets({ "list:5": "new", "list:6": "not ours" });
  await reconnect(made);

  assert.deepEqual(made.server.asked, [{ topic: "list:5", cursor: "c0", ticket: "new" }]);
});

test("a ticket that was renewed while the old one was being denied is sent", async () => {
  const made = await makeWatching(recorder(), { cursor: "c0", ticket: "old" });
  await reconnect(made);
  made.live.renewTickets({ "list:5": "new" });

  await made.server.send(DENIED);

  assert.deepEqual(made.server.asked, [{ topic: "list:5", cursor: "c0", ticket: "new" }]);
});
