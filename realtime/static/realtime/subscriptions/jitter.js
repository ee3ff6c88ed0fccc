/** @import { Environment } from "../connection/environment.js" */

/**
 * @typedef {object} JitterOptions
 * @property {number | null} [jitter] milliseconds over which all runs are spread
 * @property {number | null} [resetJitter] the same for resets that reach every client at one
 *   moment, where no `jitter` is given
 */

/** The spread of resets that reach every client, unless an option says otherwise (ms). */
const RESET_JITTER = 1_000;

/** Reasons for which the servers reset many clients at one moment. */
const CROWD_RESETS = [
  "backend-restart", "server", "history-expired", "overflow", "bulk", "raw-sql",
];

/** Reasons that concern this client alone, not many clients at one moment. */
const OWN_RESETS = ["unknown-cursor", "access"];

/**
 * Return the spread of a run, in milliseconds; 0 means at once.
 * @param {string | null} reset the reason, if the run is for a reset
 * @param {JitterOptions} options
 */
export function spreadOf(reset, { jitter, resetJitter }) {
  if (reset !== null && OWN_RESETS.includes(reset)) return 0;
  if (jitter != null) return jitter;
  return reset !== null && CROWD_RESETS.includes(reset) ? (resetJitter ?? RESET_JITTER) : 0;
}

/**
 * Random waits before runs, so that thousands of clients that are told at one moment do not all
 * fetch at that moment.
 *
 * The waits of one Jitter end together, when the first of them ends. Runs that share one fetch
 * share a Jitter: with separate waits the page would be fetched several times.
 */
export class Jitter {
  #clock;
  #random;
  /** This round's random part of the spreads. @type {number | null} */ #share = null;
  /** The waiting runs and their timers. @type {Map<() => void, unknown>} */ #waiting = new Map();
  #isOpen = false;

  /** @param {Pick<Environment, "clock" | "random">} environment */
  constructor({ clock, random }) {
    this.#clock = clock;
    this.#random = random;
  }

  /**
   * Call `run` after a random part of the spread. A spread of 0 also ends all other waits: they
   * share its fetch.
   * @param {number} spread in milliseconds
   * @param {() => void} run
   * @returns {() => void} cancels the wait
   */
  wait(spread, run) {
    if (spread === 0) this.#end();
    if (this.#isOpen) {
      run();
      return () => {};
    }
    this.#share ??= this.#random();
    this.#waiting.set(run, this.#clock.setTimeout(() => this.#end(), this.#share * spread));
    return () => this.#leave(run);
  }

  /** Call all runs that wait now; those that come later in this turn do not wait. */
  #end() {
    this.#isOpen = true;
    queueMicrotask(() => { this.#isOpen = false; });
    for (const run of [...this.#waiting.keys()]) {
      if (!this.#waiting.has(run)) continue; // cancelled by an earlier run
      this.#leave(run);
      run();
    }
  }

  /** @param {() => void} run */
  #leave(run) {
    this.#clock.clearTimeout(this.#waiting.get(run));
    this.#waiting.delete(run);
    if (this.#waiting.size === 0) this.#share = null;
  }
}
