import assert from "node:assert/strict";
import { test } from "node:test";

import { Backoff } from "../../../realtime/static/realtime/connection/backoff.js";

const almostOne = () => 0.999999;

test("backoff doubles its ceiling up to the cap", () => {
  const backoff = new Backoff({ base: 100, cap: 500, random: almostOne });

  const waits = [1, 2, 3, 4, 5].map(() => Math.round(backoff.next()));

  assert.deepEqual(waits, [100, 200, 400, 500, 500]);
});

test("backoff has full jitter: a wait may be 0", () => {
  const backoff = new Backoff({ random: () => 0 });

  assert.equal(backoff.next(), 0);
});

test("backoff begins again after a success", () => {
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
