/** @import { Environment } from "./environment.js" */
/** @import { Frame, FrameHandler } from "./frame_handlers.js" */
/** @import { SubscribeOptions } from "../subscriptions/subscription.js" */
/** @import { Handler } from "../subscriptions/handler_runner.js" */
import { Connection } /*;*/ from "./connection.js"
import { withDefaults } /*;*/ from "./environment.js"
import { FrameHandlers } /*;*/ from "./frame_handlers.js"
import { followPageLifecycle } /*;*/ from "./page_lifecycle.js"
import { Subscriptions } /*;*/ from "../subscriptions/subscriptions.js"

/**
 * Whether the page is known to be true.
 *
 * - connecting: the server has not confirmed everything yet
 * - live: the connection is open, every subscription confirmed, no handler failed
 * - stale: a handler failed and waits for its retry, or was denied its topic
 * - reconnecting: the connection was lost, or could not be made, and is not fully restored yet
 * - refused: the server refuses this client
 *
 * @typedef {"connecting" | "live" | "stale" | "reconnecting" | "refused"} LiveState
 *
 * @typedef {"connecting" | "live" | "stale"} PartState the same for the content of one plug-in
 */

/** @type {PartState[]} */
const PART_STATES = ["connecting", "live", "stale"];

/**
 * The page's live connection: its subscriptions, its plug-ins, and its state.
 *
 * Dispatches "state" when `state` has changed, "connected" and "lost". `<html data-live-state>`
 * mirrors the state, so that CSS alone can show it.
 */
export class Live extends EventTarget {
  #connection;
  #subscriptions;
  #clock;
  #since;
  #handlers = new FrameHandlers();
  /** What plug-ins reported, by name. @type {Map<string, PartState>} */ #parts = new Map();
  #isConnected = false;
  #isRestoring = false;
  #isStateScheduled = false;
  /** @type {LiveState | null} */ #announced = null;

  /**
   * @param {string} url absolute, ws: or wss:
   * @param {Partial<Environment>} [options]
   */
  constructor(url, options) {
    super();
    const environment = withDefaults(options);
    this.#clock = environment.clock;
    this.#since = environment.clock.now();
    const listener = { opened: () => this.#opened(), lost: () => this.#lost() };
    this.#connection = new Connection(url, listener, this.#handlers, environment);
    const stateChanged = () => this.#scheduleState();
    this.#subscriptions = new Subscriptions(this.#wire(), environment, stateChanged);
    followPageLifecycle({ wake: () => this.wake(), sleep: () => this.#connection.sleep() });
    this.#connection.open();
    this.#scheduleState();
  }

  /** @returns {LiveState} */
  get state() {
    const { state } = this.#connection;
    if (state === "refused") return "refused";
    if (state === "open") {
      if (this.#isBehind) return "stale";
      if (this.#isConfirmed) return "live";
    }
    return this.#isRestoring ? "reconnecting" : "connecting";
  }

  /** When this state began, in milliseconds since 1970. */
  get since() {
    return this.#since;
  }

  /** The last connection's close code, or null if none has ended yet. */
  get closeCode() {
    return this.#connection.closeCode;
  }

  /**
   * Subscribe to a topic. The handler's promise says "applied": the cursor moves only then. A
   * rejected one is retried. Changes that arrive meanwhile are merged and handled afterwards.
   *
   * @param {string} topic
   * @param {SubscribeOptions | Handler} options may be left out
   * @param {Handler} [handler]
   */
  subscribe(topic, options, handler) {
    if (typeof options === "function") return this.#subscriptions.subscribe(topic, {}, options);
    if (typeof handler !== "function") {
      throw new TypeError(`live: expected a handler for ${topic}, got ${typeof handler}`);
    }
    return this.#subscriptions.subscribe(topic, options ?? {}, handler);
  }

  /**
   * Use fresh tickets from the next request on: those of a page that was fetched just now. Topics
   * denied with another ticket are requested again, once per connection; revoked topics are not.
   * @param {Record<string, string | null | undefined>} tickets by topic; others are ignored
   */
  renewTickets(tickets) {
    this.#subscriptions.renewTickets(tickets);
  }

  /**
   * Handle the server's frames of a type that this client does not know: a plug-in's own.
   * @param {string} frameType
   * @param {FrameHandler} handler called with each frame; if it throws, the frame counts as lost
   *   and the connection is reopened
   */
  handle(frameType, handler) {
    this.#handlers.add(frameType, handler);
  }

  /**
   * Send a plug-in's frame. A frame that cannot be sent now is dropped: send it at "connected".
   * @param {Frame} frame
   * @returns {boolean} true if it was sent
   */
  send(frame) {
    if (typeof frame?.type !== "string") {
      throw new TypeError(`live: expected a frame with a type, got ${JSON.stringify(frame)}`);
    }
    return this.#connection.send(frame);
  }

  /**
   * Report whether a plug-in's content is true: `live.state` is the worst of all parts.
   * @param {string} part the plug-in's name for it
   * @param {PartState} state
   */
  report(part, state) {
    if (!PART_STATES.includes(state)) {
      throw new TypeError(`live: expected one of ${PART_STATES.join(", ")}, got ${state}`);
    }
    this.#parts.set(part, state);
    this.#scheduleState();
  }

  /** Close an open connection and reconnect: the response to any doubt, as to a missing answer. */
  reopen() {
    if (this.#connection.state === "open") this.#connection.reopen();
  }

  /** Check the connection now, and end all waits of handlers: the page may have slept. */
  wake() {
    this.#connection.wake();
    this.#subscriptions.hurry();
  }

  get #isBehind() {
    return this.#subscriptions.behind || [...this.#parts.values()].includes("stale");
  }

  get #isConfirmed() {
    return this.#subscriptions.confirmed && ![...this.#parts.values()].includes("connecting");
  }

  /** The part of the connection that the subscriptions use. */
  #wire() {
    return {
      handlers: this.#handlers,
      isOpen: () => this.#connection.state === "open",
      /** @param {Frame} frame */
      send: (frame) => this.#connection.send(frame),
      reopen: () => this.#connection.reopen(),
    };
  }

  #opened() {
    this.#isConnected = true;
    this.#subscriptions.opened();
    this.dispatchEvent(new Event("connected"));
    this.#scheduleState();
  }

  #lost() {
    this.#isRestoring = true;
    this.#subscriptions.lost();
    if (!this.#isConnected) return; // an attempt failed
    this.#isConnected = false;
    this.dispatchEvent(new Event("lost"));
  }

  /** Announce the state at the end of this turn: many subscriptions may change together. */
  #scheduleState() {
    if (this.#isStateScheduled) return;
    this.#isStateScheduled = true;
    queueMicrotask(() => this.#announceState());
  }

  #announceState() {
    this.#isStateScheduled = false;
    const { state } = this;
    if (this.#connection.state === "open" && this.#isConfirmed) this.#connection.proved();
    if (state === "live") this.#isRestoring = false;
    if (state === this.#announced) return;
    this.#announced = state;
    this.#since = this.#clock.now();
    const root = globalThis.document?.documentElement;
    if (root) root.dataset.liveState = state;
    this.dispatchEvent(new Event("state"));
  }
}
