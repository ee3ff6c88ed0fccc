import { Backoff } from "../connection/backoff.js";

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
   * @param {Pick<import("../connection/environment.js").Environment, "clock" | "random">} environment
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

/** One subscription's leave to be told: what it asked the server for, and what it was answered. */
export class Ticket {
  /** Renew it when the server issues another: an expired one cannot open a next connection. */
  ticket;
  #renewal;
  #confirmed = false;
  #wasConfirmed = false;
  /**
   * What the request on this connection named.
   * @type {{cursor: string | null, ticket: string | null} | null}
   */
  #asked = null;

  /**
   * @param {string | null} ticket
   * @param {Renew | undefined} renew
   * @param {import("../connection/environment.js").Environment} environment
   */
  constructor(ticket, renew, environment) {
    this.ticket = ticket;
    this.#renewal = new Renewal(renew, environment);
  }

  /** True if the server has answered the request that this connection made. */
  get confirmed() {
    return this.#confirmed;
  }

  /** True if the server has confirmed, on whichever connection. */
  get wasConfirmed() {
    return this.#wasConfirmed;
  }

  /** True if the server is still to be asked. */
  get isWanting() {
    return !this.#confirmed && !this.#renewal.isUnderWay;
  }

  /**
   * Build the request, and remember what it names.
   * @param {string | null} cursor
   */
  ask(cursor) {
    this.#asked = { cursor, ticket: this.ticket };
    return this.#asked;
  }

  /** The server answered: true if it replays from a cursor that the request named. */
  confirm() {
    this.#confirmed = true;
    this.#wasConfirmed = true;
    this.#renewal.succeeded();
    return Boolean(this.#asked?.cursor);
  }

  /**
   * The request was refused, perhaps for a ticket that has expired: get another, if there is a way.
   * @param {(cursor: string | null) => void} again ask with the ticket that is there now
   * @param {() => void} giveUp
   */
  refuse(again, giveUp) {
    if (this.#hasOtherTicket) return again(null);
    if (!this.#renewal.isPossible) return giveUp();
    this.#renewal.begin((renewed) => {
      this.ticket = renewed?.ticket ?? this.ticket;
      if (this.#hasOtherTicket) again(renewed?.cursor ?? null);
      else giveUp();
    });
  }

  /** True if what was refused is no longer what would be asked: of another ticket or connection. */
  get #hasOtherTicket() {
    return this.ticket !== this.#asked?.ticket;
  }

  /** The connection is lost, and with it what the server knew of us. */
  lose() {
    this.#confirmed = false;
    this.#asked = null;
    this.#renewal.connectionLost();
  }

  /** Want nothing more. */
  stop() {
    this.#renewal.stop();
  }
}
