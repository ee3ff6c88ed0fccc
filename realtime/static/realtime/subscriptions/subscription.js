/** @import { Environment } from "../connection/environment.js" */
/** @import { ChangeSet } from "./changes.js" */
/** @import { Handler } from "./handler_runner.js" */
/** @import { Jitter, JitterOptions } from "./jitter.js" */
import { resetChanges } /*;*/ from "./changes.js"
import { HandlerRunner } /*;*/ from "./handler_runner.js"
import { Ticket } /*;*/ from "./ticket.js"

/**
 * @typedef {object} OwnOptions
 * @property {string | null} [cursor] the position of the caller's data; without one, the handler
 *   is called for changes from the server's confirmation on
 * @property {string | null} [ticket] the server's proof that it showed this user the topic
 * @property {boolean} [catchUp] the caller's data was read earlier, at an unknown position: call
 *   the handler once, as for a reset, when the server has confirmed
 * @property {boolean} [together] the handler's waits end together with those of all others that
 *   have this option: they share one fetch
 * @property {(reason: string) => void} [onDenied] called when the server does not, or no longer,
 *   allow the topic: the handler is not called again, unless `renewTickets` brings another ticket
 *   than the denied one
 *
 * @typedef {OwnOptions & JitterOptions} SubscribeOptions
 *
 * @typedef {object} SubscriptionOwner
 * @property {Environment} environment
 * @property {Jitter} jitter
 * @property {() => void} stateChanged
 * @property {(subscription: Subscription) => void} cancelled
 * @property {(subscription: Subscription) => void} denied
 */

/** One handler's subscription to one topic, from its own cursor. */
export class Subscription {
  /** The request for the topic, and the server's answer. */
  ticket;
  #topic;
  #jitterOptions;
  #runner;
  #catchUp;
  #onDenied;
  #owner;

  /**
   * @param {string} topic
   * @param {SubscribeOptions} options
   * @param {Handler} handler
   * @param {SubscriptionOwner} owner
   */
  constructor(topic, options, handler, owner) {
    const { cursor = null, ticket = null, catchUp = false, onDenied } = options;
    const { jitter = null, resetJitter } = options;
    const { environment, stateChanged } = owner;
    this.ticket = new Ticket(ticket);
    this.#topic = topic;
    const jitterOptions = (this.#jitterOptions = { jitter, resetJitter });
    this.#runner = new HandlerRunner(
      handler, cursor, environment, owner.jitter, jitterOptions, stateChanged,
    );
    this.#catchUp = catchUp;
    this.#onDenied = onDenied;
    this.#owner = owner;
  }

  get topic() {
    return this.#topic;
  }

  /** The position up to which all is applied; null before there is one. */
  get cursor() {
    return this.#runner.cursor;
  }

  /** True while a failed run waits for its retry. */
  get behind() {
    return this.#runner.behind;
  }

  /** Milliseconds over which runs are spread; null for the default. */
  get jitter() {
    return this.#jitterOptions.jitter;
  }

  set jitter(milliseconds) {
    this.#jitterOptions.jitter = milliseconds;
  }

  /** End the subscription. */
  cancel() {
    this.#runner.stop();
    this.#owner.cancelled(this);
  }

  // The topic that this subscription belongs to calls the rest.

  /** Build the request; the ticket remembers the cursor that it carries. */
  ask() {
    return this.ticket.ask(this.cursor);
  }

  /**
   * Note that the server confirmed: from this cursor, or the request's, no change is missed.
   * @param {string | null} cursor
   */
  confirm(cursor) {
    // The request's cursor counts, not the present one. A run that was under way when the previous
    // connection broke may have set one since, and changes in between are not replayed.
    if (this.ticket.confirm()) return;
    if (this.#catchUp) this.#runner.tell(resetChanges("unknown-cursor", cursor));
    else this.#runner.startFrom(cursor);
  }

  /**
   * Handle changes. Before the confirmation they may be ahead of a replay that is still to come:
   * the handler is told, but their cursor is not taken over.
   * @param {ChangeSet} changes
   */
  tell(changes) {
    this.#runner.tell(this.ticket.isConfirmed ? changes : { ...changes, cursor: null });
  }

  /** Retry a failed run now: the reason of its failure may be gone. */
  retry() {
    this.#runner.retry();
  }

  /** End all waits: the user looks at the page. */
  hurry() {
    this.#runner.hurry();
  }

  /**
   * Take a fresh ticket; true if a denial had ended the subscription, and it begins again.
   * @param {string} ticket
   */
  renew(ticket) {
    if (!this.ticket.renew(ticket)) return false;
    this.#runner.restart();
    return true;
  }

  /**
   * End the subscription by the server's decision.
   * @param {string} reason
   */
  end(reason) {
    this.#runner.stop();
    this.#owner.denied(this);
    console.warn(`live: ${this.#topic} may not be watched: ${reason}`);
    try {
      this.#onDenied?.(reason);
    } catch (error) {
      // A bug of the page, no doubt about the connection: the frame's other topics go on.
      console.error("live: onDenied failed", error);
    }
  }
}
