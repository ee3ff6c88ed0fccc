import assert from "node:assert/strict";
import { test } from "node:test";

import {
  isEmpty,
  mergeChanges,
  readChanges,
  resetChanges,
  toTold,
} from "../../../realtime/static/realtime/subscriptions/changes.js";

const changed = (lists, cursor = null) => readChanges({ cursor, changes: { "app.row": lists } });

test("absent lists are empty in what a handler is told", () => {
  const told = toTold(changed({ updated: ["17"] }, "c1"));

  assert.deepEqual(told, {
    changes: { "app.row": { entered: [], updated: ["17"], left: [] } },
    reset: null,
    cursor: "c1",
  });
});

test("the same verb twice for one row is that verb", () => {
  const { changes } = toTold(mergeChanges(changed({ left: ["4"] }), changed({ left: ["4"] })));

  assert.deepEqual(changes["app.row"], { entered: [], updated: [], left: ["4"] });
});

for (const [first, second] of [
  ["entered", "updated"],
  ["entered", "left"],
  ["left", "entered"],
  ["updated", "left"],
]) {
  test(`${first} and ${second} of one row merge to updated`, () => {
    const { changes } = toTold(mergeChanges(changed({ [first]: ["4"] }), changed({ [second]: ["4"] })));

    assert.deepEqual(changes["app.row"], { entered: [], updated: ["4"], left: [] });
  });
}

test("a row that is in two lists of one frame is updated", () => {
  const { changes } = toTold(changed({ entered: ["4"], left: ["4"] }));

  assert.deepEqual(changes["app.row"].updated, ["4"]);
});

test("merging leaves its arguments as they were", () => {
  const older = changed({ entered: ["1"] });

  mergeChanges(older, changed({ left: ["1"], entered: ["2"] }));

  assert.deepEqual(toTold(older).changes["app.row"].entered, ["1"]);
});

test("rows of different labels stay apart", () => {
  const other = readChanges({ changes: { "app.other": { left: ["1"] } } });

  const { changes } = toTold(mergeChanges(changed({ entered: ["1"] }), other));

  assert.deepEqual(changes["app.row"].entered, ["1"]);
  assert.deepEqual(changes["app.other"].left, ["1"]);
});

test("a reset absorbs the changes before and after it", () => {
  const merged = mergeChanges(mergeChanges(changed({ left: ["1"] }), resetChanges("bulk")), changed({ left: ["2"] }));

  assert.deepEqual(toTold(merged), { changes: {}, reset: "bulk", cursor: null });
});

test("a reset with an unknown reason, even an empty one, is a reset", () => {
  assert.equal(isEmpty(readChanges({ reset: "", cursor: "c1" })), false);
});

test("the cursor of merged changes is the last one known", () => {
  assert.equal(mergeChanges(changed({}, "c1"), changed({}, "c2")).cursor, "c2");
  assert.equal(mergeChanges(changed({}, "c1"), changed({})).cursor, "c1");
});

test("changes without rows and reset are empty", () => {
  assert.equal(isEmpty(readChanges({ cursor: "c9" })), true);
  assert.equal(isEmpty(changed({ entered: [] })), true);
});

test("too many rows become a reset, so that memory is bounded", () => {
  let merged = changed({});
  for (let pk = 0; pk < 1_001; pk++) merged = mergeChanges(merged, changed({ left: [`${pk}`] }, `c${pk}`));

  assert.deepEqual(toTold(merged), { changes: {}, reset: "overflow", cursor: "c1000" });
});

test("labels and pks may have any name", () => {
  const entry = JSON.parse('{"changes": {"__proto__": {"left": ["__proto__"]}}}');

  const { changes } = toTold(readChanges(entry));

  assert.deepEqual(Object.entries(changes), [
    ["__proto__", { entered: [], updated: [], left: ["__proto__"] }],
  ]);
});
