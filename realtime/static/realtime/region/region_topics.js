import { connect } from "../connection/connect.js";
import { REVOKED } from "../subscriptions/topic.js";

/**
 * @typedef {import("./head.js").Head} Head
 * @typedef {import("./head.js").Entry} Entry
 * @typedef {import("../subscriptions/subscription.js").Subscription} Subscription
 *
 * @typedef {object} Listener
 * @property {(topic: string, told: import("../subscriptions/changes.js").Told) => Promise<void>} told
 * @property {(topic: string, denial: Denial) => void} denied
 *
 * @typedef {object} Denial
 * @property {boolean} isRevoked access ended, rather than that it was not given
 * @property {boolean} wasConfirmed it was given on an earlier connection
 */

/** @type {Entry} */
const UNKNOWN = { cursor: null, ticket: null };

/** The topics that one region watches, each from the cursor that its markup was rendered at. */
export class RegionTopics {
  #listener;
  /** @type {Map<string, Subscription>} */ #subscriptions = new Map();
  /** Where topics stood when the region was taken out. @type {Map<string, Entry>} */
  #left = new Map();
  /** Those that were refused, until they are asked for again. @type {Map<string, Subscription>} */
  #denied = new Map();

  /** @param {Listener} listener */
  constructor(listener) {
    this.#listener = listener;
  }

  /** True if the region is not told of some topic that it names. */
  get areDenied() {
    return this.#denied.size > 0;
  }

  /** @param {string} topic */
  isDenied(topic) {
    return this.#denied.has(topic);
  }

  /**
   * Watch these topics and no others.
   * @param {string[]} topics
   * @param {Head} head of the markup that names them
   * @param {number | null} jitter over how many milliseconds to spread all refetches
   */
  watch(topics, head, jitter) {
    for (const [topic, subscription] of this.#subscriptions) {
      if (topics.includes(topic)) continue;
      subscription.cancel();
      this.#subscriptions.delete(topic);
    }
    // What the page no longer names is settled; what it still names is asked for again, since the
    // server has rendered it for this user after it refused.
    this.#forgetDenied();
    for (const topic of topics) this.#watchOne(topic, head, jitter);
    this.#left.clear();
  }

  /** Watch nothing, but remember the cursors: the content may be put back as it is. */
  leave() {
    for (const [topic, subscription] of this.#subscriptions) {
      const { cursor, permit } = subscription;
      this.#left.set(topic, { cursor, ticket: permit.ticket });
      subscription.cancel();
    }
    this.#subscriptions.clear();
    this.#forgetDenied();
  }

  #forgetDenied() {
    for (const denied of this.#denied.values()) denied.cancel();
    this.#denied.clear();
  }

  /**
   * @param {string} topic
   * @param {Head} head
   * @param {number | null} jitter
   */
  #watchOne(topic, { url, topics, jitter: resetJitter }, jitter) {
    const present = this.#subscriptions.get(topic);
    if (present) {
      present.jitter = jitter;
      return;
    }
    const { cursor, ticket } = this.#left.get(topic) ?? topics.get(topic) ?? UNKNOWN;
    /** @param {string} reason */
    const onDenied = (reason) => this.#deny(topic, subscription, reason);
    const subscription = connect(url).subscribe(
      topic,
      { cursor, ticket, catchUp: true, together: true, jitter, resetJitter, onDenied },
      (told) => this.#listener.told(topic, told),
    );
    this.#subscriptions.set(topic, subscription);
  }

  /**
   * @param {string} topic
   * @param {Subscription} subscription
   * @param {string} reason
   */
  #deny(topic, subscription, reason) {
    if (this.#subscriptions.get(topic) !== subscription) return;
    this.#subscriptions.delete(topic);
    this.#denied.set(topic, subscription);
    const { wasConfirmed } = subscription.permit;
    this.#listener.denied(topic, { isRevoked: reason === REVOKED, wasConfirmed });
  }
}
