/** @import { Subscription } from "./subscription.js" */

/** @typedef {{topic: string, cursor?: string, ticket?: string}} TopicRequest as the wire has it */

/** The reason for the end of subscriptions whose access ended. */
export const REVOKED = "revoked";

/**
 * One topic as the server knows it: one subscription on the wire, for all that the page has.
 *
 * At most one request is unanswered at a time. The server's answers carry no number: with two
 * requests, the answer to the first could be taken for the answer to the second, and a handler
 * would rely on a replay that has not begun.
 */
export class Topic {
  #name;
  /** @type {Set<Subscription>} */ #subscriptions = new Set();
  /** Those whose request is not answered yet. @type {Set<Subscription> | null} */ #asking = null;
  /** True if the server sends this topic's changes. */
  #isHeld = false;

  /** @param {string} name */
  constructor(name) {
    this.#name = name;
  }

  get subscriptions() {
    return [...this.#subscriptions];
  }

  /** True if the server would go on sending although no subscription is left. */
  get isSurplus() {
    return this.#isHeld && this.isUnused;
  }

  /** True if no subscription is left and no answer is expected. */
  get isUnused() {
    return !this.#asking && this.#subscriptions.size === 0;
  }

  /** @param {Subscription} subscription */
  add(subscription) {
    this.#subscriptions.add(subscription);
  }

  /** @param {Subscription} subscription */
  remove(subscription) {
    this.#subscriptions.delete(subscription);
    this.#asking?.delete(subscription);
  }

  /**
   * Build the requests to send now; none while an answer is expected.
   *
   * Cursors are opaque, so the client does not know which is the oldest. It sends each one, and the
   * server replays from each.
   * @returns {TopicRequest[]}
   */
  ask() {
    const wanting = this.subscriptions.filter(({ ticket }) => !ticket.isConfirmed);
    if (this.#asking || wanting.length === 0) return [];
    this.#asking = new Set(wanting);
    /** @type {Map<string, TopicRequest>} */
    const requests = new Map();
    for (const subscription of wanting) {
      const { cursor, ticket } = subscription.ask();
      const request = { topic: this.#name, ...(cursor && { cursor }), ...(ticket && { ticket }) };
      requests.set(JSON.stringify(request), request);
    }
    return [...requests.values()];
  }

  /** @param {string | null} cursor */
  confirm(cursor) {
    if (!this.#asking) return;
    this.#isHeld = true;
    const answered = this.#asking;
    this.#asking = null;
    for (const subscription of answered) subscription.confirm(cursor);
  }

  /**
   * Handle a denial of the request. Subscriptions that were confirmed earlier go on, and those
   * whose ticket was renewed after the request are requested again.
   * @param {string} reason
   */
  deny(reason) {
    const asking = [...(this.#asking ?? [])];
    this.#asking = null;
    for (const each of asking) {
      if (!each.ticket.deny()) this.#end([each], reason);
    }
  }

  /** Handle the end of access. A request under way gets an answer of its own. */
  revoke() {
    this.#isHeld = false;
    const asking = this.#asking;
    this.#end(this.subscriptions.filter((each) => !asking?.has(each)), REVOKED);
  }

  /** Note that the connection is lost, and with it the requests and the server's subscription. */
  lose() {
    this.#asking = null;
    this.#isHeld = false;
    for (const subscription of this.#subscriptions) subscription.ticket.lose();
  }

  /**
   * @param {Iterable<Subscription>} ended
   * @param {string} reason
   */
  #end(ended, reason) {
    for (const subscription of [...ended]) {
      // The `onDenied` of an earlier one may have cancelled it.
      if (this.#subscriptions.delete(subscription)) subscription.end(reason);
    }
  }
}
