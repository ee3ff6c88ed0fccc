/**
 * The clients of a round, in one process: `node crowd.mjs URL`, the URL of the static files.
 *
 * Each line of its input is a JSON object {id, do, …}; its answer is a line {id, answer}. After the
 * first event since the last `look` it prints {news: true}. An uncaught error ends the process, and
 * so does the end of its input.
 */
import { createInterface } from "node:readline";
import { PageClient } from "./page.mjs";
import { ScriptClient } from "./script.mjs";
import { WatcherClient } from "./watcher.mjs";

const KINDS = { page: PageClient, script: ScriptClient, watcher: WatcherClient };
/** Milliseconds from the first event to the line about it. */
const GATHERED = 50;

/** @type {(PageClient | ScriptClient)[]} */
let clients = [];
/** @type {Promise<void>[]} */
let wandering = [];
const stop = new AbortController();
/** Client -> its last reported state. @type {Map<object, string>} */
const reported = new Map();
let isWaiting = false;

const COMMANDS = {
  /** Let every client load its page; answer when all have loaded. */
  async start({ ports, pace, specs }) {
    const world = { ports, pace, root: process.argv[2], happened };
    clients = specs.map((spec) => new KINDS[spec.kind](spec, world));
    await Promise.all(clients.map((client) => client.start()));
    wandering = clients.filter((_, at) => specs[at].restless).map((client) => client.wander(stop.signal));
  },

  /** Stop all clients from changing their topics. */
  async settle() {
    stop.abort();
    await Promise.all(wandering);
  },

  /** Make every page visible again. */
  wake() {
    for (const client of clients) client.wake();
  },

  /** Return the states of the clients that have changed since the last call. */
  look() {
    isWaiting = true;
    const now = clients.map((client) => [client, JSON.stringify(portraitOf(client))]);
    const changed = now.filter(([client, text]) => reported.get(client) !== text);
    for (const [client, text] of changed) reported.set(client, text);
    return Object.fromEntries(changed.map(([client, text]) => [client.name, JSON.parse(text)]));
  },

  /** Return the events and subscriptions of all clients. */
  tell() {
    return Object.fromEntries(clients.map((client) => [client.name, storyOf(client)]));
  },
};

function portraitOf(client) {
  const { hasLoaded, isSettled, live } = client;
  const { shown, denied } = hasLoaded ? client : { shown: {}, denied: [] };
  return { state: live?.state ?? "loading", settled: isSettled, shown, denied };
}

function storyOf({ counts, events, observer }) {
  const watches = observer.watches.map((watch) => ({
    topic: watch.topic,
    since: watch.since,
    cursor: watch.cursor,
    confirmed: observer.holds(watch.topic),
    told: [...watch.told].map(([row, times]) => [...JSON.parse(row), times]),
  }));
  return { counts, events, watches };
}

function happened() {
  if (!isWaiting) return;
  isWaiting = false;
  setTimeout(() => say({ news: true }), GATHERED);
}

function say(what) {
  process.stdout.write(`${JSON.stringify(what)}\n`);
}

for await (const line of createInterface({ input: process.stdin })) {
  const { id, do: name, ...about } = JSON.parse(line);
  // An error ends the process: it is no answer.
  Promise.resolve(COMMANDS[name](about)).then((answer = null) => say({ id, answer }));
}
process.exit(0);
