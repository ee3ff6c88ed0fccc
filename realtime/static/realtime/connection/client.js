import { Connection } from "./connection.js";
import { followPageLifecycle } from "./page_lifecycle.js";
import { Subscriptions } from "../subscriptions/subscriptions.js";
import { withDefaults } from "./environment.js";

/**
 * How true the page is.
 *
 * - connecting: not all is confirmed yet
 * - live: the connection is open, every subscription confirmed, nothing failed
 * - stale: some handler failed and waits to be retried, or was denied its topic
 * - reconnecting: the connection was lost, or could not be made, and not all is restored yet
 * - refused: the server will not have us
 *
 * @typedef {"connecting" | "live" | "stale" | "reconnecting" | "refused"} LiveState
 */

/**
 * The page's live connection: what is watched, and how true it is.
 *
 * Dispatches a "state" event when `state` has changed; `<html data-live-state>` mirrors it, so
 * that CSS alone can draw a mark.
 */
export class Live extends EventTarget {
  #connection;
  #subscriptions;
  #clock;
  #since;
  #restoring = false;
  #stateScheduled = false;
  /** @type {LiveState | null} */ #announced = null;

  /**
   * @param {string} url absolute, ws: or wss:
   * @param {Partial<import("./environment.js").Environment>} [options]
   */
  constructor(url, options) {
    super();
    const environment = withDefaults(options);
    this.#clock = environment.clock;
    this.#since = environment.clock.now();
    const changed = () => this.#scheduleState();
    this.#connection = new Connection(url, {
      opened: () => this.#opened(),
      received: (frame) => this.#subscriptions.received(frame),
      lost: () => this.#lost(),
    }, environment);
    this.#subscriptions = new Subscriptions({
      isOpen: () => this.#connection.state === "open",
      send: (frame) => this.#connection.send(frame),
      reopen: () => this.#connection.reopen(),
    }, environment, changed);
    followPageLifecycle({ wake: () => this.wake(), sleep: () => this.#connection.sleep() });
    this.#connection.open();
    this.#scheduleState();
  }

  /** @returns {LiveState} */
  get state() {
    const { state } = this.#connection;
    if (state === "refused") return "refused";
    if (state === "open") {
      if (this.#subscriptions.behind) return "stale";
      if (this.#subscriptions.confirmed) return "live";
    }
    return this.#restoring ? "reconnecting" : "connecting";
  }

  /** When this state began, in milliseconds since 1970. */
  get since() {
    return this.#since;
  }

  /** Why the last connection ended: its close code, or null if none has ended yet. */
  get closeCode() {
    return this.#connection.closeCode;
  }

  /**
   * Watch a topic. The handler's promise says "applied": the cursor moves only then, a rejection
   * is retried, and what arrives meanwhile is merged and told afterwards.
   *
   * @param {string} topic
   * @param {import("../subscriptions/subscription.js").SubscribeOptions | import("../subscriptions/handler_runner.js").Handler} options
   *   may be left out
   * @param {import("../subscriptions/handler_runner.js").Handler} [handler]
   */
  subscribe(topic, options, handler) {
    if (typeof options === "function") return this.#subscriptions.subscribe(topic, {}, options);
    if (typeof handler !== "function") {
      throw new TypeError(`live: expected a handler for ${topic}, got ${typeof handler}`);
    }
    return this.#subscriptions.subscribe(topic, options ?? {}, handler);
  }

  /**
   * Use fresh tickets from the next request on: those of a page that was fetched just now.
   * @param {Record<string, string | null | undefined>} tickets by topic; others are passed over
   */
  renewTickets(tickets) {
    this.#subscriptions.renewTickets(tickets);
  }

  /** Make sure, now, that what is shown is true: the page may have slept. */
  wake() {
    this.#connection.wake();
    this.#subscriptions.hurry();
  }

  #opened() {
    this.#subscriptions.opened();
    this.#scheduleState();
  }

  #lost() {
    this.#restoring = true;
    this.#subscriptions.lost();
  }

  /** Once a turn: many subscriptions may change together. */
  #scheduleState() {
    if (this.#stateScheduled) return;
    this.#stateScheduled = true;
    queueMicrotask(() => this.#announceState());
  }

  #announceState() {
    this.#stateScheduled = false;
    const { state } = this;
    if (this.#connection.state === "open" && this.#subscriptions.confirmed) {
      this.#connection.proved();
    }
    if (state === "live") this.#restoring = false;
    if (state === this.#announced) return;
    this.#announced = state;
    this.#since = this.#clock.now();
    const root = globalThis.document?.documentElement;
    if (root) root.dataset.liveState = state;
    this.dispatchEvent(new Event("state"));
  }
}
