import { Backoff } from "./backoff.js";
import { CLOSE } from "./protocol.js";

/**
 * What a close code asks of a client that wants to come back.
 *
 * - `refused`: the server understood us and said no.
 * - `slow`: coming back soon will not cure it: ask again rarely, or when the user looks.
 * - `spread`: many were sent away at once: the least width, in milliseconds, of the random wait.
 * - `bug`: it is our fault, and a developer should see it.
 *
 * @typedef {{refused?: boolean, slow?: boolean, spread?: number, bug?: boolean}} Meaning
 */

/** @type {Map<number, Meaning>} whatever is not listed is an ordinary loss */
const MEANINGS = new Map([
  [CLOSE.NOT_UNDERSTOOD, { slow: true, bug: true }],
  [CLOSE.TOO_LARGE, { slow: true, bug: true }],
  [CLOSE.NOT_AUTHENTICATED, { slow: true, refused: true }],
  [CLOSE.REFUSED, { slow: true, refused: true }],
  [CLOSE.TOO_MANY, { spread: 5_000 }],
  [CLOSE.DRAINING, { spread: 5_000 }],
  [CLOSE.SERVICE_RESTART, { spread: 5_000 }],
  [CLOSE.FULL, { spread: 5_000 }],
  [CLOSE.TRY_AGAIN_LATER, { spread: 5_000 }],
]);

/** A connection that lived this long was a success, in milliseconds; less may be a crash loop. */
const STABLE_AFTER = 10_000;

/** When the user is looking, a wait is cut to at most this, in milliseconds. */
const HURRIED_WAIT = 500;

/** Decides when to come back after a connection ended. */
export class Comeback {
  #backoff;
  #random;
  #hurried = false;

  /** @param {() => number} random */
  constructor(random) {
    this.#random = random;
    this.#backoff = new Backoff({ random });
  }

  /**
   * Say how to come back.
   * @param {number} code the close code
   * @param {number} lived milliseconds between the server's welcome and the end, 0 for none
   * @returns {{refused: boolean, wait: number}}
   */
  after(code, lived) {
    const { refused = false, slow, spread, bug } = MEANINGS.get(code) ?? {};
    if (bug) console.error(`live: the server closed with ${code}: a bug in this client`);
    if (lived >= STABLE_AFTER) this.#backoff.reset();
    this.#hurried = false;
    const wait = this.#backoff.next(spread);
    return { refused, wait: slow ? this.#backoff.cap + wait : wait };
  }

  /** A shorter wait for a page that woke up, or null if this wait was already shortened. */
  hurried() {
    if (this.#hurried) return null;
    this.#hurried = true;
    return this.#random() * HURRIED_WAIT;
  }
}
