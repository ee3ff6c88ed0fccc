/** @typedef {import("./environment.js").Clock} Clock */

/** How many heartbeats may pass in silence: two lost ones, and some slack. */
const SILENT_HEARTBEATS = 2.5;

/** Between two looks at the clock, in milliseconds. */
const LOOK = 5_000;

/** How long a probe waits for its pong, in milliseconds. */
const PROBE_TIMEOUT = 3_000;

/** Used if the server tells no heartbeat, in seconds. */
const DEFAULT_HEARTBEAT = 25;

/**
 * Judges whether a connection still lives. A dead TCP connection tells nobody: without a deadline
 * of our own the page would look live and hear nothing.
 *
 * The clock decides, not a timer: while a machine sleeps its timers stand still, and one that was
 * to go off after a minute would let the page look live for most of that minute after waking.
 */
export class Heartbeat {
  #clock;
  #died;
  #silence = Infinity;
  #heardAt = 0;
  /** @type {unknown} */ #look = null;
  /** @type {unknown} */ #probe = null;

  /**
   * @param {Clock} clock
   * @param {() => void} died called once when the connection is presumed dead
   */
  constructor(clock, died) {
    this.#clock = clock;
    this.#died = died;
  }

  /** True if more time has passed since the last frame than a live connection would let pass. */
  get isOverdue() {
    return this.#clock.now() - this.#heardAt >= this.#silence;
  }

  /**
   * Begin to expect something at least every so often.
   * @param {unknown} heartbeat seconds, as the server told it
   */
  start(heartbeat) {
    const told = typeof heartbeat === "number" && heartbeat > 0;
    this.#silence = (told ? heartbeat : DEFAULT_HEARTBEAT) * SILENT_HEARTBEATS * 1_000;
    this.heard();
    this.#watch();
  }

  /** Anything at all was heard. */
  heard() {
    this.#heardAt = this.#clock.now();
  }

  /**
   * Demand a sign of life now.
   * @param {() => void} ping sends the question
   */
  probe(ping) {
    if (this.#probe !== null) return;
    this.#probe = this.#clock.setTimeout(() => this.#end(), PROBE_TIMEOUT);
    ping();
  }

  /**
   * The probe was answered. Only a pong will do: after a sleep, frames that were buffered before
   * it still arrive over a connection that is long dead.
   */
  ponged() {
    this.#clock.clearTimeout(this.#probe);
    this.#probe = null;
  }

  /** Stop judging: the connection is gone or given up. */
  stop() {
    this.ponged();
    this.#clock.clearTimeout(this.#look);
    this.#silence = Infinity;
  }

  #watch() {
    if (this.isOverdue) return this.#end();
    // A clock that was set back must not prolong the silence.
    this.#heardAt = Math.min(this.#heardAt, this.#clock.now());
    const left = this.#heardAt + this.#silence - this.#clock.now();
    this.#look = this.#clock.setTimeout(() => this.#watch(), Math.min(LOOK, left));
  }

  #end() {
    this.stop();
    this.#died();
  }
}
