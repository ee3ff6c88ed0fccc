/**
 * @typedef {import("./news.js").News} News
 *
 * @typedef {object} PaceOptions
 * @property {number | null} [jitter] milliseconds over which runs are spread, whatever they follow
 * @property {number | null} [resetJitter] the same for resets that reach everybody at one moment,
 *   where no `jitter` is given
 */

/** Over how much resets that reach everybody are spread unless told otherwise, in milliseconds. */
const RESET_JITTER = 1_000;

/** Reasons for which a whole crowd is reset at the same moment. */
const EVERYBODY = [
  "backend-restart", "server", "history-expired", "overflow", "bulk", "raw-sql",
];

/** Reasons that concern this client alone, because of something that it did itself. */
const OURSELVES = ["unknown-cursor", "access"];

/** So long after waking, what comes is the page's own catching up, in milliseconds. */
const WOKEN = 10_000;

/**
 * When a handler runs: at once, or, so that thousands who are told at one moment do not all fetch
 * at that moment, after its share of a spread.
 */
export class Pace {
  /** See PaceOptions. @type {number | null} */ jitter;
  #resetJitter;
  #gate;
  #clock;
  #wokenAt = -Infinity;

  /**
   * @param {PaceOptions} options
   * @param {import("./gate.js").Gate} gate shared with those who fetch the same
   * @param {import("./tools.js").Clock} clock
   */
  constructor({ jitter = null, resetJitter = null }, gate, clock) {
    this.jitter = jitter;
    this.#resetJitter = resetJitter ?? RESET_JITTER;
    this.#gate = gate;
    this.#clock = clock;
  }

  /** Somebody looks at the page, and is not to be kept waiting. */
  wake() {
    this.#wokenAt = this.#clock.now();
  }

  /**
   * Call back when it is time to run.
   * @param {News} news what the run would be told as yet
   * @param {() => void} run
   * @returns {() => void} calls it off
   */
  await(news, run) {
    const width = this.#widthFor(news);
    // What is fetched now serves those that wait, too.
    if (width === 0) this.#gate.open();
    return this.#gate.wait(width, run);
  }

  /** @param {News} news */
  #widthFor({ reset }) {
    const isWoken = Math.abs(this.#clock.now() - this.#wokenAt) < WOKEN;
    if (isWoken || (reset !== null && OURSELVES.includes(reset))) return 0;
    if (this.jitter !== null) return this.jitter;
    return reset !== null && EVERYBODY.includes(reset) ? this.#resetJitter : 0;
  }
}
