import { resetNews } from "./news.js";
import { Runner } from "./runner.js";

/**
 * @typedef {object} SubscribeOptions
 * @property {string | null} [cursor] where the caller's data stands; without one, it is told what
 *   happens from the server's confirmation on
 * @property {string | null} [ticket] the server's proof that this user was shown the topic
 * @property {boolean} [catchUp] there is no cursor, yet the caller's data was read before: run
 *   the handler once as for a reset when the server has confirmed
 * @property {(reason: string) => void} [onDenied] told when the server does not, or no longer,
 *   allow it; the subscription is over then
 */

/** One handler's watch of one topic, from its own cursor. */
export class Subscription {
  /** Renew it when the server issues another: an expired one cannot open a next connection. */
  ticket;
  #topic;
  #runner;
  #catchUp;
  #onDenied;
  #cancelled;
  #denied;
  #confirmed = false;
  /** The cursor named in the request that is not answered yet. @type {string | null} */
  #asked = null;

  /**
   * @param {string} topic
   * @param {SubscribeOptions} options
   * @param {import("./runner.js").Handler} handler
   * @param {object} surroundings
   * @param {import("./tools.js").Tools} surroundings.tools
   * @param {() => void} surroundings.changed
   * @param {(subscription: Subscription) => void} surroundings.cancelled
   * @param {(subscription: Subscription) => void} surroundings.denied
   */
  constructor(topic, options, handler, { tools, changed, cancelled, denied }) {
    const { cursor = null, ticket = null, catchUp = false, onDenied } = options;
    this.ticket = ticket;
    this.#topic = topic;
    this.#runner = new Runner(handler, cursor, tools, changed);
    this.#catchUp = catchUp;
    this.#onDenied = onDenied;
    this.#cancelled = cancelled;
    this.#denied = denied;
  }

  get topic() {
    return this.#topic;
  }

  /** All up to here has been applied; null before there is a position. */
  get cursor() {
    return this.#runner.cursor;
  }

  /** True while a failure waits for its retry. */
  get behind() {
    return this.#runner.behind;
  }

  /** True if the server has answered the request that this connection made for it. */
  get confirmed() {
    return this.#confirmed;
  }

  /** Watch no more. */
  cancel() {
    this.#runner.stop();
    this.#cancelled(this);
  }

  // The rest is called by the topic that this subscription belongs to.

  /** Build the request, and remember from where it asked. */
  ask() {
    this.#asked = this.cursor;
    return { cursor: this.#asked, ticket: this.ticket };
  }

  /**
   * The server answered: from this cursor, or the one asked for, nothing is missed.
   * @param {string | null} cursor
   */
  confirm(cursor) {
    this.#confirmed = true;
    // What counts is the request, not the present cursor: a run that was under way when the
    // previous connection broke may have set one since, and what came between is not replayed.
    if (this.#asked !== null) return;
    if (this.#catchUp) this.#runner.tell(resetNews("unknown-cursor", cursor));
    else this.#runner.startFrom(cursor);
  }

  /**
   * Something happened. Before the confirmation it may be out of order, ahead of what is still to
   * be replayed: it is news all the same, but its cursor must not be taken over.
   * @param {import("./news.js").News} news
   */
  tell(news) {
    this.#runner.tell(this.#confirmed ? news : { ...news, cursor: null });
  }

  /** The connection is lost, and with it what the server knew of us. */
  lose() {
    this.#confirmed = false;
  }

  /** There is reason to hope that what failed works now. */
  hurry() {
    this.#runner.hurry();
  }

  /** @param {string} reason */
  deny(reason) {
    this.#runner.stop();
    this.#denied(this);
    console.warn(`live: ${this.#topic} may not be watched: ${reason}`);
    try {
      this.#onDenied?.(reason);
    } catch (error) {
      // The page's bug, not a doubt about the connection: the frame's other topics go on.
      console.error("live: onDenied failed", error);
    }
  }
}
