import { ScriptClient } from "./script.mjs";

/** A client of one topic that shows no rows, and connects to the servers in turn. */
export class WatcherClient extends ScriptClient {
  kind = "watcher";
  #topic;
  #ports;
  #next;

  /** @param {any} spec with `topics`, and `first`, the number of its first server */
  constructor(spec, world) {
    super(spec, world);
    [this.#topic] = spec.topics;
    this.#ports = world.ports;
    this.#next = spec.first;
  }

  port() {
    return this.#ports[this.#next++ % this.#ports.length];
  }

  async load() {
    this.live = await this.connect();
    this.live.subscribe(this.#topic, {}, () => {});
    while (this.live.state !== "live") {
      await new Promise((resolve) => this.live.addEventListener("state", resolve, { once: true }));
    }
  }
}
