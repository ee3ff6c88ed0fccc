import assert from "node:assert/strict";
import { test } from "node:test";

import { connect } from "../../../realtime/static/realtime/live.js";
import { FakeClock } from "../support/fake_clock.js";
import { FakeServer } from "../support/fake_server.js";

test("one URL is one connection, in any spelling", (t) => {
  globalThis.location = { href: "https://example.com/lists/5/#top" };
  t.after(() => delete globalThis.location);
  const server = new FakeServer();
  const options = { WebSocket: server.WebSocket, clock: new FakeClock() };

  const live = connect("/ws/live/", options);

  for (const same of [
    "wss://example.com/ws/live/",
    "https://example.com/ws/live/",
    "WSS://Example.COM:443/ws/live/",
    "//example.com/ws/live/",
    "../../ws/./live/",
    "/ws/other/../live/",
    "/ws/live/#part",
    "/ws/live/?",
  ]) {
    assert.equal(connect(same, options), live, same);
  }
  assert.notEqual(connect("/ws/other/", options), live);
  assert.deepEqual(
    server.sockets.map(({ url }) => url),
    ["wss://example.com/ws/live/", "wss://example.com/ws/other/"],
  );
});
