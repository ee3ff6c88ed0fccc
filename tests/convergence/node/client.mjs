/** What both kinds of clients share: surroundings like a browser's, and the harness's notebook. */
import vm from "node:vm";
import { choose, seeded } from "./chance.mjs";
import { NotAnswered, request } from "./http.mjs";
import { Observer } from "./observer.mjs";
import { socketOf } from "./socket.mjs";

/** Seconds between two changes of what a client watches, for those that change it. */
const WANDERING = [0.5, 5.0];
/** Milliseconds after which a fetch has failed, and the most between two tries (browser's time). */
const FETCH_TIMEOUT = 20_000;
const LONGEST_PAUSE = 30_000;
/** Events that are kept of each client. */
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
  /** What `connect()` returned. @type {any} */ live = null;
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

  /** The rows that its user sees now, by topic. @returns {Record<string, Record<string, any>>} */
  get shown() {
    throw new Error("every kind says what it shows");
  }

  /** The topics of `shown` that it knows itself not to be told of. @returns {string[]} */
  get denied() {
    throw new Error("every kind knows what is denied");
  }

  /** True if it claims to be true, has nothing to do, and shows nothing of what is denied. */
  get isSettled() {
    const { denied, isQuiet } = this.observer;
    if (!this.hasLoaded || !isQuiet) return false;
    if (this.live.state !== (denied.length ? "stale" : "live")) return false;
    const { shown } = this;
    return this.denied.every((topic) => Object.keys(shown[topic] ?? {}).length === 0);
  }

  /** Load what it shows, as a user does who reloads a page that does not come. */
  async start() {
    await this.untilDone(() => this.load());
    this.hasLoaded = true;
    this.#happened();
  }

  /**
   * Change what is watched, now and then, until told to stop.
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
   * Remember what happened, to be understood afterwards.
   * @param {string} kind
   * @param {object} [what]
   */
  note(kind, what = {}) {
    this.counts[kind] = (this.counts[kind] ?? 0) + 1;
    this.events.push([monotonic(), kind, what]);
    if (this.events.length > REMEMBERED) this.events.shift();
    this.#happened();
  }

  /** One of the servers, each time another. */
  port() {
    return choose(this.random, this.#ports);
  }

  /**
   * Fetch a page that must come.
   * @param {string} path
   */
  async fetch(path) {
    // Nothing is disturbed before all have loaded, so a slow machine has time for it.
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
   * Call after so long, unless this client has ended.
   * @param {() => void} run
   * @param {number} milliseconds of a browser's time
   */
  later(run, milliseconds = 0) {
    return setTimeout(() => this.hasEnded || run(), milliseconds * this.pace);
  }

  /**
   * Try until the server answers; pauses grow.
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
   * Give a context what a browser has and it lacks: shortened waits, and a network.
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

  /** What the client prints: errors are mistakes, warnings are of what is tried again. */
  get console() {
    const noting = (kind) => (...parts) => this.note(kind, { error: parts.map(String).join(" ") });
    return { error: noting("mistake"), warn: noting("failed"), log() {}, info() {}, debug() {} };
  }

  /**
   * @param {string[]} watched
   * @returns {string} a topic that is not one of those
   */
  another(watched) {
    return choose(this.random, this.choice.filter((topic) => !watched.includes(topic)));
  }

  /** @returns {Promise<void>} */
  async load() {
    throw new Error("every kind loads in its way");
  }

  /** @returns {Promise<void>} */
  async change() {
    throw new Error("every kind changes in its way");
  }
}

/**
 * Wait; return false if told to stop.
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
