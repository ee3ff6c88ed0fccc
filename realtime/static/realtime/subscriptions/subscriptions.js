/** @import { Environment } from "../connection/environment.js" */
/** @import { Frame, FrameHandlers } from "../connection/frame_handlers.js" */
/** @import { Handler } from "./handler_runner.js" */
/** @import { SubscribeOptions } from "./subscription.js" */
import { inBatches } /*;*/ from "../connection/batches.js"
import { CLIENT_FRAMES, SERVER_FRAMES } /*;*/ from "../connection/protocol.js"
import { AckTimeouts } /*;*/ from "./ack_timeouts.js"
import { readChanges } /*;*/ from "./changes.js"
import { Jitter } /*;*/ from "./jitter.js"
import { Subscription } /*;*/ from "./subscription.js"
import { Topic } /*;*/ from "./topic.js"

/**
 * @typedef {object} Wire
 * @property {FrameHandlers} handlers
 * @property {() => boolean} isOpen
 * @property {(frame: Frame) => void} send
 * @property {() => void} reopen
 */

/** All subscriptions of one connection, and the frames that are about them. */
export class Subscriptions {
  #wire;
  #environment;
  #stateChanged;
  #ackTimeouts;
  #sharedJitter;
  /** By name. @type {Map<string, Topic>} */ #topics = new Map();
  /** Those that the server denied and the page has not cancelled. @type {Set<Subscription>} */
  #denied = new Set();
  #isFlushScheduled = false;

  /**
   * @param {Wire} wire
   * @param {Environment} environment
   * @param {() => void} stateChanged called when `confirmed` or `behind` may have changed
   */
  constructor(wire, environment, stateChanged) {
    this.#wire = wire;
    this.#environment = environment;
    this.#stateChanged = stateChanged;
    this.#ackTimeouts = new AckTimeouts(environment.clock, () => wire.reopen());
    this.#sharedJitter = new Jitter(environment);
    wire.handlers.add(SERVER_FRAMES.SUBSCRIBED, ({ topics }) => this.#subscribed(topics));
    wire.handlers.add(SERVER_FRAMES.CHANGED, ({ topics }) => this.#changed(topics));
    wire.handlers.add(SERVER_FRAMES.DENIED, ({ topics }) => this.#refused(topics));
    wire.handlers.add(SERVER_FRAMES.REVOKED, ({ topics }) => this.#revoked(topics));
  }

  /** True if the server has confirmed every subscription on this connection. */
  get confirmed() {
    return this.#all().every((subscription) => subscription.ticket.isConfirmed);
  }

  /** True if a handler failed and has not caught up yet, or was denied its topic. */
  get behind() {
    return this.#denied.size > 0 || this.#all().some((subscription) => subscription.behind);
  }

  /**
   * Add a subscription. The request is sent at the end of this turn, together with others.
   * @param {string} topic
   * @param {SubscribeOptions} options
   * @param {Handler} handler
   */
  subscribe(topic, options, handler) {
    const subscription = new Subscription(topic, options, handler, {
      environment: this.#environment,
      jitter: options.together ? this.#sharedJitter : new Jitter(this.#environment),
      stateChanged: this.#stateChanged,
      cancelled: (cancelled) => this.#remove(cancelled),
      denied: (denied) => {
        this.#denied.add(denied);
        this.#stateChanged();
      },
    });
    this.#add(subscription);
    return subscription;
  }

  /** Note that the connection is open: request every topic, and retry what failed meanwhile. */
  opened() {
    this.#flush();
    for (const subscription of this.#all()) subscription.retry();
  }

  /** Note that the connection is lost. */
  lost() {
    this.#ackTimeouts.clear();
    for (const topic of this.#topics.values()) topic.lose();
    this.#stateChanged();
  }

  /** End all waits: the user looks at the page. */
  hurry() {
    for (const subscription of this.#all()) subscription.hurry();
  }

  /**
   * Use these tickets from the next request on, and repeat requests that were denied with others.
   * @param {Record<string, string | null | undefined>} tickets by topic
   */
  renewTickets(tickets) {
    for (const subscription of [...this.#all(), ...this.#denied]) {
      const ticket = tickets[subscription.topic];
      if (!ticket || !subscription.renew(ticket)) continue;
      this.#denied.delete(subscription);
      this.#add(subscription);
    }
  }

  // Frames name topics that the page may have left meanwhile: those are ignored.

  /** @param {Record<string, {cursor?: string | null}>} topics */
  #subscribed(topics) {
    for (const [topic, entry] of Object.entries(topics)) {
      this.#ackTimeouts.answered(topic);
      this.#topics.get(topic)?.confirm(entry.cursor ?? null);
    }
    this.#scheduleFlush(); // the answer may release a request that waited for it
  }

  /** @param {Record<string, any>} topics */
  #changed(topics) {
    // All in one turn: handlers that fetch the same page can share one fetch.
    for (const [topic, entry] of Object.entries(topics)) {
      const changes = readChanges(entry);
      for (const each of this.#topics.get(topic)?.subscriptions ?? []) each.tell(changes);
    }
  }

  /** @param {Record<string, string>} topics */
  #refused(topics) {
    for (const [topic, reason] of Object.entries(topics)) {
      this.#ackTimeouts.answered(topic);
      this.#topics.get(topic)?.deny(reason);
    }
    this.#scheduleFlush();
  }

  /** @param {string[]} topics */
  #revoked(topics) {
    for (const topic of topics) this.#topics.get(topic)?.revoke();
    this.#scheduleFlush();
  }

  #all() {
    return [...this.#topics.values()].flatMap((topic) => topic.subscriptions);
  }

  /** @param {Subscription} subscription */
  #add(subscription) {
    const { topic } = subscription;
    const known = this.#topics.get(topic) ?? new Topic(topic);
    this.#topics.set(topic, known);
    known.add(subscription);
    this.#scheduleFlush();
  }

  /** @param {Subscription} subscription */
  #remove(subscription) {
    this.#denied.delete(subscription);
    this.#topics.get(subscription.topic)?.remove(subscription);
    this.#scheduleFlush();
  }

  #scheduleFlush() {
    this.#stateChanged();
    if (this.#isFlushScheduled) return;
    this.#isFlushScheduled = true;
    queueMicrotask(() => this.#flush());
  }

  /** Send the changes of the page's subscriptions. Without a connection, `opened()` sends them. */
  #flush() {
    this.#isFlushScheduled = false;
    if (!this.#wire.isOpen()) return;
    this.#unsubscribe();
    // The requests of one topic stay in one frame, since they get one answer.
    const requests = [...this.#topics.values()].map((topic) => topic.ask());
    for (const batch of inBatches(requests.filter(({ length }) => length > 0))) {
      this.#wire.send({ type: CLIENT_FRAMES.SUBSCRIBE, subscriptions: batch.flat() });
    }
    this.#ackTimeouts.expect(requests.flat().map(({ topic }) => topic));
  }

  #unsubscribe() {
    const surplus = [...this.#topics].filter(([, topic]) => topic.isSurplus);
    for (const topics of inBatches(surplus.map(([name]) => name))) {
      this.#wire.send({ type: CLIENT_FRAMES.UNSUBSCRIBE, topics });
    }
    for (const [name, topic] of this.#topics) {
      if (topic.isUnused) this.#topics.delete(name);
    }
  }
}
