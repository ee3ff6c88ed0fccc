import assert from "node:assert/strict";
import { test } from "node:test";

import { ReconnectPolicy } from "../../../realtime/static/realtime/connection/reconnect.js";
import { CLOSE } from "../../../realtime/static/realtime/connection/protocol.js";
import { quietConsole } from "../support/quiet.js";

const almostOne = () => 0.999999;

test("a crowd that was sent away together spreads over five seconds", () => {
  for (const code of [CLOSE.DRAINING, CLOSE.SERVICE_RESTART]) {
    const { refused, wait } = new ReconnectPolicy(almostOne).after(code, 60_000);

    assert.equal(refused, false);
    assert.equal(Math.round(wait), 5_000);
  }
});

test("a crowd that is sent away again and again spreads wider", () => {
  const comeback = new ReconnectPolicy(almostOne);

  const waits = [1, 2, 3, 4].map(() => Math.round(comeback.after(CLOSE.DRAINING, 0).wait));

  assert.deepEqual(waits, [5_000, 5_000, 5_000, 8_000]);
});

test("a server that is full, or has too many of ours, is asked more and more rarely", () => {
  for (const code of [CLOSE.FULL, CLOSE.TOO_MANY]) {
    const comeback = new ReconnectPolicy(almostOne);

    const waits = [1, 2, 3, 4, 5, 6].map(() => comeback.after(code, 0).wait / 1_000);

    assert.deepEqual(waits.map(Math.round), [60, 90, 150, 270, 300, 300]);
  }
});

test("what had served begins with the shortest of the long waits again", () => {
  const comeback = new ReconnectPolicy(almostOne);
  for (let i = 0; i < 6; i++) comeback.after(CLOSE.FULL, 0);

  assert.equal(Math.round(comeback.after(CLOSE.FULL, 10_000).wait), 60_000);
});

test("a refusal is not asked again before a long wait", () => {
  for (const code of [CLOSE.NOT_AUTHENTICATED, CLOSE.REFUSED]) {
    const { refused, wait } = new ReconnectPolicy(() => 0).after(code, 0);

    assert.equal(refused, true);
    assert.equal(wait, 30_000);
  }
});

test("a bug of ours is logged and comes back slowly", (t) => {
  const said = quietConsole(t);

  const { refused, wait } = new ReconnectPolicy(() => 0).after(CLOSE.NOT_UNDERSTOOD, 0);

  assert.equal(refused, false);
  assert.equal(wait, 30_000);
  assert.match(said.error[0], /4400/);
});

test("a server that welcomes and dies at once does not reset the backoff", () => {
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
