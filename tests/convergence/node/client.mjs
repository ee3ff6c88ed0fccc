/** The base of all kinds of clients: a browser's globals, the network, and a log of events. */
import vm from "node:vm";
import { choose, seeded } from "./chance.mjs";
import { NotAnswered, request } from "./http.mjs";
import { Observer } from "./observer.mjs";
import { socketOf } from "./socket.mjs";

/** Seconds between two changes of a client's topics, for those that change them. */
const WANDERING = [0.5, 5.0];
/** Milliseconds of a browser's time: a fetch's timeout, and the longest pause between attempts. */
const FETCH_TIMEOUT = 20_000;
const LONGEST_PAUSE = 30_000;
/** The number of each client's events that are kept. */
const REMEMBERED = 120;

/** Seconds of the machine's monotonic clock, which the harness and its writers read too. */
export function monotonic() {
  return Number(process.hrtime.bigint()) / 1e9;
}

export class Client {
  kind = "";
  hasLoaded = false;
  hasEnded = false;
  /** @type {Record<string, number>} */ counts = {};
  /** @type {[number, string, object][]} */ events = [];
  /** The result of `connect()`. @type {any} */ live = null;
  #happened;
  #ports;

  /**
   * @param {object} spec name, person, seed, choice (topics)
   * @param {{ports: number[], pace: number, root: string, happened: () => void}} world
   *   `pace` shortens the client's waits, `root` is the URL of the static files
   */
  constructor({ name, person, seed, choice }, { ports, pace, root, happened }) {
    this.name = name;
    this.person = person;
    this.choice = choice;
    this.pace = pace;
    this.root = root;
    this.random = seeded(seed);
    this.cookie = `person=${person}`;
    this.observer = new Observer((kind, what) => this.note(kind, what));
    this.#ports = ports;
    this.#happened = happened;
  }

  /** Topic -> the rows that the page shows now, by key. @returns {Record<string, Record<string, any>>} */
  get shown() {
    throw new Error("each kind of client defines `shown`");
  }

  /** The topics of `shown` that it knows to be denied. @returns {string[]} */
  get denied() {
    throw new Error("each kind of client defines `denied`");
  }

  /** True if it claims to be up to date, has no work left, and shows no row of denied topics. */
  get isSettled() {
    const { denied, isQuiet } = this.observer;
    if (!this.hasLoaded || !isQuiet) return false;
    if (this.live.state !== (denied.length ? "stale" : "live")) return false;
    const { shown } = this;
    return this.denied.every((topic) => Object.keys(shown[topic] ?? {}).length === 0);
  }

  /** Load its page; try again after a failure, as a user who reloads does. */
  async start() {
    await this.untilDone(() => this.load());
    this.hasLoaded = true;
    this.#happened();
  }

  /**
   * Change the topics now and then, until `stop`.
   * @param {AbortSignal} stop
   */
  async wander(stop) {
    const [least, most] = WANDERING;
    while (await pause(1_000 * (least + this.random() * (most - least)), stop)) {
      await this.untilDone(() => this.change());
    }
  }

  end() {
    this.hasEnded = true;
  }

  /**
   * Count and keep an event, for the report.
   * @param {string} kind
   * @param {object} [what]
   */
  note(kind, what = {}) {
    this.counts[kind] = (this.counts[kind] ?? 0) + 1;
    this.events.push([monotonic(), kind, what]);
    if (this.events.length > REMEMBERED) this.events.shift();
    this.#happened();
  }

  /** The port of a random server. */
  port() {
    return choose(this.random, this.#ports);
  }

  /**
   * Return the body of a page; reject with NotAnswered unless the status is 200.
   * @param {string} path
   */
  async fetch(path) {
    // No faults occur before all clients have loaded: give a slow machine the full time.
    const signal = this.hasLoaded ? this.timeout(FETCH_TIMEOUT) : AbortSignal.timeout(FETCH_TIMEOUT);
    const { status, body } = await this.request(path, {}, signal);
    if (status !== 200) throw new NotAnswered(`${path}: ${status}`);
    return body;
  }

  /**
   * @param {string} path
   * @param {Record<string, string>} headers
   * @param {AbortSignal} signal
   */
  request(path, headers, signal) {
    this.note("fetch", { path });
    return request(this.port(), path, { ...headers, Cookie: this.cookie }, signal);
  }

  /** @param {number} milliseconds of a browser's time */
  timeout(milliseconds) {
    return AbortSignal.timeout(milliseconds * this.pace);
  }

  /**
   * Call `run` after a delay, unless this client has ended.
   * @param {() => void} run
   * @param {number} milliseconds of a browser's time
   */
  later(run, milliseconds = 0) {
    return setTimeout(() => this.hasEnded || run(), milliseconds * this.pace);
  }

  /**
   * Repeat `work` until the server answers, with growing pauses.
   * @param {() => Promise<void>} work
   */
  async untilDone(work) {
    for (let ceiling = 1_000; !this.hasEnded; ceiling = Math.min(2 * ceiling, LONGEST_PAUSE)) {
      try {
        return await work();
      } catch (error) {
        if (!(error instanceof NotAnswered)) throw error;
        this.note("failed", { error: String(error) });
        await new Promise((resolve) => this.later(() => resolve(undefined), this.random() * ceiling));
      }
    }
  }

  /**
   * Add a browser's globals to a context: timers with shorter waits, and a network.
   * @param {vm.Context} context
   * @param {any} globals its global object
   */
  furnish(context, globals) {
    const { Date: itsDate, Math: itsMath } = vm.runInContext("({ Date, Math })", context);
    itsDate.now = () => Date.now() / this.pace;
    itsMath.random = this.random;
    Object.assign(globals, {
      MessageChannel,
      TextEncoder,
      WebSocket: socketOf(this),
      clearTimeout,
      setTimeout: (run, milliseconds) => this.later(run, milliseconds),
    });
  }

  /** The client's console: errors are noted as mistakes, warnings as failures. */
  get console() {
    const noting = (kind) => (...parts) => this.note(kind, { error: parts.map(String).join(" ") });
    return { error: noting("mistake"), warn: noting("failed"), log() {}, info() {}, debug() {} };
  }

  /**
   * @param {string[]} watched
   * @returns {string} another topic
   */
  another(watched) {
    return choose(this.random, this.choice.filter((topic) => !watched.includes(topic)));
  }

  /** @returns {Promise<void>} */
  async load() {
    throw new Error("each kind of client defines `load()`");
  }

  /** @returns {Promise<void>} */
  async change() {
    throw new Error("each kind of client defines `change()`");
  }
}

/**
 * Wait; return false if stopped.
 * @param {number} milliseconds
 * @param {AbortSignal} stop
 */
function pause(milliseconds, stop) {
  return new Promise((resolve) => {
    if (stop.aborted) return resolve(false);
    const timer = setTimeout(() => resolve(true), milliseconds);
    stop.addEventListener("abort", () => { clearTimeout(timer); resolve(false); }, { once: true });
  });
}
