/**
 * @typedef {import("./subscription.js").Subscription} Subscription
 *
 * @typedef {{topic: string, cursor?: string, ticket?: string}} WireSubscription
 */

/** The reason told to those whose access has ended. */
export const REVOKED = "revoked";

/**
 * One topic as the server knows it: a single subscription on the wire, whoever listens to it here.
 *
 * At most one request is unanswered at a time. The server's answers carry no number, so with two
 * on their way the answer to the first could be taken for that to the second, and a handler would
 * trust in a replay that has not begun.
 */
export class Topic {
  #topic;
  /** @type {Set<Subscription>} */ #subscriptions = new Set();
  /** Those whose request is not answered yet. @type {Set<Subscription> | null} */ #asking = null;
  #held = false;

  /** @param {string} topic */
  constructor(topic) {
    this.#topic = topic;
  }

  get subscriptions() {
    return [...this.#subscriptions];
  }

  /** True if the server would go on telling of it although nobody listens, and can be stopped. */
  get isSurplus() {
    return this.#held && this.isForgotten;
  }

  /** True if nobody listens and no answer is awaited. */
  get isForgotten() {
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
   * Say what to ask the server for now; nothing while an answer is awaited.
   *
   * Cursors are opaque, so the oldest is not known here: each one goes out, and the server replays
   * from each.
   * @returns {WireSubscription[]}
   */
  ask() {
    const wanting = this.subscriptions.filter((subscription) => subscription.permit.isWanting);
    if (this.#asking || wanting.length === 0) return [];
    this.#asking = new Set(wanting);
    /** @type {Map<string, WireSubscription>} */
    const requests = new Map();
    for (const subscription of wanting) {
      const { cursor, ticket } = subscription.ask();
      const request = { topic: this.#topic, ...(cursor && { cursor }), ...(ticket && { ticket }) };
      requests.set(JSON.stringify(request), request);
    }
    return [...requests.values()];
  }

  /** @param {string | null} cursor */
  confirm(cursor) {
    if (!this.#asking) return;
    this.#held = true;
    const answered = this.#asking;
    this.#asking = null;
    for (const subscription of answered) subscription.confirm(cursor);
  }

  /**
   * The request was refused. What was opened earlier stays open.
   * @param {string} reason
   */
  deny(reason) {
    const refused = this.#asking ?? [];
    this.#asking = null;
    for (const each of refused) each.refuse(() => this.#end([each], reason));
  }

  /** Access ended; a request that is still on its way gets an answer of its own. */
  revoke() {
    this.#held = false;
    const asking = this.#asking;
    this.#end(this.subscriptions.filter((each) => !asking?.has(each)), REVOKED);
  }

  /** The connection is lost: what was asked, or held, on it is void. */
  lose() {
    this.#asking = null;
    this.#held = false;
    for (const subscription of this.#subscriptions) subscription.permit.lose();
  }

  /**
   * @param {Iterable<Subscription>} ended
   * @param {string} reason
   */
  #end(ended, reason) {
    for (const subscription of [...ended]) {
      this.#subscriptions.delete(subscription);
      subscription.deny(reason);
    }
  }
}
