/** How long the server may take to confirm or deny a topic, in milliseconds. */
const ANSWER_TIMEOUT = 30_000;

/**
 * Watches that all that one connection was asked for is answered. The answers may come in parts, a
 * part whose backend was away for a moment last; what is not answered in time never will be.
 */
export class AckTimeouts {
  #clock;
  #overdue;
  /** When each was asked for, the oldest first. @type {Map<string, number>} */
  #asked = new Map();
  /** @type {unknown} */ #timer = null;

  /**
   * @param {import("../connection/environment.js").Clock} clock
   * @param {() => void} overdue called when some topic was not answered in time
   */
  constructor(clock, overdue) {
    this.#clock = clock;
    this.#overdue = overdue;
  }

  /** @param {Iterable<string>} topics that the server is asked for now */
  await(topics) {
    const now = this.#clock.now();
    for (const topic of topics) this.#asked.set(topic, now);
    this.#setTimer();
  }

  /** @param {string} topic that was confirmed or denied */
  came(topic) {
    this.#asked.delete(topic);
    if (this.#asked.size === 0) this.clear();
  }

  /** Await nothing more: the connection is lost. */
  clear() {
    this.#asked.clear();
    this.#clock.clearTimeout(this.#timer);
    this.#timer = null;
  }

  #setTimer() {
    const [oldest] = this.#asked.values();
    if (oldest === undefined || this.#timer !== null) return;
    const left = oldest + ANSWER_TIMEOUT - this.#clock.now();
    this.#timer = this.#clock.setTimeout(() => this.#look(oldest), Math.min(left, ANSWER_TIMEOUT));
  }

  /** @param {number} expected when the oldest was asked for, as the timer was set */
  #look(expected) {
    this.#timer = null;
    const [oldest] = this.#asked.values();
    if (oldest > expected) return this.#setTimer();
    this.clear();
    this.#overdue();
  }
}
