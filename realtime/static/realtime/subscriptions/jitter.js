/**
 * @typedef {import("./changes.js").ChangeSet} ChangeSet
 *
 * @typedef {object} JitterOptions
 * @property {number | null} [jitter] milliseconds over which runs are spread, whatever they follow
 * @property {number | null} [resetJitter] the same for resets that reach everybody at one moment,
 *   where no `jitter` is given
 */

/**
 * Random waits that end together: the first whose time has come lets all go.
 *
 * They spread a crowd. What one page then fetches once for all is not to be waited for separately,
 * or it would be fetched several times.
 */
export class Gate {
  #clock;
  #random;
  /** This round's share of the widths. @type {number | null} */ #share = null;
  /** Who waits, and their timers. @type {Map<() => void, unknown>} */ #waiting = new Map();
  #isOpen = false;

  /** @param {Pick<import("../connection/environment.js").Environment, "clock" | "random">} environment */
  constructor({ clock, random }) {
    this.#clock = clock;
    this.#random = random;
  }

  /**
   * Wait for something between nothing and the width.
   * @param {number} width in milliseconds
   * @param {() => void} go
   * @returns {() => void} stops waiting
   */
  wait(width, go) {
    if (this.#isOpen) {
      go();
      return () => {};
    }
    this.#share ??= this.#random();
    this.#waiting.set(go, this.#clock.setTimeout(() => this.open(), this.#share * width));
    return () => this.#leave(go);
  }

  /** Let all go that wait now, and all that come in this turn. */
  open() {
    this.#isOpen = true;
    queueMicrotask(() => { this.#isOpen = false; });
    for (const go of [...this.#waiting.keys()]) {
      if (!this.#waiting.has(go)) continue; // called off by one that went before
      this.#leave(go);
      go();
    }
  }

  /** @param {() => void} go */
  #leave(go) {
    this.#clock.clearTimeout(this.#waiting.get(go));
    this.#waiting.delete(go);
    if (this.#waiting.size === 0) this.#share = null;
  }
}

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
export class Jitter {
  /** See JitterOptions. @type {number | null} */ jitter;
  #resetJitter;
  #gate;
  #clock;
  #wokenAt = -Infinity;

  /**
   * @param {JitterOptions} options
   * @param {Gate} gate shared with those who fetch the same
   * @param {import("../connection/environment.js").Clock} clock
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
   * @param {ChangeSet} news what the run would be told as yet
   * @param {() => void} run
   * @returns {() => void} calls it off
   */
  await(news, run) {
    const width = this.#widthFor(news);
    // What is fetched now serves those that wait, too.
    if (width === 0) this.#gate.open();
    return this.#gate.wait(width, run);
  }

  /** @param {ChangeSet} news */
  #widthFor({ reset }) {
    const isWoken = Math.abs(this.#clock.now() - this.#wokenAt) < WOKEN;
    if (isWoken || (reset !== null && OURSELVES.includes(reset))) return 0;
    if (this.jitter !== null) return this.jitter;
    return reset !== null && EVERYBODY.includes(reset) ? this.#resetJitter : 0;
  }
}
