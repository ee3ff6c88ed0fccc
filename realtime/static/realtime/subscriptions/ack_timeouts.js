/** @import { Clock } from "../connection/environment.js" */

/** How long the server may take to confirm or deny a topic, in milliseconds. */
const ACK_TIMEOUT = 30_000;

/**
 * Checks that the server answers every request of one connection. The answers may come in parts:
 * a part whose backend was away for a moment comes last. A later answer is not expected.
 */
export class AckTimeouts {
  #clock;
  #onOverdue;
  /** When each topic was requested, the oldest first. @type {Map<string, number>} */
  #requested = new Map();
  /** @type {unknown} */ #timer = null;

  /**
   * @param {Clock} clock
   * @param {() => void} onOverdue called when the server did not answer for some topic in time
   */
  constructor(clock, onOverdue) {
    this.#clock = clock;
    this.#onOverdue = onOverdue;
  }

  /** @param {Iterable<string>} topics that the client requests now */
  expect(topics) {
    const now = this.#clock.now();
    for (const topic of topics) this.#requested.set(topic, now);
    this.#setTimer();
  }

  /** @param {string} topic that the server confirmed or denied */
  answered(topic) {
    this.#requested.delete(topic);
    if (this.#requested.size === 0) this.clear();
  }

  /** Expect nothing more: the connection is lost. */
  clear() {
    this.#requested.clear();
    this.#clock.clearTimeout(this.#timer);
    this.#timer = null;
  }

  #setTimer() {
    const [oldest] = this.#requested.values();
    if (oldest === undefined || this.#timer !== null) return;
    const left = oldest + ACK_TIMEOUT - this.#clock.now();
    this.#timer = this.#clock.setTimeout(() => this.#check(oldest), Math.min(left, ACK_TIMEOUT));
  }

  /** @param {number} expected when the oldest topic was requested, as the timer was set */
  #check(expected) {
    this.#timer = null;
    const [oldest] = this.#requested.values();
    if (oldest > expected) return this.#setTimer();
    this.clear();
    this.#onOverdue();
  }
}
