/**
 * How long to wait before the next try: exponential, with full jitter.
 *
 * Full jitter (anything from nothing to the ceiling) spreads a crowd that was thrown out together
 * better than a fixed delay with a little noise on it.
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
   * @param {number} [spread] the least ceiling, where a crowd is known to come back
   */
  next(spread = 0) {
    // 2 ** failures overflows to Infinity at worst, and min() makes that the cap.
    const ceiling = Math.min(this.#cap, this.#base * 2 ** this.#failures++);
    return this.#random() * Math.max(spread, ceiling);
  }

  /** Forget the failures: things work again. */
  reset() {
    this.#failures = 0;
  }
}
