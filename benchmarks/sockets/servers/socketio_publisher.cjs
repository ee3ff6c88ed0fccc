// Publishes through Redis to the rooms of Socket.IO. It receives commands as lines of JSON.
"use strict";
const load = require("node:module").createRequire(`${process.cwd()}/`);
const { Emitter } = load("@socket.io/redis-emitter");
const { createClient } = load("redis");

const [url] = process.argv.slice(2);
const CURSOR = "r3.AbCdEfGhIjKl.1234.567890.r3.AbCdEfGhIjKl.1234.567890";

function frame(topic, pks) {
  const entry = { cursor: CURSOR, changes: { "bench.row": { updated: pks } } };
  return { type: "changed", topics: { [topic]: entry } };
}

async function main() {
  const client = createClient({ url });
  await client.connect();
  const emitter = new Emitter(client);
  for await (const line of require("node:readline").createInterface({ input: process.stdin })) {
    await publish(emitter, JSON.parse(line));
    console.log("{}");
  }
}

async function publish(emitter, { count, rate, topics, rows, first }) {
  const began = performance.now();
  for (let number = first; number < first + count; number += 1) {
    const pause = rate ? began + ((number - first) * 1000) / rate - performance.now() : 0;
    if (pause > 0) await new Promise((wake) => setTimeout(wake, pause));
    // The clock of Python's time.monotonic_ns().
    const pks = [`@${number}-${process.hrtime.bigint()}`];
    for (let row = 1; row < rows; row += 1) pks.push(`r${number}-${row}`);
    const topic = `row:${number % topics}`;
    emitter.to(topic).emit("changed", frame(topic, pks));
  }
}

main();
