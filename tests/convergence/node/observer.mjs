import { Watch } from "./watch.mjs";

/**
 * The state of one client, by the frames of its socket and the calls of its subscriptions, and not by
 * what the client claims: unanswered and confirmed topics, changes that are not applied yet, and
 * changes of denied topics.
 */
export class Observer {
  /** All subscriptions, ended ones included. @type {Watch[]} */
  watches = [];
  /** Those that have not ended. @type {Set<Watch>} */
  #present = new Set();
  #note;
  /** True from the server's welcome to the loss of the connection. */
  isOpen = false;
  /** Topics asked for on this connection, and not answered. @type {Set<string>} */
  #asked = new Set();
  /** Topics confirmed on this connection. @type {Set<string>} */
  #confirmed = new Set();
  /** Denied or revoked topics: no change of them may come before they are confirmed again. @type {Set<string>} */
  #refused = new Set();

  /** @param {(kind: string, what?: object) => void} note */
  constructor(note) {
    this.#note = note;
  }

  /** True if the connection is open, and all topics are confirmed and their changes applied. */
  get isQuiet() {
    return this.isOpen && [...this.#present].every((watch) => watch.isQuiet && this.holds(watch.topic));
  }

  /** The topics of denied subscriptions that were not cancelled. */
  get denied() {
    return this.watches.filter((watch) => watch.isDenied && !watch.isOver).map(({ topic }) => topic);
  }

  /**
   * True if the server has confirmed this topic, and no request for it is open.
   * @param {string} topic
   */
  holds(topic) {
    return this.#confirmed.has(topic) && !this.#asked.has(topic);
  }

  /**
   * Observe all subscriptions from now on.
   * @param {any} live the result of `connect()`
   * @param {(options: any) => number} since returns the time from which a watch counts changes
   */
  follow(live, since) {
    const subscribe = live.subscribe.bind(live);
    live.subscribe = (topic, options, handler) => {
      const ended = () => this.#present.delete(watch);
      const watch = new Watch(topic, since(options), this.#note, ended);
      this.watches.push(watch);
      this.#present.add(watch);
      return watch.follow(subscribe(topic, watch.options(options), watch.handler(handler)));
    };
  }

  /** @param {any} frame that the client sends */
  sent({ type, subscriptions, topics }) {
    if (type === "subscribe") for (const { topic } of subscriptions) this.#asked.add(topic);
    if (type === "unsubscribe") for (const topic of topics) this.#confirmed.delete(topic);
  }

  /**
   * Record a frame before the client reads it.
   * @param {any} frame
   * @returns {() => void} undoes this for changes, if the client does not read the frame
   */
  heard({ type, topics }) {
    if (type !== "ping" && type !== "pong") this.#note(type, { topics });
    if (type === "welcome") this.#opened();
    else if (type === "subscribed") Object.keys(topics).forEach((topic) => this.#subscribed(topic));
    else if (type === "denied") Object.keys(topics).forEach((topic) => this.#refuse(topic));
    else if (type === "revoked") topics.forEach((topic) => this.#refuse(topic));
    else if (type === "changed") return this.#changed(topics);
    return () => {};
  }

  /** Record the loss of the connection, which voids its requests. */
  lost() {
    this.isOpen = false;
    for (const topics of [this.#asked, this.#confirmed, this.#refused]) topics.clear();
  }

  #opened() {
    this.lost();
    this.isOpen = true;
  }

  /** @param {string} topic */
  #subscribed(topic) {
    this.#asked.delete(topic);
    this.#confirmed.add(topic);
    this.#refused.delete(topic);
  }

  /** @param {string} topic */
  #refuse(topic) {
    this.#asked.delete(topic);
    this.#confirmed.delete(topic);
    this.#refused.add(topic);
  }

  /** @param {Record<string, any>} topics */
  #changed(topics) {
    const leaked = Object.keys(topics).filter((topic) => this.#refused.has(topic));
    if (leaked.length) this.#note("leak", { topics: leaked });
    const owing = [];
    for (const [topic, entry] of Object.entries(topics)) {
      if (entry.reset) this.#note(`reset ${entry.reset}`, { topic });
      for (const watch of this.#present) {
        if (watch.topic === topic && watch.tell(entry)) owing.push(watch);
      }
    }
    return () => owing.forEach((watch) => watch.takeBack());
  }
}
