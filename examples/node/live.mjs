// Publish to, and listen to, the topics of a django-livequery project, from Node.
//
//   node live.mjs listen  list:5
//   node live.mjs publish list:5 '{"todo.task": {"17": "updated"}}'
//
// REDIS_URL and PREFIX name the server and the keys; docs/reference/redis-contract.md explains them.
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { createClient } from "redis";

const [action, topic, changes] = process.argv.slice(2);
const { REDIS_URL = "redis://localhost:6379", PREFIX = "realtime" } = process.env;
const lua = (name) => readFileSync(new URL(`../../realtime/backends/redis/lua/${name}`, import.meta.url), "utf8");
const script = lua("partition.lua") + lua("publish.lua");
const KEEP = ["1000", "3600"]; // messages of a topic, seconds: as in the project's OPTIONS

const partition = createHash("sha1").update(topic).digest()[0];
const base = `${PREFIX}:1:{${partition}}`;
const channel = `${base}:topic:${topic}`;

const client = createClient({ url: REDIS_URL, socket: { reconnectStrategy: false } });
client.on("error", (error) => {
  // Messages pushed meanwhile are lost: the listener must reload.
  console.error(String(error));
  process.exit(1);
});
await client.connect();

if (action === "publish") {
  const message = JSON.stringify({ topic, changes: JSON.parse(changes) });
  const keys = [`${base}:meta`, `${base}:index`, channel];
  console.log(await client.eval(script, { keys, arguments: [topic, message, ...KEEP] }));
  await client.quit();
} else {
  let newest = 0;
  await client.sSubscribe(channel, (pushed) => {
    const [number, before, , , message] = JSON.parse(pushed);
    if (newest && before > newest) console.log("missed something: reload");
    newest = number;
    console.log(JSON.stringify(message));
  });
  console.log("listening");
}
