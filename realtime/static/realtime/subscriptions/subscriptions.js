import { AckTimeouts } from "./ack_timeouts.js";
import { inBatches } from "../connection/batches.js";
import { Gate } from "./jitter.js";
import { readChanges } from "./changes.js";
import { CLIENT_FRAMES, SERVER_FRAMES } from "../connection/protocol.js";
import { Subscription } from "./subscription.js";
import { Topic } from "./topic.js";

/**
 * @typedef {import("../connection/connection.js").Frame} Frame
 *
 * @typedef {object} Wire
 * @property {() => boolean} isOpen
 * @property {(frame: Frame) => void} send
 * @property {() => void} reopen
 */

/** All that is watched over one connection, and the frames that speak of it. */
export class Subscriptions {
  #wire;
  #environment;
  #changed;
  #ackTimeouts;
  #together;
  /** @type {Map<string, Topic>} */ #topics = new Map();
  /** Those that the server refused and that nobody has cancelled. @type {Set<Subscription>} */
  #refused = new Set();
  #flushScheduled = false;

  /**
   * @param {Wire} wire
   * @param {import("../connection/environment.js").Environment} environment
   * @param {() => void} changed told when `confirmed` or `behind` may have changed
   */
  constructor(wire, environment, changed) {
    this.#wire = wire;
    this.#environment = environment;
    this.#changed = changed;
    this.#ackTimeouts = new AckTimeouts(environment.clock, () => wire.reopen());
    this.#together = new Gate(environment);
  }

  /** True if the server has confirmed every subscription on this connection. */
  get confirmed() {
    return this.#all().every((subscription) => subscription.permit.confirmed);
  }

  /** True if some handler failed and has not caught up yet, or is not told at all. */
  get behind() {
    return this.#refused.size > 0 || this.#all().some((subscription) => subscription.behind);
  }

  /**
   * Add a handler; the server is asked at the end of this turn, together with others.
   * @param {string} topic
   * @param {import("./subscription.js").SubscribeOptions} options
   * @param {import("./handler_runner.js").Handler} handler
   */
  subscribe(topic, options, handler) {
    const subscription = new Subscription(topic, options, handler, {
      environment: this.#environment,
      gate: options.together ? this.#together : new Gate(this.#environment),
      changed: this.#changed,
      wants: () => this.#schedule(),
      cancelled: (cancelled) => this.#remove(cancelled),
      denied: (denied) => {
        this.#refused.add(denied);
        this.#changed();
      },
    });
    const watched = this.#topics.get(topic) ?? new Topic(topic);
    this.#topics.set(topic, watched);
    watched.add(subscription);
    this.#schedule();
    return subscription;
  }

  /** The connection is open: ask for everything, and retry what failed while it was not. */
  opened() {
    this.#flush();
    for (const subscription of this.#all()) subscription.retry();
  }

  lost() {
    this.#ackTimeouts.clear();
    for (const watched of this.#topics.values()) watched.lose();
    this.#changed();
  }

  /** Somebody looks at the page: nothing waits any longer. */
  hurry() {
    for (const subscription of this.#all()) subscription.hurry();
  }

  /**
   * Use these tickets from the next request on.
   * @param {Record<string, string | null | undefined>} tickets by topic
   */
  renewTickets(tickets) {
    for (const { topic, permit } of this.#all()) {
      permit.ticket = tickets[topic] ?? permit.ticket;
    }
  }

  /**
   * Take a frame. Topics that are not watched (any more) are passed over.
   * @param {Frame} frame
   */
  received({ type, topics }) {
    if (type === SERVER_FRAMES.CHANGED) return this.#tell(topics);
    if (type === SERVER_FRAMES.SUBSCRIBED) {
      for (const [topic, entry] of Object.entries(topics)) {
        this.#ackTimeouts.came(topic);
        this.#topics.get(topic)?.confirm(entry.cursor ?? null);
      }
    } else if (type === SERVER_FRAMES.DENIED) {
      for (const [topic, reason] of Object.entries(topics)) {
        this.#ackTimeouts.came(topic);
        this.#topics.get(topic)?.deny(reason);
      }
    } else if (type === SERVER_FRAMES.REVOKED) {
      for (const topic of topics) this.#topics.get(topic)?.revoke();
    }
    // An answer may let out a request that waited for it.
    this.#schedule();
  }

  /** @param {Record<string, any>} topics */
  #tell(topics) {
    // All in one turn: handlers that fetch the same page can share one fetch.
    for (const [topic, entry] of Object.entries(topics)) {
      const news = readChanges(entry);
      for (const each of this.#topics.get(topic)?.subscriptions ?? []) each.tell(news);
    }
  }

  #all() {
    return [...this.#topics.values()].flatMap((watched) => watched.subscriptions);
  }

  /** @param {Subscription} subscription */
  #remove(subscription) {
    this.#refused.delete(subscription);
    this.#topics.get(subscription.topic)?.remove(subscription);
    this.#schedule();
  }

  #schedule() {
    this.#changed();
    if (this.#flushScheduled) return;
    this.#flushScheduled = true;
    queueMicrotask(() => this.#flush());
  }

  /** Tell the server what has changed in what we want; before it is open, opened() will. */
  #flush() {
    this.#flushScheduled = false;
    if (!this.#wire.isOpen()) return;
    const surplus = [...this.#topics].filter(([, watched]) => watched.isSurplus);
    for (const topics of inBatches(surplus.map(([topic]) => topic))) {
      this.#wire.send({ type: CLIENT_FRAMES.UNSUBSCRIBE, topics });
    }
    for (const [topic, watched] of this.#topics) {
      if (watched.isForgotten) this.#topics.delete(topic);
    }
    // Those of one topic stay in one frame, for they get one answer.
    const requests = [...this.#topics.values()].map((watched) => watched.ask());
    for (const frame of inBatches(requests.filter(({ length }) => length > 0))) {
      this.#wire.send({ type: CLIENT_FRAMES.SUBSCRIBE, subscriptions: frame.flat() });
    }
    this.#ackTimeouts.await(requests.flat().map(({ topic }) => topic));
  }
}
