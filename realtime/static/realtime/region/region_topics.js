/** @import { Told } from "../subscriptions/changes.js" */
/** @import { Subscription } from "../subscriptions/subscription.js" */
/** @import { Head, HeadEntry } from "./head.js" */
import { connect } /*;*/ from "../connection/connect.js"
import { REVOKED } /*;*/ from "../subscriptions/topic.js"

/**
 * @typedef {object} RegionListener
 * @property {(topic: string, told: Told) => Promise<void>} told
 * @property {(topic: string, denial: Denial) => void} denied
 *
 * @typedef {object} Denial
 * @property {boolean} isRevoked access ended; else it was not given
 * @property {boolean} wasConfirmed it was given on an earlier connection
 */

/** @type {HeadEntry} */
const UNKNOWN_ENTRY = { cursor: null, ticket: null };

/** The topics that one region watches, each from the cursor that its markup was rendered at. */
export class RegionTopics {
  #listener;
  /** By topic. @type {Map<string, Subscription>} */ #subscriptions = new Map();
  /** The positions when the region left the document. @type {Map<string, HeadEntry>} */
  #left = new Map();
  /** Denied, and not asked for again yet. @type {Map<string, Subscription>} */
  #denied = new Map();

  /** @param {RegionListener} listener */
  constructor(listener) {
    this.#listener = listener;
  }

  /** True if the server denied some topic that the region names. */
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
   * @param {number | null} jitter milliseconds over which all refetches are spread
   */
  watch(topics, head, jitter) {
    for (const [topic, subscription] of this.#subscriptions) {
      if (topics.includes(topic)) continue;
      subscription.cancel();
      this.#subscriptions.delete(topic);
    }
    // A denied topic that the page no longer names is settled. One that it still names is asked
    // for again: the server has rendered it for this user after the denial.
    this.#forgetDenied();
    for (const topic of topics) this.#watchOne(topic, head, jitter);
    this.#left.clear();
  }

  /** Watch nothing, but remember the cursors: the content may be put back as it is. */
  leave() {
    for (const [topic, subscription] of this.#subscriptions) {
      const { cursor, ticket } = subscription;
      this.#left.set(topic, { cursor, ticket: ticket.text });
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
    const { cursor, ticket } = this.#left.get(topic) ?? topics.get(topic) ?? UNKNOWN_ENTRY;
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
    // The region asks again when it has looked; until then it does not expect to be told.
    subscription.ticket.retire();
    const { wasConfirmed } = subscription.ticket;
    this.#listener.denied(topic, { isRevoked: reason === REVOKED, wasConfirmed });
  }
}
