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

  /** @param {Pick<import("./tools.js").Tools, "clock" | "random">} tools */
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
