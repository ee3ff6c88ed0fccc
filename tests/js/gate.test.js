import assert from "node:assert/strict";
import { test } from "node:test";

import { Gate } from "../../realtime/static/realtime/gate.js";
import { FakeClock } from "./support/fake_clock.js";

/** A gate that draws these shares, one after the other. */
function makeGate(...shares) {
  const clock = new FakeClock();
  return { clock, gate: new Gate({ clock, random: () => shares.shift() }) };
}

test("one share is drawn for all that wait, and the first whose time has come lets all go", async () => {
  const { clock, gate } = makeGate(0.5);
  const gone = [];
  gate.wait(4_000, () => gone.push("wide"));
  gate.wait(2_000, () => gone.push("narrow"));

  await clock.advance(999);
  assert.deepEqual(gone, []);
  await clock.advance(1);

  assert.deepEqual(gone, ["wide", "narrow"]);
  assert.equal(clock.waiting, 0);
});

test("another share is drawn once nobody waits, whether they went or left", async () => {
  const { clock, gate } = makeGate(0.1, 0.2, 0.3);
  const gone = [];
  gate.wait(1_000, () => gone.push("left"))();
  gate.wait(1_000, () => gone.push("first"));
  await clock.advance(200);
  gate.wait(1_000, () => gone.push("second"));

  await clock.advance(299);
  assert.deepEqual(gone, ["first"]);
  await clock.advance(1);

  assert.deepEqual(gone, ["first", "second"]);
});

test("who is called off by one that goes before does not go", async () => {
  const { clock, gate } = makeGate(0.5);
  const gone = [];
  let callOff = () => {};
  gate.wait(1_000, () => callOff());
  callOff = gate.wait(1_000, () => gone.push("called off"));

  await clock.advance(1_000);

  assert.deepEqual(gone, []);
});
