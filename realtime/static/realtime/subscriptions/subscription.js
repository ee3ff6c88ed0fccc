import { resetChanges } from "./changes.js";
import { Jitter } from "./jitter.js";
import { Ticket } from "./ticket.js";
import { HandlerRunner } from "./handler_runner.js";

/**
 * @typedef {object} OwnOptions
 * @property {string | null} [cursor] where the caller's data stands; without one, it is told what
 *   happens from the server's confirmation on
 * @property {string | null} [ticket] the server's proof that this user was shown the topic
 * @property {import("./ticket.js").Renew} [renew] gets a fresh ticket when the topic was denied
 * @property {boolean} [catchUp] there is no cursor, yet the caller's data was read before: run
 *   the handler once as for a reset when the server has confirmed
 * @property {boolean} [together] runs that wait end their waits together with all others that say
 *   so: they share one fetch
 * @property {(reason: string) => void} [onDenied] told when the server does not, or no longer,
 *   allow it; the subscription is over then
 *
 * @typedef {OwnOptions & import("./jitter.js").JitterOptions} SubscribeOptions
 *
 * @typedef {object} Owner
 * @property {import("../connection/environment.js").Environment} environment
 * @property {import("./jitter.js").Gate} gate
 * @property {() => void} changed
 * @property {() => void} wants told when the server is to be asked again
 * @property {(subscription: Subscription) => void} cancelled
 * @property {(subscription: Subscription) => void} denied
 */

/** One handler's watch of one topic, from its own cursor. */
export class Subscription {
  /** Whether the server lets it be told. */
  permit;
  #topic;
  #jitter;
  #runner;
  #catchUp;
  #onDenied;
  #owner;

  /**
   * @param {string} topic
   * @param {SubscribeOptions} options
   * @param {import("./handler_runner.js").Handler} handler
   * @param {Owner} owner
   */
  constructor(topic, options, handler, owner) {
    const { cursor = null, ticket = null, catchUp = false, renew, onDenied } = options;
    const { environment } = owner;
    this.permit = new Ticket(ticket, renew, environment);
    this.#topic = topic;
    this.#jitter = new Jitter(options, owner.gate, environment.clock);
    this.#runner = new HandlerRunner(handler, cursor, environment, this.#jitter, owner.changed);
    this.#catchUp = catchUp;
    this.#onDenied = onDenied;
    this.#owner = owner;
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

  /** Milliseconds over which runs are spread; null for the default. */
  get jitter() {
    return this.#jitter.jitter;
  }

  set jitter(milliseconds) {
    this.#jitter.jitter = milliseconds;
  }

  /** Watch no more. */
  cancel() {
    this.#stop();
    this.#owner.cancelled(this);
  }

  // The rest is called by the topic that this subscription belongs to.

  /** Build the request; the permit remembers from where it asks. */
  ask() {
    return this.permit.ask(this.cursor);
  }

  /**
   * The server answered: from this cursor, or the one asked for, nothing is missed.
   * @param {string | null} cursor
   */
  confirm(cursor) {
    // What counts is the request, not the present cursor: a run that was under way when the
    // previous connection broke may have set one since, and what came between is not replayed.
    if (this.permit.confirm()) return;
    if (this.#catchUp) this.#runner.tell(resetChanges("unknown-cursor", cursor));
    else this.#runner.startFrom(cursor);
  }

  /**
   * Something happened. Before the confirmation it may be out of order, ahead of what is still to
   * be replayed: it is news all the same, but its cursor must not be taken over.
   * @param {import("./changes.js").ChangeSet} news
   */
  tell(news) {
    this.#runner.tell(this.permit.confirmed ? news : { ...news, cursor: null });
  }

  /** There is reason to hope that what failed works now. */
  retry() {
    this.#runner.retry();
  }

  /** Somebody looks at the page. */
  hurry() {
    this.#runner.hurry();
  }

  /**
   * The request was refused: ask again with another ticket, if there is one.
   * @param {() => void} giveUp
   */
  refuse(giveUp) {
    this.permit.refuse((cursor) => {
      // What is shown stands where it stood: no later cursor may take the place of one.
      if (!this.#catchUp) this.#runner.startFrom(cursor);
      this.#owner.wants();
    }, giveUp);
  }

  /**
   * It is over.
   * @param {string} reason
   */
  deny(reason) {
    this.#stop();
    this.#owner.denied(this);
    console.warn(`live: ${this.#topic} may not be watched: ${reason}`);
    try {
      this.#onDenied?.(reason);
    } catch (error) {
      // The page's bug, not a doubt about the connection: the frame's other topics go on.
      console.error("live: onDenied failed", error);
    }
  }

  #stop() {
    this.#runner.stop();
    this.permit.stop();
  }
}
