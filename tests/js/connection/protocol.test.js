import assert from "node:assert/strict";
import { test } from "node:test";

import {
  CLIENT_FRAMES,
  CLOSE,
  PROTOCOL,
  SERVER_FRAMES,
  VERBS,
} from "../../../realtime/static/realtime/connection/protocol.js";

test("constants are plain data that another language can compare", () => {
  const all = { PROTOCOL, CLIENT_FRAMES, SERVER_FRAMES, VERBS, CLOSE };

  assert.deepEqual(JSON.parse(JSON.stringify(all)), all);
  assert.deepEqual(Object.values(VERBS), ["entered", "updated", "left"]);
});

test("the entry can be imported where there is no DOM", async () => {
  const { connect, LiveRegion } = await import("../../../realtime/static/realtime/live.js");

  assert.equal(typeof connect, "function");
  assert.equal(typeof LiveRegion, "function");
});
