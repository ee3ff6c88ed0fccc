import { Watch } from "./watch.mjs";

/**
 * What one client knows, read off its wire and its subscriptions, and independent of the client's
 * own account of it: what it asked for and was answered, what it has still to apply, and whether
 * it was told of what it may not know.
 */
export class Observer {
  /** All there have ever been. @type {Watch[]} */
  watches = [];
  /** Those that go on. @type {Set<Watch>} */
  #present = new Set();
  #note;
  /** True from the server's welcome to the loss of the connection. */
  isOpen = false;
  /** Asked for on this connection, and not answered. @type {Set<string>} */
  #asked = new Set();
  /** @type {Set<string>} */
  #confirmed = new Set();
  /** Of these nothing may be told until they are confirmed again. @type {Set<string>} */
  #refused = new Set();

  /** @param {(kind: string, what?: object) => void} note */
  constructor(note) {
    this.#note = note;
  }

  /** True if all that is watched is confirmed on an open connection, and applied. */
  get isQuiet() {
    return this.isOpen && [...this.#present].every((watch) => watch.isQuiet && this.holds(watch.topic));
  }

  /** The topics that were refused, and are neither given up nor asked for again. */
  get denied() {
    return this.watches.filter((watch) => watch.isDenied && !watch.isOver).map(({ topic }) => topic);
  }

  /**
   * True if the server has confirmed this topic, and is not being asked for it again.
   * @param {string} topic
   */
  holds(topic) {
    return this.#confirmed.has(topic) && !this.#asked.has(topic);
  }

  /**
   * Read along from now on with what is subscribed to.
   * @param {any} live what `connect()` returned
   * @param {(options: any) => number} since says since when a watch counts what it is told
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
   * Take a frame that the client is about to read.
   * @param {any} frame
   * @returns {() => void} takes back what the client would owe, if it does not read the frame
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

  /** The connection is lost, and what was asked on it is void. */
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
