/** @import { Environment, Socket } from "./environment.js" */
/** @import { Frame, FrameHandlers } from "./frame_handlers.js" */
import { Heartbeat } /*;*/ from "./heartbeat.js"
import { CLIENT_FRAMES, CLOSE, PROTOCOL, SERVER_FRAMES } /*;*/ from "./protocol.js"
import { ReconnectPolicy } /*;*/ from "./reconnect.js"

/**
 * @typedef {"connecting" | "open" | "waiting" | "refused"} ConnectionState
 *   open: the server has sent welcome; waiting and refused: another attempt follows by itself
 *
 * @typedef {object} ConnectionListener
 * @property {() => void} opened the server sent welcome
 * @property {() => void} lost all requests on this connection are void
 */

/** From the attempt to the server's welcome, in milliseconds. */
const WELCOME_TIMEOUT = 10_000;

/** "Abnormal closure": the code that browsers report when the connection broke. */
const BROKEN = 1006;

/** One websocket at a time to one URL: opened, judged by its heartbeat, reopened when lost. */
export class Connection {
  #url;
  #listener;
  #handlers;
  #environment;
  #reconnectPolicy;
  #heartbeat;
  /** @type {ConnectionState} */ #state = "waiting";
  /** @type {Socket | null} */ #socket = null;
  /** The welcome's deadline, or the end of the wait. @type {unknown} */ #timer = null;
  /** When the server had answered every request. @type {number | null} */ #provedAt = null;
  /** @type {number | null} */ #closeCode = null;

  /**
   * @param {string} url
   * @param {ConnectionListener} listener
   * @param {FrameHandlers} handlers
   * @param {Environment} environment
   */
  constructor(url, listener, handlers, environment) {
    this.#url = url;
    this.#listener = listener;
    this.#handlers = handlers;
    this.#environment = environment;
    this.#reconnectPolicy = new ReconnectPolicy(environment.random);
    this.#heartbeat = new Heartbeat(environment.clock, () => this.reopen());
    this.#handleOwnFrames();
  }

  get state() {
    return this.#state;
  }

  /** The last connection's close code; null before one has ended. */
  get closeCode() {
    return this.#closeCode;
  }

  /** Make an attempt now. */
  open() {
    this.#state = "connecting";
    this.#setTimer(() => this.reopen(), WELCOME_TIMEOUT);
    try {
      const socket = new this.#environment.WebSocket(this.#url);
      // An abandoned socket may still deliver events; they are ignored.
      socket.onmessage = ({ data }) => socket === this.#socket && this.#received(data);
      socket.onclose = ({ code }) => socket === this.#socket && this.#closed(code);
      this.#socket = socket;
    } catch (error) {
      console.error(`live: cannot open ${this.#url}`, error);
      this.#closed(BROKEN);
    }
  }

  /**
   * Send a frame, if the server has sent welcome.
   * @param {Frame} frame
   * @returns {boolean} true if it was sent
   */
  send(frame) {
    if (this.#state !== "open") return false;
    this.#socket?.send(JSON.stringify(frame));
    return true;
  }

  /**
   * Note that the server has answered every request. Until then a connection is no success, however
   * long it lasts: a server may send welcome and then answer nothing.
   */
  proved() {
    this.#provedAt ??= this.#environment.clock.now();
  }

  /** Check the connection now, or shorten the wait for the next: the page may have slept. */
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
   * Close the socket: the browser is about to stop the page's scripts, and the server's frames
   * would only fill buffers. If the scripts continue, the client reconnects as after a loss.
   */
  sleep() {
    if (this.#socket) this.reopen();
  }

  /**
   * Abandon this socket and reconnect: the response to any doubt. Cursors make it harmless.
   * @param {number} [code] the close code that says how to reconnect
   */
  reopen(code = BROKEN) {
    const socket = this.#socket;
    this.#closed(code);
    socket?.close();
  }

  #handleOwnFrames() {
    this.#handlers.add(SERVER_FRAMES.WELCOME, (frame) => this.#welcomed(frame));
    this.#handlers.add(SERVER_FRAMES.PONG, () => this.#heartbeat.ponged());
    this.#handlers.add(SERVER_FRAMES.PING, ({ seq }) => {
      this.send({ type: CLIENT_FRAMES.PONG, seq });
    });
    this.#handlers.add(SERVER_FRAMES.ERROR, ({ code, message }) => {
      console.error("live:", code, message);
    });
  }

  /** @param {string} text */
  #received(text) {
    // The browser buffered the frame before a sleep. The connection may be dead; the next one
    // replays the frame's content.
    if (this.#heartbeat.isOverdue) return this.reopen();
    this.#heartbeat.heard();
    try {
      this.#handlers.handle(JSON.parse(text));
    } catch (error) {
      // This frame's content is lost; the next connection replays it.
      console.error("live: frame not understood", error);
      this.reopen(CLOSE.TRY_AGAIN_LATER);
    }
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
    const { clock } = this.#environment;
    const served = this.#provedAt === null ? 0 : clock.now() - this.#provedAt;
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
