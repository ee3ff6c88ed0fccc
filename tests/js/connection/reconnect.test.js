import assert from "node:assert/strict";
import { test } from "node:test";

import { ReconnectPolicy } from "../../../realtime/static/realtime/connection/reconnect.js";
import { CLOSE } from "../../../realtime/static/realtime/connection/protocol.js";
import { quietConsole } from "../support/quiet.js";

const almostOne = () => 0.999999;

test("clients whose connections a server closed at once spread over five seconds", () => {
  for (const code of [CLOSE.DRAINING, CLOSE.SERVICE_RESTART]) {
    const { refused, wait } = new ReconnectPolicy(almostOne).after(code, 60_000);

    assert.equal(refused, false);
    assert.equal(Math.round(wait), 5_000);
  }
});

test("clients whose connections are closed again and again spread wider", () => {
  const comeback = new ReconnectPolicy(almostOne);

  const waits = [1, 2, 3, 4].map(() => Math.round(comeback.after(CLOSE.DRAINING, 0).wait));

  assert.deepEqual(waits, [5_000, 5_000, 5_000, 8_000]);
});

test("attempts at a server that is full, or over a limit, become rarer", () => {
  for (const code of [CLOSE.FULL, CLOSE.TOO_MANY]) {
    const comeback = new ReconnectPolicy(almostOne);

    const waits = [1, 2, 3, 4, 5, 6].map(() => comeback.after(code, 0).wait / 1_000);

    assert.deepEqual(waits.map(Math.round), [60, 90, 150, 270, 300, 300]);
  }
});

test("a connection that served resets the long waits too", () => {
  const comeback = new ReconnectPolicy(almostOne);
  for (let i = 0; i < 6; i++) comeback.after(CLOSE.FULL, 0);

  assert.equal(Math.round(comeback.after(CLOSE.FULL, 10_000).wait), 60_000);
});

test("a refused client waits long before its next attempt", () => {
  for (const code of [CLOSE.NOT_AUTHENTICATED, CLOSE.REFUSED]) {
    const { refused, wait } = new ReconnectPolicy(() => 0).after(code, 0);

    assert.equal(refused, true);
    assert.equal(wait, 30_000);
  }
});

test("a close code that means a client's bug is logged, and the wait is long", (t) => {
  const said = quietConsole(t);

  const { refused, wait } = new ReconnectPolicy(() => 0).after(CLOSE.NOT_UNDERSTOOD, 0);

  assert.equal(refused, false);
  assert.equal(wait, 30_000);
  assert.match(said.error[0], /4400/);
});

test("a connection that is lost right after its welcome does not reset the backoff", () => {
  const comeback = new ReconnectPolicy(almostOne);

  const waits = [1, 2, 3].map(() => Math.round(comeback.after(1006, 500).wait));

  assert.deepEqual(waits, [1_000, 2_000, 4_000]);
});

test("a wait is shortened once, however often the page wakes", () => {
  const comeback = new ReconnectPolicy(() => 0.5);
  comeback.after(1006, 0);
  assert.deepEqual([comeback.hurried(), comeback.hurried()], [250, null]);

  comeback.after(1006, 0);

  assert.equal(comeback.hurried(), 250);
});
