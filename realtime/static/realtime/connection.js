import { Comeback } from "./comeback.js";
import { Liveness } from "./liveness.js";
import { CLIENT_FRAMES, CLOSE, PROTOCOL, SERVER_FRAMES } from "./protocol.js";

/**
 * @typedef {{type: string, [field: string]: any}} Frame
 *
 * @typedef {"connecting" | "open" | "waiting" | "refused"} ConnectionState
 *   open means welcomed, not merely accepted; waiting and refused come back by themselves
 *
 * @typedef {object} Listener
 * @property {() => void} opened the server said welcome
 * @property {() => void} lost whatever was asked on this connection is void
 * @property {(frame: Frame) => void} received a frame that is not the connection's own affair;
 *   if this throws, something may have been missed and the connection is reopened
 */

/** From the attempt to the server's welcome, in milliseconds. */
const WELCOME_TIMEOUT = 10_000;

/** "Abnormal closure": what a browser reports when the connection just broke. */
const BROKEN = 1006;

/** One websocket at a time to one URL: opened, watched, and opened again when it is lost. */
export class Connection {
  #url;
  #listener;
  #tools;
  #comeback;
  #liveness;
  /** @type {ConnectionState} */ #state = "waiting";
  /** @type {import("./tools.js").Socket | null} */ #socket = null;
  /** The welcome's deadline, or the end of the wait. @type {unknown} */ #timer = null;
  #welcomedAt = 0;

  /**
   * @param {string} url
   * @param {Listener} listener
   * @param {import("./tools.js").Tools} tools
   */
  constructor(url, listener, tools) {
    this.#url = url;
    this.#listener = listener;
    this.#tools = tools;
    this.#comeback = new Comeback(tools.random);
    this.#liveness = new Liveness(tools.clock, () => this.reopen());
  }

  get state() {
    return this.#state;
  }

  /** Make an attempt now. */
  open() {
    this.#state = "connecting";
    this.#setTimer(() => this.reopen(), WELCOME_TIMEOUT);
    try {
      const socket = new this.#tools.WebSocket(this.#url);
      // A socket that was given up may still speak; only the present one is listened to.
      socket.onmessage = ({ data }) => socket === this.#socket && this.#heard(data);
      socket.onclose = ({ code }) => socket === this.#socket && this.#closed(code);
      this.#socket = socket;
    } catch (error) {
      console.error(`live: cannot open ${this.#url}`, error);
      this.#closed(BROKEN);
    }
  }

  /**
   * Send a frame, if the server has welcomed us.
   * @param {Frame} frame
   */
  send(frame) {
    if (this.#state === "open") this.#socket?.send(JSON.stringify(frame));
  }

  /** The page may have slept: make sure of an open connection, or wait no longer for the next. */
  wake() {
    if (this.#state === "open") {
      this.#liveness.probe(() => this.send({ type: CLIENT_FRAMES.PING }));
    } else if (this.#state !== "connecting") {
      const wait = this.#comeback.hurried();
      if (wait !== null) this.#setTimer(() => this.open(), wait);
    }
  }

  /**
   * Give this socket up and come back with another: the answer to every doubt. Cursors make it
   * harmless.
   * @param {number} [code] the close code that says how to come back
   */
  reopen(code = BROKEN) {
    const socket = this.#socket;
    this.#closed(code);
    socket?.close();
  }

  /** @param {string} text */
  #heard(text) {
    this.#liveness.heard();
    try {
      this.#dispatch(JSON.parse(text));
    } catch (error) {
      // What this frame told is lost; the next connection replays it.
      console.error("live: frame not understood", error);
      this.reopen(CLOSE.TRY_AGAIN_LATER);
    }
  }

  /** @param {Frame} frame */
  #dispatch(frame) {
    if (frame.type === SERVER_FRAMES.WELCOME) this.#welcomed(frame);
    else if (frame.type === SERVER_FRAMES.PING) this.#pong(frame);
    else if (frame.type === SERVER_FRAMES.PONG) this.#liveness.ponged();
    else if (frame.type === SERVER_FRAMES.ERROR) console.error("live:", frame.code, frame.message);
    else this.#listener.received(frame);
  }

  /** @param {Frame} frame */
  #welcomed({ protocol, heartbeat }) {
    if (protocol !== PROTOCOL) {
      console.error(`live: expected protocol ${PROTOCOL}, got ${protocol}: reload the page`);
      return this.reopen(CLOSE.REFUSED);
    }
    this.#tools.clock.clearTimeout(this.#timer);
    this.#state = "open";
    this.#welcomedAt = this.#tools.clock.now();
    this.#liveness.start(heartbeat);
    this.#listener.opened();
  }

  /** @param {Frame} frame */
  #pong({ seq }) {
    this.send({ type: CLIENT_FRAMES.PONG, seq });
  }

  /** @param {number} code */
  #closed(code) {
    const lived = this.#state === "open" ? this.#tools.clock.now() - this.#welcomedAt : 0;
    const { refused, wait } = this.#comeback.after(code, lived);
    this.#liveness.stop();
    this.#socket = null;
    this.#state = refused ? "refused" : "waiting";
    this.#setTimer(() => this.open(), wait);
    this.#listener.lost();
  }

  /**
   * @param {() => void} run
   * @param {number} milliseconds
   */
  #setTimer(run, milliseconds) {
    this.#tools.clock.clearTimeout(this.#timer);
    this.#timer = this.#tools.clock.setTimeout(run, milliseconds);
  }
}
