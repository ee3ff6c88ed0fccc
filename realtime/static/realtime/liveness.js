/** @typedef {import("./tools.js").Clock} Clock */

/** How many heartbeats may pass in silence: two lost ones, and some slack. */
const SILENT_HEARTBEATS = 2.5;

/** How long a probe waits for its pong, in milliseconds. */
const PROBE_TIMEOUT = 3_000;

/** Used if the server tells no heartbeat, in seconds. */
const DEFAULT_HEARTBEAT = 25;

/**
 * Judges whether a connection still lives. A dead TCP connection tells nobody: without a deadline
 * of our own the page would look live and hear nothing.
 */
export class Liveness {
  #clock;
  #died;
  #silence = 0;
  /** @type {unknown} */ #deadline = null;
  /** @type {unknown} */ #probe = null;

  /**
   * @param {Clock} clock
   * @param {(reason: string) => void} died called once when the connection is presumed dead
   */
  constructor(clock, died) {
    this.#clock = clock;
    this.#died = died;
  }

  /**
   * Begin to expect something at least every so often.
   * @param {unknown} heartbeat seconds, as the server told it
   */
  start(heartbeat) {
    const told = typeof heartbeat === "number" && heartbeat > 0;
    this.#silence = (told ? heartbeat : DEFAULT_HEARTBEAT) * SILENT_HEARTBEATS * 1_000;
    this.heard();
  }

  /** Anything at all was heard. */
  heard() {
    if (!this.#silence) return;
    this.#clock.clearTimeout(this.#deadline);
    this.#deadline = this.#clock.setTimeout(() => this.#end("nothing heard"), this.#silence);
  }

  /**
   * Demand a sign of life now.
   * @param {() => void} ping sends the question
   */
  probe(ping) {
    if (this.#probe !== null) return;
    this.#probe = this.#clock.setTimeout(() => this.#end("no pong"), PROBE_TIMEOUT);
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
    this.#clock.clearTimeout(this.#deadline);
    this.#deadline = null;
    this.#silence = 0;
  }

  /** @param {string} reason */
  #end(reason) {
    this.stop();
    this.#died(reason);
  }
}
