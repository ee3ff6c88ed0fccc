import { Backoff } /*;*/ from "./backoff.js"
import { CLOSE } /*;*/ from "./protocol.js"

/**
 * The meaning of a close code for a client that wants to reconnect.
 *
 * - `refused`: the server understood the client and refuses it.
 * - `slow`: an early attempt does not help: wait long, or until the user looks at the page.
 * - `spread`: the server closed many connections at once: the least ceiling of the random wait,
 *   in milliseconds.
 * - `bug`: the client did something wrong, and a developer should see it.
 *
 * @typedef {{refused?: boolean, slow?: boolean, spread?: number, bug?: boolean}} Meaning
 */

/** @type {Map<number, Meaning>} any other code is an ordinary loss */
const MEANINGS = new Map([
  [CLOSE.NOT_UNDERSTOOD, { slow: true, bug: true }],
  [CLOSE.TOO_LARGE, { slow: true, bug: true }],
  [CLOSE.NOT_AUTHENTICATED, { slow: true, refused: true }],
  [CLOSE.REFUSED, { slow: true, refused: true }],
  [CLOSE.TOO_MANY, { slow: true }],
  [CLOSE.FULL, { slow: true }],
  [CLOSE.DRAINING, { spread: 5_000 }],
  [CLOSE.SERVICE_RESTART, { spread: 5_000 }],
  [CLOSE.TRY_AGAIN_LATER, { spread: 5_000 }],
]);

/** A connection that served this long was a success (ms); a shorter one may be a crash loop. */
const STABLE_AFTER = 10_000;

/** The least and the most wait after a `slow` code, in milliseconds. */
const SLOW_WAIT = 30_000;
const SLOWEST_WAIT = 300_000;

/** The most wait while the user looks at the page, in milliseconds. */
const HURRIED_WAIT = 500;

/** Decides when the client reconnects after a connection ended. */
export class ReconnectPolicy {
  #backoff;
  #slowBackoff;
  #random;
  #isHurried = false;

  /** @param {() => number} random */
  constructor(random) {
    this.#random = random;
    this.#backoff = new Backoff({ random });
    this.#slowBackoff = new Backoff({ base: SLOW_WAIT, cap: SLOWEST_WAIT - SLOW_WAIT, random });
  }

  /**
   * Decide how to reconnect.
   * @param {number} code the close code
   * @param {number} served milliseconds since the server had answered every request
   * @returns {{refused: boolean, wait: number}}
   */
  after(code, served) {
    const { refused = false, slow, spread, bug } = MEANINGS.get(code) ?? {};
    if (bug) console.error(`live: the server closed with ${code}: a bug in this client`);
    this.#isHurried = false;
    if (served >= STABLE_AFTER) {
      this.#backoff.reset();
      this.#slowBackoff.reset();
    }
    const wait = slow ? SLOW_WAIT + this.#slowBackoff.next() : this.#backoff.next(spread);
    return { refused, wait };
  }

  /** Return a shorter wait for a page that woke up, or null if this wait was shortened already. */
  hurried() {
    if (this.#isHurried) return null;
    this.#isHurried = true;
    return this.#random() * HURRIED_WAIT;
  }
}
