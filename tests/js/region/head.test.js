import assert from "node:assert/strict";
import { test } from "node:test";

import { readHead } from "../../../realtime/static/realtime/region/head.js";
import { quietConsole } from "../support/quiet.js";

const documentWith = (textContent) => ({
  getElementById: (id) => (id === "live-head" && textContent !== null ? { textContent } : null),
});

test("a head holds the url, and each topic's cursor", () => {
  const head = readHead(
    documentWith('{"url": "/ws/x/", "topics": [{"topic": "list:5", "cursor": "c5", "ticket": "t"}]}'),
  );

  assert.equal(head.url, "/ws/x/");
  assert.deepEqual(head.topics.get("list:5"), { cursor: "c5", ticket: "t" });
});

test("a topic that was watched twice has the cursor of the first", () => {
  const topics = [
    { topic: "list:5", cursor: "older" },
    { topic: "list:5", cursor: "newer" },
  ];

  const head = readHead(documentWith(JSON.stringify({ topics })));

  assert.equal(head.topics.get("list:5")?.cursor, "older");
});

test("a page without a head has the default url and no cursors", () => {
  const expected = { url: "/ws/live/", topics: new Map(), jitter: null };

  assert.deepEqual(readHead(documentWith(null)), expected);
});

test("a head may set the spread of resets that reach every client", () => {
  assert.equal(readHead(documentWith('{"jitter": 1500}')).jitter, 1_500);
});

test("a head that is not JSON is ignored and logged", (t) => {
  const said = quietConsole(t);

  assert.equal(readHead(documentWith("{")).topics.size, 0);
  assert.match(said.error[0], /live-head/);
});
