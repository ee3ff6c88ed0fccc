/** A client without a page: it keeps rows by key, and fetches only changed ones. */
import vm from "node:vm";
import { choose } from "./chance.mjs";
import { Client, monotonic } from "./client.mjs";
import { NotAnswered } from "./http.mjs";
import { importInto } from "./modules.mjs";

const URL_OF_SERVER = "ws://127.0.0.1/ws/live/";
/** The longest pause before a denied topic is requested again, in milliseconds. */
const LONGEST_LOOK = 120_000;

/**
 * It shows no rows of denied topics, and requests those again after growing pauses. Each topic has a
 * subscription, except those that the page did not watch, which are denied: a page does not watch
 * topics that its user may not see.
 */
export class ScriptClient extends Client {
  kind = "script";
  #first;
  /** @type {Map<string, Record<string, any>>} */ #rows = new Map();
  /** @type {Map<string, any>} */ #subscriptions = new Map();
  #denied = new Set();
  /** Denied topic -> number of requests for it. @type {Map<string, number>} */ #looks = new Map();

  /** @param {any} spec with `topics` */
  constructor(spec, world) {
    super(spec, world);
    this.#first = spec.topics;
  }

  get shown() {
    return Object.fromEntries(this.#rows);
  }

  get denied() {
    return [...this.#denied];
  }

  get isSettled() {
    const isKnown = (topic) => this.#subscriptions.has(topic) || this.#denied.has(topic);
    return super.isSettled && [...this.#rows.keys()].every(isKnown);
  }

  /** Wake the client. */
  wake() {
    this.live.wake();
  }

  async load() {
    this.live ??= await this.connect();
    await this.#add(this.#first);
  }

  /** Run the client in a context of its own, with its observer. */
  async connect() {
    const globals = vm.createContext({
      AbortSignal, Event, EventTarget, URL, queueMicrotask, console: this.console,
    });
    this.furnish(globals, globals);
    const { connect } = await importInto(globals, this.root, "realtime/live.js");
    const live = connect(URL_OF_SERVER);
    this.observer.follow(live, ({ since = monotonic() }) => since);
    return live;
  }

  /** Replace a topic, except the first, the sentinels'. */
  async change() {
    const shown = [...this.#rows.keys()];
    const dropped = choose(this.random, shown.slice(1));
    await this.#add([this.another(shown)]);
    this.#cancel(dropped);
    this.#rows.delete(dropped);
  }

  /** @param {string[]} topics */
  async #add(topics) {
    const page = await this.#page(topics);
    for (const topic of topics) this.#take(topic, page);
  }

  #take(topic, page) {
    this.#cancel(topic);
    this.#rows.set(topic, page.rows[topic]);
    const entry = page.entries.get(topic);
    if (entry) this.#watch(topic, entry, page.since);
    else this.#deny(topic);
  }

  #watch(topic, { cursor, ticket }, since) {
    const onDenied = () => this.#deny(topic);
    const renew = async () => (await this.#page([topic])).entries.get(topic) ?? null;
    const subscription = this.live.subscribe(
      topic,
      { cursor, ticket, since, renew, onDenied },
      async ({ changes, reset }) => {
        this.#looks.delete(topic);
        await this.#refetch(topic, reset ? null : keysOf(changes), subscription);
      },
    );
    this.#subscriptions.set(topic, subscription);
  }

  /** @param {string[] | null} pks null for all rows */
  async #refetch(topic, pks, subscription) {
    const began = monotonic();
    const got = JSON.parse(await this.fetch(`/rows/?topic=${topic}${pks ? `&pks=${pks}` : ""}`));
    // Rows fetched before a denial are not shown after it.
    if (this.#subscriptions.get(topic) !== subscription || this.#denied.has(topic)) return;
    const kept = Object.entries(pks ? this.#rows.get(topic) : {}).filter(([pk]) => !pks.includes(pk));
    this.#rows.set(topic, { ...Object.fromEntries(kept), ...got });
    this.note("applied", { topic, pks, got, began });
  }

  #deny(topic) {
    this.#rows.set(topic, {});
    this.#denied.add(topic);
    const looks = this.#looks.get(topic) ?? 0;
    this.#looks.set(topic, looks + 1);
    this.later(() => this.#look(topic), this.random() * Math.min(LONGEST_LOOK, 1_000 * 2 ** looks));
  }

  /** Load the page of a denied topic again: the user may see it by now. */
  async #look(topic) {
    if (!this.#denied.has(topic)) return;
    try {
      const page = await this.#page([topic]);
      // The client may have dropped the topic meanwhile.
      if (this.#denied.has(topic)) this.#take(topic, page);
    } catch (error) {
      if (!(error instanceof NotAnswered)) throw error;
      this.note("failed", { error: String(error) });
      if (this.#denied.has(topic)) this.#deny(topic);
    }
  }

  /** End the subscription to a topic, which may be denied. */
  #cancel(topic) {
    this.#denied.delete(topic);
    this.#subscriptions.get(topic)?.cancel();
    this.#subscriptions.delete(topic);
  }

  /**
   * Load the page of these topics: their rows, cursors and tickets.
   * @param {string[]} topics
   */
  async #page(topics) {
    const since = monotonic();
    const html = await this.fetch(`/page/?${topics.map((topic) => `topic=${topic}`).join("&")}`);
    const entries = new Map();
    for (const entry of scriptOf(html, "live-head").topics) {
      if (!entries.has(entry.topic)) entries.set(entry.topic, entry);
    }
    return { rows: scriptOf(html, "rows"), entries, since };
  }
}

/** @param {Record<string, Record<string, string[]>>} changes */
function keysOf(changes) {
  return Object.values(changes).flatMap((verbs) => Object.values(verbs).flat());
}

/**
 * @param {string} html
 * @param {string} id
 */
function scriptOf(html, id) {
  const [, text] = html.match(new RegExp(`<script id="${id}" type="application/json">(.*?)</script>`, "s"));
  return JSON.parse(text);
}
