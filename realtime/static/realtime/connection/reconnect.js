import { Backoff } from "./backoff.js";
import { CLOSE } from "./protocol.js";

/**
 * What a close code asks of a client that wants to come back.
 *
 * - `refused`: the server understood us and said no.
 * - `slow`: coming back soon will not cure it: ask more and more rarely, or when the user looks.
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
  [CLOSE.TOO_MANY, { slow: true }],
  [CLOSE.FULL, { slow: true }],
  [CLOSE.DRAINING, { spread: 5_000 }],
  [CLOSE.SERVICE_RESTART, { spread: 5_000 }],
  [CLOSE.TRY_AGAIN_LATER, { spread: 5_000 }],
]);

/** A connection that served this long was a success, in milliseconds; less may be a crash loop. */
const STABLE_AFTER = 10_000;

/** The least wait where coming back soon will not cure it, and the most (ms). */
const SLOW = 30_000;
const SLOWEST = 300_000;

/** When the user is looking, a wait is cut to at most this, in milliseconds. */
const HURRIED_WAIT = 500;

/** Decides when to come back after a connection ended. */
export class ReconnectPolicy {
  #backoff;
  #slowBackoff;
  #random;
  #hurried = false;

  /** @param {() => number} random */
  constructor(random) {
    this.#random = random;
    this.#backoff = new Backoff({ random });
    this.#slowBackoff = new Backoff({ base: SLOW, cap: SLOWEST - SLOW, random });
  }

  /**
   * Say how to come back.
   * @param {number} code the close code
   * @param {number} served milliseconds for which all that was asked for was answered
   * @returns {{refused: boolean, wait: number}}
   */
  after(code, served) {
    const { refused = false, slow, spread, bug } = MEANINGS.get(code) ?? {};
    if (bug) console.error(`live: the server closed with ${code}: a bug in this client`);
    this.#hurried = false;
    if (served >= STABLE_AFTER) {
      this.#backoff.reset();
      this.#slowBackoff.reset();
    }
    const wait = slow ? SLOW + this.#slowBackoff.next() : this.#backoff.next(spread);
    return { refused, wait };
  }

  /** A shorter wait for a page that woke up, or null if this wait was already shortened. */
  hurried() {
    if (this.#hurried) return null;
    this.#hurried = true;
    return this.#random() * HURRIED_WAIT;
  }
}
