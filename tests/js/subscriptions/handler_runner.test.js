import assert from "node:assert/strict";
import { test } from "node:test";

import { readChanges, resetChanges } from "../../../realtime/static/realtime/subscriptions/changes.js";
import { Jitter } from "../../../realtime/static/realtime/subscriptions/jitter.js";
import { HandlerRunner } from "../../../realtime/static/realtime/subscriptions/handler_runner.js";
import { FakeClock, settle } from "../support/fake_clock.js";
import { deferred, recorder } from "../support/handlers.js";
import { quietConsole } from "../support/quiet.js";

const changes = (cursor, lists) => readChanges({ cursor, changes: { "app.row": lists } });

function makeRunner(handler, cursor = "c0") {
  const clock = new FakeClock();
  const environment = { clock, random: () => 0.5 };
  const jitter = new Jitter(environment);
  const options = { resetJitter: 0 };
  return {
    clock,
    runner: new HandlerRunner(handler, cursor, environment, jitter, options, () => {}),
  };
}

test("a handler is called in the turn in which it is told", () => {
  const handler = deferred();
  const { runner } = makeRunner(handler);

  runner.tell(changes("c1", { left: ["1"] }));

  assert.equal(handler.runs.length, 1);
});

test("the cursor moves when the handler has succeeded, not before", async () => {
  const handler = deferred();
  const { runner } = makeRunner(handler);
  runner.tell(changes("c1", { left: ["1"] }));
  await settle();
  assert.equal(runner.cursor, "c0");

  handler.runs[0].succeed();
  await settle();

  assert.equal(runner.cursor, "c1");
});

test("changes that arrive during a run are merged and handled by one run afterwards", async () => {
  const handler = deferred();
  const { runner } = makeRunner(handler);
  runner.tell(changes("c1", { entered: ["1"] }));
  runner.tell(changes("c2", { entered: ["2"] }));
  runner.tell(changes("c3", { left: ["2"] }));
  await settle();
  assert.equal(handler.runs.length, 1);

  handler.runs[0].succeed();
  await settle();

  assert.equal(runner.cursor, "c1");
  assert.equal(handler.runs.length, 2);
  assert.deepEqual(handler.runs[1].told, {
    changes: { "app.row": { entered: [], updated: ["2"], left: [] } },
    reset: null,
    cursor: "c3",
  });
});

test("a failure keeps the cursor, is visible, and is retried, merged with later changes", async (t) => {
  quietConsole(t);
  const handler = deferred();
  const { runner, clock } = makeRunner(handler);
  runner.tell(changes("c1", { entered: ["1"] }));
  runner.tell(changes("c2", { left: ["1"] }));

  handler.runs[0].fail();
  await settle();
  assert.equal(runner.cursor, "c0");
  assert.equal(runner.behind, true);
  runner.tell(changes("c3", { entered: ["3"] }));
  await clock.advance(1_000);

  assert.equal(handler.runs.length, 2);
  assert.deepEqual(handler.runs[1].told, {
    changes: { "app.row": { entered: ["3"], updated: ["1"], left: [] } },
    reset: null,
    cursor: "c3",
  });
  assert.equal(runner.behind, true);
  handler.runs[1].succeed();
  await settle();
  assert.equal(runner.cursor, "c3");
  assert.equal(runner.behind, false);
});

test("waits between retries grow, and a success resets them", async (t) => {
  quietConsole(t);
  const handler = recorder({ failures: 3 });
  const { runner, clock } = makeRunner(handler);
  runner.tell(resetChanges("bulk", "c1"));

  const runs = [];
  for (const wait of [499, 1, 999, 1, 1_999, 1]) {
    await clock.advance(wait);
    runs.push(handler.told.length);
  }

  assert.deepEqual(runs, [1, 2, 2, 3, 3, 4]);
  assert.equal(runner.cursor, "c1");
});

test("the first wait after a success is short again", async (t) => {
  quietConsole(t);
  const outcomes = [false, false, true, false, true];
  const runs = [];
  const { runner, clock } = makeRunner(async (told) => {
    runs.push(told.cursor);
    if (!outcomes[runs.length - 1]) throw new Error("could not apply");
  });
  runner.tell(resetChanges("bulk", "c1"));
  await clock.advance(1_500);

  runner.tell(resetChanges("bulk", "c2"));
  await clock.advance(500);

  assert.deepEqual(runs, ["c1", "c1", "c1", "c2", "c2"]);
});

test("a first position is taken only if there is none", () => {
  const { runner } = makeRunner(recorder(), null);

  runner.startFrom("c5");
  runner.startFrom("c9");

  assert.equal(runner.cursor, "c5");
});

test("a waiting retry can be hurried", async (t) => {
  quietConsole(t);
  const handler = recorder({ failures: 1 });
  const { runner, clock } = makeRunner(handler);
  runner.tell(resetChanges("bulk", "c1"));
  await settle();

  runner.hurry();
  await settle();
  await clock.advance(60_000);

  assert.equal(handler.told.length, 2);
  assert.equal(runner.cursor, "c1");
});

test("a handler that throws at once counts as failed", async (t) => {
  quietConsole(t);
  const { runner } = makeRunner(() => {
    throw new Error("not async");
  });

  runner.tell(resetChanges("bulk", "c1"));
  await settle();

  assert.equal(runner.behind, true);
  assert.equal(runner.cursor, "c0");
});

test("a handler that does not settle counts as behind, until it settles after all", async () => {
  const handler = deferred();
  const { runner, clock } = makeRunner(handler);
  runner.tell(resetChanges("bulk", "c1"));

  await clock.advance(30_000);
  assert.equal(runner.behind, true);
  handler.runs[0].succeed();
  await settle();

  assert.equal(runner.behind, false);
  assert.equal(runner.cursor, "c1");
});

test("empty changes move the cursor, but not past a run under way", async () => {
  const handler = deferred();
  const { runner } = makeRunner(handler);
  runner.tell(changes("c1", {}));
  await settle();
  assert.equal(runner.cursor, "c1");

  runner.tell(changes("c2", { left: ["1"] }));
  runner.tell(changes("c3", {}));
  await settle();
  assert.equal(runner.cursor, "c1");
  handler.runs[0].succeed();
  await settle();

  assert.equal(runner.cursor, "c3");
  assert.equal(handler.runs.length, 1);
});

test("changes without a cursor are handled, and the cursor stays", async () => {
  const handler = recorder();
  const { runner } = makeRunner(handler);

  runner.tell(changes(null, { left: ["1"] }));
  await settle();

  assert.equal(handler.told.length, 1);
  assert.equal(runner.cursor, "c0");
});

test("a stopped runner calls the handler no more, and ignores the run under way", async (t) => {
  const said = quietConsole(t);
  const handler = deferred();
  const { runner, clock } = makeRunner(handler);
  runner.tell(changes("c1", { left: ["1"] }));
  runner.tell(changes("c2", { left: ["2"] }));

  runner.stop();
  handler.runs[0].fail();
  await clock.advance(60_000);
  runner.tell(changes("c3", { left: ["3"] }));

  assert.equal(handler.runs.length, 1);
  assert.equal(runner.cursor, "c0");
  assert.equal(clock.waiting, 0);
  assert.deepEqual(said.warn, []);
});
