import { Backoff } from "./backoff.js";

/**
 * @typedef {{ticket?: string | null, cursor?: string | null}} Renewed
 * @typedef {() => Renewed | null | Promise<Renewed | null>} Renew
 *   gets a fresh ticket; null, or a rejection, for "there is none"
 */

/** After so long a ticket will not come any more, in milliseconds. */
const OVERDUE = 30_000;

/**
 * Gets a fresh ticket for a topic that was denied: the old one may have expired meanwhile.
 *
 * Once per connection, and after pauses that grow until the server has confirmed: a fresh ticket
 * that is denied is no ticket's fault.
 */
export class Renewal {
  #renew;
  #clock;
  #backoff;
  #isSpent = false;
  /** The pause, then the deadline. @type {unknown} */ #timer = null;
  /** The attempt under way; another one, or none, makes its outcome void. @type {object | null} */
  #attempt = null;

  /**
   * @param {Renew | undefined} renew
   * @param {Pick<import("./tools.js").Tools, "clock" | "random">} tools
   */
  constructor(renew, { clock, random }) {
    this.#renew = renew;
    this.#clock = clock;
    this.#backoff = new Backoff({ random });
  }

  /** True while a ticket is awaited: it makes no sense to ask the server before. */
  get isUnderWay() {
    return this.#attempt !== null;
  }

  /** True if there is hope for a ticket on this connection. */
  get isPossible() {
    return this.#renew !== undefined && !this.#isSpent;
  }

  /**
   * Get a ticket.
   * @param {(renewed: Renewed | null) => void} done
   */
  begin(done) {
    this.#isSpent = true;
    const attempt = (this.#attempt = {});
    /** @param {Renewed | null} renewed */
    const settle = (renewed) => {
      if (this.#attempt !== attempt) return;
      this.stop();
      done(renewed);
    };
    this.#timer = this.#clock.setTimeout(() => {
      this.#timer = this.#clock.setTimeout(() => settle(null), OVERDUE);
      void this.#ask().then(settle);
    }, this.#backoff.next());
  }

  /** The server has confirmed. */
  succeeded() {
    this.#backoff.reset();
  }

  /** Another connection may ask for another ticket. */
  connectionLost() {
    this.#isSpent = false;
  }

  /** Await no ticket any more. */
  stop() {
    this.#clock.clearTimeout(this.#timer);
    this.#attempt = null;
  }

  async #ask() {
    try {
      return (await this.#renew?.()) ?? null;
    } catch (error) {
      console.warn("live: no fresh ticket could be had", error);
      return null;
    }
  }
}
