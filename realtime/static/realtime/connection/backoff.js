/**
 * The wait before the next attempt: exponential, with full jitter.
 *
 * Full jitter draws from zero to the ceiling. It spreads many clients that lost their connections
 * at one moment better than a fixed delay with a little noise.
 */
export class Backoff {
  #base;
  #cap;
  #random;
  #failures = 0;

  /** @param {{base?: number, cap?: number, random?: () => number}} [options] in milliseconds */
  constructor({ base = 1_000, cap = 30_000, random = Math.random } = {}) {
    this.#base = base;
    this.#cap = cap;
    this.#random = random;
  }

  /**
   * Count one failure and return the milliseconds to wait after it.
   * @param {number} [spread] the lowest ceiling, where many clients are known to reconnect
   */
  next(spread = 0) {
    // 2 ** failures overflows to Infinity at worst, and min() makes that the cap.
    const ceiling = Math.min(this.#cap, this.#base * 2 ** this.#failures++);
    return this.#random() * Math.max(spread, ceiling);
  }

  /** Forget the failures, after a success. */
  reset() {
    this.#failures = 0;
  }
}
