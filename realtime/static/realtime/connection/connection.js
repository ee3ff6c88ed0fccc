import { ReconnectPolicy } from "./reconnect.js";
import { Heartbeat } from "./heartbeat.js";
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
  #environment;
  #reconnectPolicy;
  #heartbeat;
  /** @type {ConnectionState} */ #state = "waiting";
  /** @type {import("./environment.js").Socket | null} */ #socket = null;
  /** The welcome's deadline, or the end of the wait. @type {unknown} */ #timer = null;
  /** Since when all that was asked for is answered. @type {number | null} */ #provedAt = null;
  /** @type {number | null} */ #closeCode = null;

  /**
   * @param {string} url
   * @param {Listener} listener
   * @param {import("./environment.js").Environment} environment
   */
  constructor(url, listener, environment) {
    this.#url = url;
    this.#listener = listener;
    this.#environment = environment;
    this.#reconnectPolicy = new ReconnectPolicy(environment.random);
    this.#heartbeat = new Heartbeat(environment.clock, () => this.reopen());
  }

  get state() {
    return this.#state;
  }

  /** Why the last connection ended; null before one has. */
  get closeCode() {
    return this.#closeCode;
  }

  /** Make an attempt now. */
  open() {
    this.#state = "connecting";
    this.#setTimer(() => this.reopen(), WELCOME_TIMEOUT);
    try {
      const socket = new this.#environment.WebSocket(this.#url);
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

  /**
   * All that was asked for is answered. Until then a connection is no success, however long it
   * lasts: the server may welcome us and have nothing to tell.
   */
  proved() {
    this.#provedAt ??= this.#environment.clock.now();
  }

  /** The page may have slept: make sure of an open connection, or wait no longer for the next. */
  wake() {
    if (this.#heartbeat.isOverdue) this.reopen();
    if (this.#state === "open") {
      this.#heartbeat.probe(() => this.send({ type: CLIENT_FRAMES.PING }));
    } else if (this.#state !== "connecting") {
      const wait = this.#reconnectPolicy.hurried();
      if (wait !== null) this.#setTimer(() => this.open(), wait);
    }
  }

  /**
   * Scripts are about to be stopped. A socket that nobody reads only fills up; and should they go
   * on after all, the page comes back as after any loss.
   */
  sleep() {
    if (this.#socket) this.reopen();
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
    // It was buffered before a sleep: the connection may be long dead, and the next one replays.
    if (this.#heartbeat.isOverdue) return this.reopen();
    this.#heartbeat.heard();
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
    else if (frame.type === SERVER_FRAMES.PONG) this.#heartbeat.ponged();
    else if (frame.type === SERVER_FRAMES.ERROR) console.error("live:", frame.code, frame.message);
    else if (frame.type === SERVER_FRAMES.PING) {
      this.send({ type: CLIENT_FRAMES.PONG, seq: frame.seq });
    } else this.#listener.received(frame);
  }

  /** @param {Frame} frame */
  #welcomed({ protocol, heartbeat }) {
    if (protocol !== PROTOCOL) {
      console.error(`live: expected protocol ${PROTOCOL}, got ${protocol}: reload the page`);
      return this.reopen(CLOSE.REFUSED);
    }
    this.#environment.clock.clearTimeout(this.#timer);
    this.#state = "open";
    this.#heartbeat.start(heartbeat);
    this.#listener.opened();
  }

  /** @param {number} code */
  #closed(code) {
    const served = this.#provedAt === null ? 0 : this.#environment.clock.now() - this.#provedAt;
    const { refused, wait } = this.#reconnectPolicy.after(code, served);
    this.#heartbeat.stop();
    this.#socket = null;
    this.#provedAt = null;
    this.#closeCode = code;
    this.#state = refused ? "refused" : "waiting";
    this.#setTimer(() => this.open(), wait);
    this.#listener.lost();
  }

  /**
   * @param {() => void} run
   * @param {number} milliseconds
   */
  #setTimer(run, milliseconds) {
    this.#environment.clock.clearTimeout(this.#timer);
    this.#timer = this.#environment.clock.setTimeout(run, milliseconds);
  }
}
