import assert from "node:assert/strict";
import { test } from "node:test";

import { Backoff } from "../../realtime/static/realtime/backoff.js";
import { Comeback } from "../../realtime/static/realtime/comeback.js";
import { CLOSE } from "../../realtime/static/realtime/protocol.js";
import { quietConsole } from "./support/quiet.js";

const almostOne = () => 0.999999;

test("backoff doubles its ceiling up to the cap", () => {
  const backoff = new Backoff({ base: 100, cap: 500, random: almostOne });

  const waits = [1, 2, 3, 4, 5].map(() => Math.round(backoff.next()));

  assert.deepEqual(waits, [100, 200, 400, 500, 500]);
});

test("backoff has full jitter: a wait may be nothing at all", () => {
  const backoff = new Backoff({ random: () => 0 });

  assert.equal(backoff.next(), 0);
});

test("backoff starts afresh after a success", () => {
  const backoff = new Backoff({ base: 100, random: almostOne });
  backoff.next();
  backoff.next();

  backoff.reset();

  assert.equal(Math.round(backoff.next()), 100);
});

test("backoff stays at the cap after a very long outage", () => {
  const backoff = new Backoff({ cap: 500, random: almostOne });
  for (let i = 0; i < 2_000; i++) backoff.next();

  assert.equal(Math.round(backoff.next()), 500);
});

test("a crowd that was sent away together spreads over five seconds", () => {
  for (const code of [CLOSE.DRAINING, CLOSE.SERVICE_RESTART, CLOSE.FULL, CLOSE.TOO_MANY]) {
    const { refused, wait } = new Comeback(almostOne).after(code, 60_000);

    assert.equal(refused, false);
    assert.equal(Math.round(wait), 5_000);
  }
});

test("a refusal is asked again at the longest wait, not sooner", () => {
  for (const code of [CLOSE.NOT_AUTHENTICATED, CLOSE.REFUSED]) {
    const { refused, wait } = new Comeback(() => 0).after(code, 0);

    assert.equal(refused, true);
    assert.equal(wait, 30_000);
  }
});

test("a bug of ours is logged and comes back slowly", (t) => {
  const said = quietConsole(t);

  const { refused, wait } = new Comeback(() => 0).after(CLOSE.NOT_UNDERSTOOD, 0);

  assert.equal(refused, false);
  assert.equal(wait, 30_000);
  assert.match(said.error[0], /4400/);
});

test("a server that welcomes and dies at once does not reset the backoff", () => {
  const comeback = new Comeback(almostOne);

  const waits = [1, 2, 3].map(() => Math.round(comeback.after(1006, 500).wait));

  assert.deepEqual(waits, [1_000, 2_000, 4_000]);
});

test("a wait is shortened once, however often the page wakes", () => {
  const comeback = new Comeback(() => 0.5);
  comeback.after(1006, 0);
  assert.deepEqual([comeback.hurried(), comeback.hurried()], [250, null]);

  comeback.after(1006, 0);

  assert.equal(comeback.hurried(), 250);
});
