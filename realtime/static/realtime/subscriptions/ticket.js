/** @import { Environment } from "../connection/environment.js" */
import { Backoff } from "../connection/backoff.js"

/**
 * @typedef {{ticket?: string | null, cursor?: string | null}} Renewed
 * @typedef {() => Renewed | null | Promise<Renewed | null>} Renew
 *   gets a fresh ticket; null, or a rejection, for "there is none"
 */

/** How long `renew` may take, in milliseconds. */
const RENEW_TIMEOUT = 30_000;

/**
 * One subscription's ticket: the request that carries it, the server's answer, and the renewal.
 *
 * A denied ticket may have expired, so `renew` gets another: once per connection, and after pauses
 * that grow until the server confirms. If the server denies a fresh ticket too, age is not the
 * reason.
 */
export class Ticket {
  /** What the next request carries. @type {string | null} */ text;
  #renew;
  #clock;
  #backoff;
  #isConfirmed = false;
  #wasConfirmed = false;
  /**
   * What the request on this connection carried.
   * @type {{cursor: string | null, ticket: string | null} | null}
   */
  #request = null;
  /** True if `renew` was called on this connection. */
  #isRenewed = false;
  /** The renewal's pause, then its deadline. @type {unknown} */ #timer = null;
  /** The renewal under way; the result of any other is ignored. @type {object | null} */
  #renewal = null;

  /**
   * @param {string | null} text
   * @param {Renew | undefined} renew
   * @param {Pick<Environment, "clock" | "random">} environment
   */
  constructor(text, renew, { clock, random }) {
    this.text = text;
    this.#renew = renew;
    this.#clock = clock;
    this.#backoff = new Backoff({ random });
  }

  /** True if the server has confirmed the request on this connection. */
  get isConfirmed() {
    return this.#isConfirmed;
  }

  /** True if the server has confirmed a request, on any connection. */
  get wasConfirmed() {
    return this.#wasConfirmed;
  }

  /** True if the server has still to be asked. While a renewal is under way that waits for it. */
  get isWanting() {
    return !this.#isConfirmed && this.#renewal === null;
  }

  /**
   * Build the request, and remember what it carries.
   * @param {string | null} cursor
   */
  ask(cursor) {
    this.#request = { cursor, ticket: this.text };
    return this.#request;
  }

  /** Note that the server confirmed; true if it replays from a cursor that the request carried. */
  confirm() {
    this.#isConfirmed = true;
    this.#wasConfirmed = true;
    this.#backoff.reset();
    return Boolean(this.#request?.cursor);
  }

  /**
   * Handle a denial, perhaps of an expired ticket: get another, if that is possible.
   * @param {(cursor: string | null) => void} askAgain the ticket is another one now
   * @param {() => void} giveUp
   */
  deny(askAgain, giveUp) {
    if (this.#isOther) return askAgain(null);
    if (!this.#renew || this.#isRenewed) return giveUp();
    this.#isRenewed = true;
    const renewal = (this.#renewal = {});
    /** @param {Renewed | null} renewed */
    const settle = (renewed) => {
      if (this.#renewal !== renewal) return;
      this.stop();
      this.text = renewed?.ticket ?? this.text;
      if (this.#isOther) askAgain(renewed?.cursor ?? null);
      else giveUp();
    };
    this.#timer = this.#clock.setTimeout(() => {
      this.#timer = this.#clock.setTimeout(() => settle(null), RENEW_TIMEOUT);
      void this.#callRenew().then(settle);
    }, this.#backoff.next());
  }

  /** Note that the connection is lost, and with it what the server knew. */
  lose() {
    this.#isConfirmed = false;
    this.#request = null;
    this.#isRenewed = false;
  }

  /** Ignore the result of a renewal under way. */
  stop() {
    this.#clock.clearTimeout(this.#timer);
    this.#renewal = null;
  }

  /** True if the next request would differ from the denied one: another ticket or connection. */
  get #isOther() {
    return this.text !== this.#request?.ticket;
  }

  async #callRenew() {
    try {
      return (await this.#renew?.()) ?? null;
    } catch (error) {
      console.warn("live: no fresh ticket", error);
      return null;
    }
  }
}
