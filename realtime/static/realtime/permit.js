import { Renewal } from "./renewal.js";

/** One subscription's leave to be told: what it asked the server for, and what it was answered. */
export class Permit {
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
   * @param {import("./renewal.js").Renew | undefined} renew
   * @param {import("./tools.js").Tools} tools
   */
  constructor(ticket, renew, tools) {
    this.ticket = ticket;
    this.#renewal = new Renewal(renew, tools);
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
