/** @import { Clock } from "./environment.js" */

/** The heartbeats that may pass without a frame: two lost ones, and some slack. */
const SILENT_HEARTBEATS = 2.5;

/** The most time between two looks at the clock, in milliseconds. */
const LOOK_INTERVAL = 5_000;

/** The time that a probe waits for its pong, in milliseconds. */
const PROBE_TIMEOUT = 3_000;

/** Used if the server names no heartbeat, in seconds. */
const DEFAULT_HEARTBEAT = 25;

/**
 * Judges whether a connection is alive. A dead TCP connection reports nothing: without a deadline
 * of its own the client would show a page as live and receive no changes.
 *
 * The clock decides, not a timer, since timers stop while a machine sleeps. A timer of one minute
 * would leave the page shown as live for most of that minute after waking.
 */
export class Heartbeat {
  #clock;
  #onDeath;
  #maxSilence = Infinity;
  #heardAt = 0;
  /** @type {unknown} */ #look = null;
  /** @type {unknown} */ #probe = null;

  /**
   * @param {Clock} clock
   * @param {() => void} onDeath called once when the connection is presumed dead
   */
  constructor(clock, onDeath) {
    this.#clock = clock;
    this.#onDeath = onDeath;
  }

  /** True if the last frame is older than it can be on a live connection. */
  get isOverdue() {
    return this.#clock.now() - this.#heardAt >= this.#maxSilence;
  }

  /**
   * Begin to expect frames.
   * @param {unknown} heartbeat seconds between two frames at the most, as the server named it
   */
  start(heartbeat) {
    const seconds = typeof heartbeat === "number" && heartbeat > 0 ? heartbeat : DEFAULT_HEARTBEAT;
    this.#maxSilence = seconds * SILENT_HEARTBEATS * 1_000;
    this.heard();
    this.#watch();
  }

  /** Note that a frame of any type was received. */
  heard() {
    this.#heardAt = this.#clock.now();
  }

  /**
   * Demand a pong now.
   * @param {() => void} ping sends the ping
   */
  probe(ping) {
    if (this.#probe !== null) return;
    this.#probe = this.#clock.setTimeout(() => this.#end(), PROBE_TIMEOUT);
    ping();
  }

  /**
   * Note the answer to the probe. Only a pong is an answer: after a sleep, frames that were
   * buffered before it still arrive over a dead connection.
   */
  ponged() {
    this.#clock.clearTimeout(this.#probe);
    this.#probe = null;
  }

  /** Stop judging: the connection is lost or abandoned. */
  stop() {
    this.ponged();
    this.#clock.clearTimeout(this.#look);
    this.#maxSilence = Infinity;
  }

  #watch() {
    if (this.isOverdue) return this.#end();
    // A clock that was set back must not prolong the silence.
    this.#heardAt = Math.min(this.#heardAt, this.#clock.now());
    const left = this.#heardAt + this.#maxSilence - this.#clock.now();
    this.#look = this.#clock.setTimeout(() => this.#watch(), Math.min(LOOK_INTERVAL, left));
  }

  #end() {
    this.stop();
    this.#onDeath();
  }
}
