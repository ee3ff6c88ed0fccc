/** The seam for plug-ins: frames of their own in both directions, and their part of the state. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { settle } from "../support/fake_clock.js";
import { recorder } from "../support/handlers.js";
import { makeLive, makeWatching, reconnect } from "../support/live.js";
import { quietConsole } from "../support/quiet.js";

/** A plug-in that watches one view on each connection, as the events tell it. */
function plugIn(live) {
  const heard = [];
  live.handle("watching", (frame) => {
    heard.push(frame.type);
    live.report("views", "live");
  });
  live.addEventListener("connected", () => {
    heard.push("connected");
    live.report("views", "connecting");
    live.send({ type: "watch", id: `v${heard.length}`, ticket: "t" });
  });
  live.addEventListener("lost", () => heard.push("lost"));
  return heard;
}

test("a handler is called with each frame of its type, and with no other", async () => {
  const { live, server } = makeLive();
  const stale = [];
  live.handle("stale", (frame) => stale.push(frame));
  await server.welcome();

  await server.send({ type: "stale", id: "v1", spread: 0 });
  await server.send({ type: "gone", id: "v1" });
  await server.send({ type: "stale", id: "v2", spread: 5 });

  assert.deepEqual(stale, [
    { type: "stale", id: "v1", spread: 0 },
    { type: "stale", id: "v2", spread: 5 },
  ]);
});

test("a frame of a type without a handler is ignored", async () => {
  const { live, server } = await makeWatching(recorder());

  await server.send({ type: "of-the-future" });

  assert.equal(live.state, "live");
  assert.equal(server.sockets.length, 1);
});

test("a plug-in sends its frames anew on each connection", async () => {
  const made = makeLive();
  const heard = plugIn(made.live);
  await made.server.welcome();
  assert.deepEqual(made.server.sent, [{ type: "watch", id: "v1", ticket: "t" }]);

  await reconnect(made);

  assert.deepEqual(heard, ["connected", "lost", "connected"]);
  assert.deepEqual(made.server.sent, [{ type: "watch", id: "v3", ticket: "t" }]);
});

test("the end of an attempt that was never welcomed is no loss", async () => {
  const made = makeLive();
  const heard = plugIn(made.live);

  await reconnect(made);

  assert.deepEqual(heard, ["connected"]);
});

test("a frame that cannot be sent is dropped, and `send` says so", async () => {
  const { live, server } = makeLive();

  assert.equal(live.send({ type: "watch", id: "v1" }), false);
  await server.welcome();
  assert.equal(live.send({ type: "unwatch", id: "v1" }), true);

  assert.deepEqual(server.sent, [{ type: "unwatch", id: "v1" }]);
});

test("a handler that throws has lost its frame, and the connection is reopened", async (t) => {
  const said = quietConsole(t);
  const { live, server } = makeLive();
  live.handle("stale", () => {
    throw new Error("a bug of the plug-in");
  });
  await server.welcome();

  await server.send({ type: "stale", id: "v1" });

  assert.equal(server.socket.closed, true);
  assert.match(said.error[0], /a bug of the plug-in/);
});

test("the page is live when all parts are, and stale while one is", async () => {
  const { live, server } = await makeWatching(recorder());
  const states = [];
  live.addEventListener("state", () => states.push(live.state));

  for (const state of ["connecting", "stale", "live"]) {
    live.report("views", state);
    await settle();
  }
  live.report("queries", "stale");
  live.report("views", "connecting");
  await settle();

  assert.deepEqual(states, ["connecting", "stale", "live", "stale"]);
  assert.equal(server.sockets.length, 1);
});

test("a page whose plug-in has no answer yet is not restored, and its connection no success", async () => {
  const made = await makeWatching(recorder());
  plugIn(made.live);
  const waits = [];
  for (let i = 0; i < 3; i++) {
    const lostAt = made.clock.now();
    await reconnect(made);
    await made.server.confirm({ "list:5": "c0" });
    waits.push(made.clock.now() - lostAt);
    assert.equal(made.live.state, "reconnecting");
    for (let beat = 0; beat < 2; beat++) {
      await made.clock.advance(20_000);
      await made.server.send({ type: "ping", seq: 1 });
    }
  }
  assert.deepEqual(waits, [500, 1_000, 2_000]);

  await made.server.send({ type: "watching", id: "v1" });

  assert.equal(made.live.state, "live");
});

test("a plug-in that gets no answer reopens the connection, if there is one", async () => {
  const { live, server, clock } = makeLive();
  live.reopen();
  assert.equal(server.socket.closed, false);
  await server.welcome();

  live.reopen();
  await clock.advance(1_000);

  assert.deepEqual(server.sockets.map(({ closed }) => closed), [true, false]);
});

test("a type has one handler: the second is an error, the client's own types too", () => {
  const { live } = makeLive();
  live.handle("stale", () => {});

  for (const type of ["stale", "changed", "welcome"]) {
    assert.throws(() => live.handle(type, () => {}), { message: new RegExp(`"${type}"`) });
  }
});

for (const [what, misuse, message] of [
  ["a handler that is no function", (live) => live.handle("stale", {}), /function .* "stale"/],
  ["a missing handler", (live) => live.handle("stale"), /function .* "stale".*undefined/],
  ["a type that is no text", (live) => live.handle(7, () => {}), /non-empty string, got 7/],
  ["an empty type", (live) => live.handle("", () => {}), /non-empty string/],
  ["a frame without a type", (live) => live.send({ id: "v1" }), /frame with a type.*v1/],
  ["no frame", (live) => live.send(null), /frame with a type, got null/],
  ["an unknown state", (live) => live.report("views", "refused"), /connecting, .*got refused/],
]) {
  test(`${what} is a TypeError that says what was expected`, () => {
    const { live } = makeLive();

    assert.throws(() => misuse(live), { name: "TypeError", message });
  });
}
