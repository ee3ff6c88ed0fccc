// The browser's side of django-livequery in one file, which pages load.
// `make bundle` joins the modules beside it. Edit those, not this file.

// ---- connection/heartbeat.js --------------------------------------------------------------------

/** The heartbeats that may pass without a frame: two lost ones, and some slack. */
const SILENT_HEARTBEATS = 2.5;

/** The most time between two looks at the clock, in milliseconds. */
const LOOK_INTERVAL = 5_000;

/** The time that a probe waits for its pong, in milliseconds. */
const PROBE_TIMEOUT = 3_000;

/** Used if the server names no heartbeat, in seconds. */
const DEFAULT_HEARTBEAT = 25;

/**
 * Judges whether a connection is alive. A dead TCP connection reports nothing: without a deadline
 * of its own the client would show a page as live and receive no changes.
 *
 * The clock decides, not a timer, since timers stop while a machine sleeps. A timer of one minute
 * would leave the page shown as live for most of that minute after waking.
 */
class Heartbeat {
  #clock;
  #onDeath;
  #maxSilence = Infinity;
  #heardAt = 0;
  /** @type {unknown} */ #look = null;
  /** @type {unknown} */ #probe = null;

  /**
   * @param {Clock} clock
   * @param {() => void} onDeath called once when the connection is presumed dead
   */
  constructor(clock, onDeath) {
    this.#clock = clock;
    this.#onDeath = onDeath;
  }

  /** True if the last frame is older than it can be on a live connection. */
  get isOverdue() {
    return this.#clock.now() - this.#heardAt >= this.#maxSilence;
  }

  /**
   * Begin to expect frames.
   * @param {unknown} heartbeat seconds between two frames at the most, as the server named it
   */
  start(heartbeat) {
    const seconds = typeof heartbeat === "number" && heartbeat > 0 ? heartbeat : DEFAULT_HEARTBEAT;
    this.#maxSilence = seconds * SILENT_HEARTBEATS * 1_000;
    this.heard();
    this.#watch();
  }

  /** Note that a frame of any type was received. */
  heard() {
    this.#heardAt = this.#clock.now();
  }

  /**
   * Demand a pong now.
   * @param {() => void} ping sends the ping
   */
  probe(ping) {
    if (this.#probe !== null) return;
    this.#probe = this.#clock.setTimeout(() => this.#end(), PROBE_TIMEOUT);
    ping();
  }

  /**
   * Note the answer to the probe. Only a pong is an answer: after a sleep, frames that were
   * buffered before it still arrive over a dead connection.
   */
  ponged() {
    this.#clock.clearTimeout(this.#probe);
    this.#probe = null;
  }

  /** Stop judging: the connection is lost or abandoned. */
  stop() {
    this.ponged();
    this.#clock.clearTimeout(this.#look);
    this.#maxSilence = Infinity;
  }

  #watch() {
    if (this.isOverdue) return this.#end();
    // A clock that was set back must not prolong the silence.
    this.#heardAt = Math.min(this.#heardAt, this.#clock.now());
    const left = this.#heardAt + this.#maxSilence - this.#clock.now();
    this.#look = this.#clock.setTimeout(() => this.#watch(), Math.min(LOOK_INTERVAL, left));
  }

  #end() {
    this.stop();
    this.#onDeath();
  }
}

// ---- connection/protocol.js ---------------------------------------------------------------------

/**
 * The constants of the wire: version 1 of the WebSocket protocol, spelled as the server does.
 *
 * No other module writes a frame type, a verb or a close code by hand, so that one test can compare
 * this file with the server's types.
 */

const PROTOCOL = 1;

/** The types of the client's frames. */
const CLIENT_FRAMES = Object.freeze({
  SUBSCRIBE: "subscribe",
  UNSUBSCRIBE: "unsubscribe",
  WATCH: "watch",
  UNWATCH: "unwatch",
  QUERY: "query",
  UNQUERY: "unquery",
  PING: "ping",
  PONG: "pong",
});

/** The types of the server's frames. Those without a handler are ignored. */
const SERVER_FRAMES = Object.freeze({
  WELCOME: "welcome",
  SUBSCRIBED: "subscribed",
  CHANGED: "changed",
  DENIED: "denied",
  REVOKED: "revoked",
  STALE: "stale",
  GONE: "gone",
  SNAPSHOT: "snapshot",
  DELTA: "delta",
  CURRENT: "current",
  PING: "ping",
  PONG: "pong",
  ERROR: "error",
});

/** What happened to a row, as seen from a topic. */
const VERBS = Object.freeze({
  ENTERED: "entered",
  UPDATED: "updated",
  LEFT: "left",
});

/** Why the server closes a connection. Codes below 4000 are the WebSocket standard's. */
const CLOSE = Object.freeze({
  SERVICE_RESTART: 1012,
  TRY_AGAIN_LATER: 1013,
  NOT_UNDERSTOOD: 4400,
  NOT_AUTHENTICATED: 4401,
  REFUSED: 4403,
  SILENT: 4408,
  TOO_LARGE: 4413,
  TOO_MANY: 4429,
  DRAINING: 4503,
  FULL: 4504,
});

// ---- connection/backoff.js ----------------------------------------------------------------------

/**
 * The wait before the next attempt: exponential, with full jitter.
 *
 * Full jitter draws from zero to the ceiling. It spreads many clients that lost their connections
 * at one moment better than a fixed delay with a little noise.
 */
class Backoff {
  #base;
  #cap;
  #random;
  #failures = 0;

  /** @param {{base?: number, cap?: number, random?: () => number}} [options] in milliseconds */
  constructor({ base = 1_000, cap = 30_000, random = Math.random } = {}) {
    this.#base = base;
    this.#cap = cap;
    this.#random = random;
  }

  /**
   * Count one failure and return the milliseconds to wait after it.
   * @param {number} [spread] the lowest ceiling, where many clients are known to reconnect
   */
  next(spread = 0) {
    // 2 ** failures overflows to Infinity at worst, and min() makes that the cap.
    const ceiling = Math.min(this.#cap, this.#base * 2 ** this.#failures++);
    return this.#random() * Math.max(spread, ceiling);
  }

  /** Forget the failures, after a success. */
  reset() {
    this.#failures = 0;
  }
}

// ---- connection/reconnect.js --------------------------------------------------------------------

/**
 * The meaning of a close code for a client that wants to reconnect.
 *
 * - `refused`: the server understood the client and refuses it.
 * - `slow`: an early attempt does not help: wait long, or until the user looks at the page.
 * - `spread`: the server closed many connections at once: the least ceiling of the random wait,
 *   in milliseconds.
 * - `bug`: the client did something wrong, and a developer should see it.
 *
 * @typedef {{refused?: boolean, slow?: boolean, spread?: number, bug?: boolean}} Meaning
 */

/** @type {Map<number, Meaning>} any other code is an ordinary loss */
const MEANINGS = new Map([
  [CLOSE.NOT_UNDERSTOOD, { slow: true, bug: true }],
  [CLOSE.TOO_LARGE, { slow: true, bug: true }],
  [CLOSE.NOT_AUTHENTICATED, { slow: true, refused: true }],
  [CLOSE.REFUSED, { slow: true, refused: true }],
  [CLOSE.TOO_MANY, { slow: true }],
  [CLOSE.FULL, { slow: true }],
  [CLOSE.DRAINING, { spread: 5_000 }],
  [CLOSE.SERVICE_RESTART, { spread: 5_000 }],
  [CLOSE.TRY_AGAIN_LATER, { spread: 5_000 }],
]);

/** A connection that served this long was a success (ms); a shorter one may be a crash loop. */
const STABLE_AFTER = 10_000;

/** The least and the most wait after a `slow` code, in milliseconds. */
const SLOW_WAIT = 30_000;
const SLOWEST_WAIT = 300_000;

/** The most wait while the user looks at the page, in milliseconds. */
const HURRIED_WAIT = 500;

/** Decides when the client reconnects after a connection ended. */
class ReconnectPolicy {
  #backoff;
  #slowBackoff;
  #random;
  #isHurried = false;

  /** @param {() => number} random */
  constructor(random) {
    this.#random = random;
    this.#backoff = new Backoff({ random });
    this.#slowBackoff = new Backoff({ base: SLOW_WAIT, cap: SLOWEST_WAIT - SLOW_WAIT, random });
  }

  /**
   * Decide how to reconnect.
   * @param {number} code the close code
   * @param {number} served milliseconds since the server had answered every request
   * @returns {{refused: boolean, wait: number}}
   */
  after(code, served) {
    const { refused = false, slow, spread, bug } = MEANINGS.get(code) ?? {};
    if (bug) console.error(`live: the server closed with ${code}: a bug in this client`);
    this.#isHurried = false;
    if (served >= STABLE_AFTER) {
      this.#backoff.reset();
      this.#slowBackoff.reset();
    }
    const wait = slow ? SLOW_WAIT + this.#slowBackoff.next() : this.#backoff.next(spread);
    return { refused, wait };
  }

  /** Return a shorter wait for a page that woke up, or null if this wait was shortened already. */
  hurried() {
    if (this.#isHurried) return null;
    this.#isHurried = true;
    return this.#random() * HURRIED_WAIT;
  }
}

// ---- connection/connection.js -------------------------------------------------------------------

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
class Connection {
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

// ---- connection/environment.js ------------------------------------------------------------------

/**
 * The parts of the environment that the client uses. Tests pass their own.
 *
 * @typedef {object} Clock
 * @property {(run: () => void, milliseconds: number) => unknown} setTimeout
 * @property {(timer: any) => void} clearTimeout
 * @property {() => number} now milliseconds since 1970; it goes on while the machine sleeps
 *
 * @typedef {object} Socket the part of a WebSocket that is used
 * @property {(text: string) => void} send
 * @property {() => void} close
 * @property {((event: any) => void) | null} onmessage
 * @property {((event: any) => void) | null} onclose
 *
 * @typedef {new (url: string) => Socket} SocketClass
 *
 * @typedef {object} Environment
 * @property {Clock} clock
 * @property {() => number} random from 0 up to, not including, 1
 * @property {SocketClass} WebSocket
 */

/** @type {Clock} */
const browserClock = {
  setTimeout: (run, milliseconds) => globalThis.setTimeout(run, milliseconds),
  clearTimeout: (timer) => globalThis.clearTimeout(timer),
  // Not performance.now(): in some browsers it stops while the machine sleeps.
  now: () => Date.now(),
};

/**
 * Return an environment with the browser's part for each that the caller did not pass.
 * @param {Partial<Environment>} [given]
 * @returns {Environment}
 */
function withDefaults(given = {}) {
  return {
    clock: given.clock ?? browserClock,
    random: given.random ?? Math.random,
    WebSocket: given.WebSocket ?? globalThis.WebSocket,
  };
}

// ---- connection/frame_handlers.js ---------------------------------------------------------------

/**
 * @typedef {{type: string, [field: string]: any}} Frame
 * @typedef {(frame: any) => void} FrameHandler takes a frame of its type; if it throws, the frame
 *   counts as lost and the connection is reopened
 */

/**
 * The handlers of server frames, one for each type.
 *
 * The connection and the subscriptions add theirs; so does each plug-in. A type without a handler
 * is ignored, since newer servers may send types that this client does not know.
 */
class FrameHandlers {
  /** @type {Map<string, FrameHandler>} */ #handlers = new Map();

  /**
   * Handle the frames of a type.
   * @param {string} frameType
   * @param {FrameHandler} handler
   */
  add(frameType, handler) {
    if (typeof frameType !== "string" || frameType === "") {
      throw new TypeError(`live: expected a frame type, a non-empty string, got ${frameType}`);
    }
    if (typeof handler !== "function") {
      throw new TypeError(`live: expected a function to handle "${frameType}", got ${handler}`);
    }
    if (this.#handlers.has(frameType)) {
      throw new Error(`live: "${frameType}" frames have a handler already: add one for each type`);
    }
    this.#handlers.set(frameType, handler);
  }

  /**
   * Call the handler of a frame's type, if there is one.
   * @param {Frame} frame
   */
  handle(frame) {
    this.#handlers.get(frame.type)?.(frame);
  }
}

// ---- connection/page_lifecycle.js ---------------------------------------------------------------

/**
 * @typedef {object} LifecycleListener
 * @property {() => void} wake the page may have slept, or its network may have changed
 * @property {() => void} sleep the browser is about to stop the page's scripts
 *
 * @typedef {object} LifecycleSource
 * @property {EventTarget} [window]
 * @property {EventTarget & {visibilityState: string}} [document]
 */

/**
 * Follow how the browser stops and wakes a page. A page wakes when it becomes visible, when the
 * browser is online again, and when it is thawed or returns from the back/forward cache.
 *
 * Timers stop while a page sleeps, so the client makes their checks at once when the page wakes.
 *
 * @param {LifecycleListener} listener
 * @param {LifecycleSource} [page]
 */
function followPageLifecycle({ wake, sleep }, { window, document } = globalThis) {
  document?.addEventListener("visibilitychange", () => {
    if (document.visibilityState === "visible") wake();
  });
  document?.addEventListener("resume", wake);
  document?.addEventListener("freeze", sleep);
  window?.addEventListener("online", wake);
  // `pageshow` also follows the first load, before any sleep; `pagehide` also precedes an unload,
  // which closes the socket by itself. An open socket would keep the page out of the cache.
  window?.addEventListener("pageshow", (event) => isFromCache(event) && wake());
  window?.addEventListener("pagehide", (event) => isFromCache(event) && sleep());
}

/** @param {Event} event */
function isFromCache(event) {
  return /** @type {PageTransitionEvent} */ (event).persisted;
}

// ---- connection/batches.js ----------------------------------------------------------------------

/** Servers refuse frames above a size, usually 64 KiB: batches stay below it, in bytes. */
const MAX_BATCH_BYTES = 48_000;

/**
 * Divide the items of a frame into batches: one, unless it would be too large.
 * @template T
 * @param {T[]} items
 * @returns {T[][]}
 */
function inBatches(items) {
  /** @type {T[][]} */
  const batches = [];
  let room = 0;
  for (const item of items) {
    const length = new TextEncoder().encode(JSON.stringify(item)).length + 1;
    if (length > room) {
      batches.push([]);
      room = MAX_BATCH_BYTES;
    }
    batches[batches.length - 1].push(item);
    room -= length;
  }
  return batches;
}

// ---- subscriptions/ack_timeouts.js --------------------------------------------------------------

/** How long the server may take to confirm or deny a topic, in milliseconds. */
const ACK_TIMEOUT = 30_000;

/**
 * Checks that the server answers every request of one connection. The answers may come in parts:
 * a part whose backend was away for a moment comes last. A later answer is not expected.
 */
class AckTimeouts {
  #clock;
  #onOverdue;
  /** When each topic was requested, the oldest first. @type {Map<string, number>} */
  #requested = new Map();
  /** @type {unknown} */ #timer = null;

  /**
   * @param {Clock} clock
   * @param {() => void} onOverdue called when the server did not answer for some topic in time
   */
  constructor(clock, onOverdue) {
    this.#clock = clock;
    this.#onOverdue = onOverdue;
  }

  /** @param {Iterable<string>} topics that the client requests now */
  expect(topics) {
    const now = this.#clock.now();
    for (const topic of topics) this.#requested.set(topic, now);
    this.#setTimer();
  }

  /** @param {string} topic that the server confirmed or denied */
  answered(topic) {
    this.#requested.delete(topic);
    if (this.#requested.size === 0) this.clear();
  }

  /** Expect nothing more: the connection is lost. */
  clear() {
    this.#requested.clear();
    this.#clock.clearTimeout(this.#timer);
    this.#timer = null;
  }

  #setTimer() {
    const [oldest] = this.#requested.values();
    if (oldest === undefined || this.#timer !== null) return;
    const left = oldest + ACK_TIMEOUT - this.#clock.now();
    this.#timer = this.#clock.setTimeout(() => this.#check(oldest), Math.min(left, ACK_TIMEOUT));
  }

  /** @param {number} expected when the oldest topic was requested, as the timer was set */
  #check(expected) {
    this.#timer = null;
    const [oldest] = this.#requested.values();
    if (oldest > expected) return this.#setTimer();
    this.clear();
    this.#onOverdue();
  }
}

// ---- subscriptions/changes.js -------------------------------------------------------------------

/**
 * The changes that a handler has not been called with yet, and how they merge. Pure functions.
 *
 * A message says only which rows changed, so any number of them merges into one. A handler that is
 * slow or fails costs bounded memory and misses nothing.
 *
 * @typedef {"entered" | "updated" | "left"} Verb
 *
 * @typedef {object} ChangeSet
 * @property {string | null} reset the reason to reload everything; absorbs the rows
 * @property {ReadonlyMap<string, ReadonlyMap<string, Verb>>} rows label to pk to verb
 * @property {string | null} cursor the client's position once this has been applied; null leaves
 *   the position as it is
 *
 * @typedef {Record<string, {entered: string[], updated: string[], left: string[]}>} Changes
 *
 * @typedef {object} Told the argument of a handler
 * @property {Changes} changes
 * @property {string | null} reset
 * @property {string | null} cursor
 */

/** Above so many rows, reloading everything is cheaper than naming them. */
const MAX_ROWS = 1_000;

/** @type {Verb[]} */
const ALL_VERBS = Object.values(VERBS);

/**
 * Build the change set that says to reload everything.
 * @param {string} reset the reason
 * @param {string | null} [cursor]
 * @returns {ChangeSet}
 */
function resetChanges(reset, cursor = null) {
  return { reset, rows: new Map(), cursor };
}

/**
 * Read a topic's entry of a `changed` frame, or the argument of a handler.
 * @param {{changes?: Record<string, Partial<Record<Verb, string[]>>> | null,
 *   reset?: string | null, cursor?: string | null}} entry
 * @returns {ChangeSet}
 */
function readChanges({ changes, reset = null, cursor = null }) {
  if (reset !== null) return resetChanges(reset, cursor);
  const rows = new Map();
  for (const [label, lists] of Object.entries(changes ?? {})) {
    /** @type {Map<string, Verb>} */
    const verbs = new Map();
    for (const verb of ALL_VERBS) {
      for (const pk of lists[verb] ?? []) addVerb(verbs, pk, verb);
    }
    if (verbs.size) rows.set(label, verbs);
  }
  return bounded({ reset: null, rows, cursor });
}

/**
 * Merge a change set with a later one. The cursor is the last known: all before it is in here.
 * @param {ChangeSet} older
 * @param {ChangeSet} newer
 * @returns {ChangeSet}
 */
function mergeChanges(older, newer) {
  const reset = newer.reset ?? older.reset;
  const cursor = newer.cursor ?? older.cursor;
  if (reset !== null) return resetChanges(reset, cursor);
  const rows = new Map(older.rows);
  for (const [label, verbs] of newer.rows) {
    const merged = new Map(rows.get(label));
    for (const [pk, verb] of verbs) addVerb(merged, pk, verb);
    rows.set(label, merged);
  }
  return bounded({ reset: null, rows, cursor });
}

/**
 * True if there is nothing to apply but the cursor.
 * @param {ChangeSet} changes
 */
function isEmpty({ reset, rows }) {
  return reset === null && rows.size === 0;
}

/**
 * Build the argument of a handler; absent lists are empty.
 * @param {ChangeSet} changes
 * @returns {Told}
 */
function toTold({ reset, rows, cursor }) {
  const changes = Object.fromEntries([...rows].map(([label, verbs]) => [label, byVerb(verbs)]));
  return { changes, reset, cursor };
}

/** @param {ReadonlyMap<string, Verb>} verbs */
function byVerb(verbs) {
  /** @param {Verb} wanted */
  const pks = (wanted) => [...verbs].filter(([, verb]) => verb === wanted).map(([pk]) => pk);
  return { entered: pks(VERBS.ENTERED), updated: pks(VERBS.UPDATED), left: pks(VERBS.LEFT) };
}

/**
 * Add a row's verb. Two different verbs for one row merge to updated: the row must be reloaded.
 * @param {Map<string, Verb>} verbs
 * @param {string} pk
 * @param {Verb} verb
 */
function addVerb(verbs, pk, verb) {
  const known = verbs.get(pk);
  verbs.set(pk, known && known !== verb ? VERBS.UPDATED : verb);
}

/**
 * @param {ChangeSet} changes
 * @returns {ChangeSet}
 */
function bounded(changes) {
  let size = 0;
  for (const verbs of changes.rows.values()) size += verbs.size;
  return size > MAX_ROWS ? resetChanges("overflow", changes.cursor) : changes;
}

// ---- subscriptions/jitter.js --------------------------------------------------------------------

/**
 * @typedef {object} JitterOptions
 * @property {number | null} [jitter] milliseconds over which all runs are spread
 * @property {number | null} [resetJitter] the same for resets that reach every client at one
 *   moment, where no `jitter` is given
 */

/** The spread of resets that reach every client, unless an option says otherwise (ms). */
const RESET_JITTER = 1_000;

/** Reasons for which the servers reset many clients at one moment. */
const CROWD_RESETS = [
  "backend-restart", "server", "history-expired", "overflow", "bulk", "raw-sql",
];

/** Reasons that concern this client alone, not many clients at one moment. */
const OWN_RESETS = ["unknown-cursor", "access"];

/**
 * Return the spread of a run, in milliseconds; 0 means at once.
 * @param {string | null} reset the reason, if the run is for a reset
 * @param {JitterOptions} options
 */
function spreadOf(reset, { jitter, resetJitter }) {
  if (reset !== null && OWN_RESETS.includes(reset)) return 0;
  if (jitter != null) return jitter;
  return reset !== null && CROWD_RESETS.includes(reset) ? (resetJitter ?? RESET_JITTER) : 0;
}

/**
 * Random waits before runs, so that thousands of clients that are told at one moment do not all
 * fetch at that moment.
 *
 * The waits of one Jitter end together, when the first of them ends. Runs that share one fetch
 * share a Jitter: with separate waits the page would be fetched several times.
 */
class Jitter {
  #clock;
  #random;
  /** This round's random part of the spreads. @type {number | null} */ #share = null;
  /** The waiting runs and their timers. @type {Map<() => void, unknown>} */ #waiting = new Map();
  #isOpen = false;

  /** @param {Pick<Environment, "clock" | "random">} environment */
  constructor({ clock, random }) {
    this.#clock = clock;
    this.#random = random;
  }

  /**
   * Call `run` after a random part of the spread. A spread of 0 also ends all other waits: they
   * share its fetch.
   * @param {number} spread in milliseconds
   * @param {() => void} run
   * @returns {() => void} cancels the wait
   */
  wait(spread, run) {
    if (spread === 0) this.#end();
    if (this.#isOpen) {
      run();
      return () => {};
    }
    this.#share ??= this.#random();
    this.#waiting.set(run, this.#clock.setTimeout(() => this.#end(), this.#share * spread));
    return () => this.#leave(run);
  }

  /** Call all runs that wait now; those that come later in this turn do not wait. */
  #end() {
    this.#isOpen = true;
    queueMicrotask(() => { this.#isOpen = false; });
    for (const run of [...this.#waiting.keys()]) {
      if (!this.#waiting.has(run)) continue; // cancelled by an earlier run
      this.#leave(run);
      run();
    }
  }

  /** @param {() => void} run */
  #leave(run) {
    this.#clock.clearTimeout(this.#waiting.get(run));
    this.#waiting.delete(run);
    if (this.#waiting.size === 0) this.#share = null;
  }
}

// ---- subscriptions/handler_runner.js ------------------------------------------------------------

/**
 * @typedef {(told: Told) => unknown} Handler
 *   applies the changes; its promise says "applied", a rejection "not applied"
 */

/** After so long in a run, or in the wait before it, a handler counts as behind (ms). */
const RUN_TIMEOUT = 30_000;

/** For so long after waking, changes are the page's own catching up and do not wait (ms). */
const WOKEN_FOR = 10_000;

/**
 * Calls one handler, one run at a time. Changes that arrive during a run are merged and handled
 * afterwards. Those of a failed run are kept and retried. The cursor moves when a run succeeds.
 */
class HandlerRunner {
  #handler;
  #clock;
  #jitter;
  #jitterOptions;
  #backoff;
  #stateChanged;
  /** @type {string | null} */ #cursor;
  /** The changes for the next run. @type {ChangeSet | null} */ #owed = null;
  /**
   * `spread` waits for the run's random part of the jitter, `waiting` for a failed run's retry.
   * @type {"idle" | "spread" | "running" | "waiting"}
   */
  #state = "idle";
  #isStopped = false;
  #behind = false;
  #wokenAt = -Infinity;
  /** The retry, or the deadline of a run or of its wait. @type {unknown} */ #timer = null;
  #cancelWait = () => {};

  /**
   * @param {Handler} handler
   * @param {string | null} cursor the position of the handler's data, if known
   * @param {Pick<Environment, "clock" | "random">} environment
   * @param {Jitter} jitter shared with the handlers that share its fetches
   * @param {JitterOptions} jitterOptions may change later
   * @param {() => void} stateChanged called when `behind` may have changed
   */
  constructor(handler, cursor, { clock, random }, jitter, jitterOptions, stateChanged) {
    this.#handler = handler;
    this.#cursor = cursor;
    this.#clock = clock;
    this.#jitter = jitter;
    this.#jitterOptions = jitterOptions;
    this.#backoff = new Backoff({ random });
    this.#stateChanged = stateChanged;
  }

  /** The position up to which all is applied. */
  get cursor() {
    return this.#cursor;
  }

  /** True from a failed or overdue run until a run succeeds. */
  get behind() {
    return this.#behind;
  }

  /**
   * Take a first position: no change up to here concerns the handler.
   * @param {string | null} cursor
   */
  startFrom(cursor) {
    this.#cursor ??= cursor;
  }

  /**
   * Add changes for the handler. A run begins, in its jitter, unless one is under way or waits.
   * @param {ChangeSet} changes
   */
  tell(changes) {
    if (this.#isStopped) return;
    this.#owed = this.#owed ? mergeChanges(this.#owed, changes) : changes;
    if (this.#state === "idle") this.#begin(this.#owed);
  }

  /** Retry a failed run now: the reason of its failure may be gone. */
  retry() {
    if (this.#state === "waiting") void this.#run();
  }

  /** End all waits: the user looks at the page. */
  hurry() {
    this.#wokenAt = this.#clock.now();
    if (this.#state === "spread") void this.#run();
    this.retry();
  }

  /** Stop calling the handler, and ignore the result of a run under way. */
  stop() {
    this.#isStopped = true;
    // A run under way may fail unnoticed: later changes must not move the cursor after a restart.
    this.#owed = null;
    if (this.#state !== "running") this.#state = "idle";
    this.#cancelWait();
    this.#clock.clearTimeout(this.#timer);
    this.#setBehind(false);
  }

  /** Call the handler again, for changes after the cursor; a run still under way counts again. */
  restart() {
    this.#isStopped = false;
    if (this.#state === "running") this.#setTimer(() => this.#setBehind(true), RUN_TIMEOUT);
  }

  /** @param {ChangeSet} owed */
  #begin(owed) {
    if (isEmpty(owed)) return void this.#run();
    this.#state = "spread";
    this.#setTimer(() => this.#setBehind(true), RUN_TIMEOUT);
    const isWoken = Math.abs(this.#clock.now() - this.#wokenAt) < WOKEN_FOR;
    const spread = isWoken ? 0 : spreadOf(owed.reset, this.#jitterOptions);
    this.#cancelWait = this.#jitter.wait(spread, () => void this.#run());
  }

  async #run() {
    this.#cancelWait();
    this.#clock.clearTimeout(this.#timer);
    this.#state = "running";
    const changes = /** @type {ChangeSet} */ (this.#owed);
    this.#owed = null;
    const isApplied = isEmpty(changes) || (await this.#call(changes));
    this.#state = "idle";
    if (this.#isStopped) return;
    if (!isApplied) return this.#retryLater(changes);
    this.#cursor = changes.cursor ?? this.#cursor;
    this.#backoff.reset();
    this.#setBehind(false);
    if (this.#owed) this.#begin(this.#owed);
  }

  /**
   * Call the handler once; false if it failed.
   * @param {ChangeSet} changes
   */
  async #call(changes) {
    this.#setTimer(() => this.#setBehind(true), RUN_TIMEOUT);
    try {
      await this.#handler(toTold(changes));
      return true;
    } catch (error) {
      if (!this.#isStopped) console.warn("live: a handler failed and will be retried", error);
      return false;
    } finally {
      this.#clock.clearTimeout(this.#timer);
    }
  }

  /** @param {ChangeSet} changes */
  #retryLater(changes) {
    this.#owed = this.#owed ? mergeChanges(changes, this.#owed) : changes;
    this.#state = "waiting";
    this.#setTimer(() => void this.#run(), this.#backoff.next());
    this.#setBehind(true);
  }

  /** @param {boolean} behind */
  #setBehind(behind) {
    if (behind === this.#behind) return;
    this.#behind = behind;
    this.#stateChanged();
  }

  /**
   * @param {() => void} run
   * @param {number} milliseconds
   */
  #setTimer(run, milliseconds) {
    this.#clock.clearTimeout(this.#timer);
    this.#timer = this.#clock.setTimeout(run, milliseconds);
  }
}

// ---- subscriptions/ticket.js --------------------------------------------------------------------

/** One subscription's ticket, the request that carries it, and the server's answer. */
class Ticket {
  #text;
  #isConfirmed = false;
  #wasConfirmed = false;
  /**
   * The request on this connection.
   * @type {{cursor: string | null, ticket: string | null} | null}
   */
  #request = null;
  /** True if the request was denied, and another ticket would repeat it. */
  #isRepeatable = false;
  /** True if the request was repeated after a denial on this connection. */
  #isRepeated = false;

  /** @param {string | null} text */
  constructor(text) {
    this.#text = text;
  }

  /** The ticket's text, for the next request. */
  get text() {
    return this.#text;
  }

  /** True if the server has confirmed the request on this connection. */
  get isConfirmed() {
    return this.#isConfirmed;
  }

  /** True if the server has confirmed a request, on any connection. */
  get wasConfirmed() {
    return this.#wasConfirmed;
  }

  /**
   * Build the request, and remember it.
   * @param {string | null} cursor
   */
  ask(cursor) {
    this.#request = { cursor, ticket: this.#text };
    return this.#request;
  }

  /** Note that the server confirmed; true if it replays from a cursor that the request carried. */
  confirm() {
    this.#isConfirmed = true;
    this.#wasConfirmed = true;
    return Boolean(this.#request?.cursor);
  }

  /** Note a denial; true if it is of an earlier ticket than the present one. */
  deny() {
    if (this.#text !== this.#request?.ticket) return true;
    // If the server denies a fresh ticket too, age is not the reason.
    this.#isRepeatable = !this.#isRepeated;
    return false;
  }

  /**
   * Take a fresh ticket; true if the denied request is to be repeated with it.
   * @param {string} text
   */
  renew(text) {
    const isRepeat = this.#isRepeatable && text !== this.#text;
    this.#text = text;
    if (!isRepeat) return false;
    this.#isRepeatable = false;
    this.#isRepeated = true;
    return true;
  }

  /** Do not repeat the denied request with any ticket: its owner makes another subscription. */
  retire() {
    this.#isRepeatable = false;
  }

  /** Note that the connection is lost, and with it the request and the server's answer. */
  lose() {
    this.#isConfirmed = false;
    this.#request = null;
    this.#isRepeated = false;
  }
}

// ---- subscriptions/subscription.js --------------------------------------------------------------

/**
 * @typedef {object} OwnOptions
 * @property {string | null} [cursor] the position of the caller's data; without one, the handler
 *   is called for changes from the server's confirmation on
 * @property {string | null} [ticket] the server's proof that it showed this user the topic
 * @property {boolean} [catchUp] the caller's data was read earlier, at an unknown position: call
 *   the handler once, as for a reset, when the server has confirmed
 * @property {boolean} [together] the handler's waits end together with those of all others that
 *   have this option: they share one fetch
 * @property {(reason: string) => void} [onDenied] called when the server does not, or no longer,
 *   allow the topic: the handler is not called again, unless `renewTickets` brings another ticket
 *   than the denied one
 *
 * @typedef {OwnOptions & JitterOptions} SubscribeOptions
 *
 * @typedef {object} SubscriptionOwner
 * @property {Environment} environment
 * @property {Jitter} jitter
 * @property {() => void} stateChanged
 * @property {(subscription: Subscription) => void} cancelled
 * @property {(subscription: Subscription) => void} denied
 */

/** One handler's subscription to one topic, from its own cursor. */
class Subscription {
  /** The request for the topic, and the server's answer. */
  ticket;
  #topic;
  #jitterOptions;
  #runner;
  #catchUp;
  #onDenied;
  #owner;

  /**
   * @param {string} topic
   * @param {SubscribeOptions} options
   * @param {Handler} handler
   * @param {SubscriptionOwner} owner
   */
  constructor(topic, options, handler, owner) {
    const { cursor = null, ticket = null, catchUp = false, onDenied } = options;
    const { jitter = null, resetJitter } = options;
    const { environment, stateChanged } = owner;
    this.ticket = new Ticket(ticket);
    this.#topic = topic;
    const jitterOptions = (this.#jitterOptions = { jitter, resetJitter });
    this.#runner = new HandlerRunner(
      handler, cursor, environment, owner.jitter, jitterOptions, stateChanged,
    );
    this.#catchUp = catchUp;
    this.#onDenied = onDenied;
    this.#owner = owner;
  }

  get topic() {
    return this.#topic;
  }

  /** The position up to which all is applied; null before there is one. */
  get cursor() {
    return this.#runner.cursor;
  }

  /** True while a failed run waits for its retry. */
  get behind() {
    return this.#runner.behind;
  }

  /** Milliseconds over which runs are spread; null for the default. */
  get jitter() {
    return this.#jitterOptions.jitter;
  }

  set jitter(milliseconds) {
    this.#jitterOptions.jitter = milliseconds;
  }

  /** End the subscription. */
  cancel() {
    this.#runner.stop();
    this.#owner.cancelled(this);
  }

  // The topic that this subscription belongs to calls the rest.

  /** Build the request; the ticket remembers the cursor that it carries. */
  ask() {
    return this.ticket.ask(this.cursor);
  }

  /**
   * Note that the server confirmed: from this cursor, or the request's, no change is missed.
   * @param {string | null} cursor
   */
  confirm(cursor) {
    // The request's cursor counts, not the present one. A run that was under way when the previous
    // connection broke may have set one since, and changes in between are not replayed.
    if (this.ticket.confirm()) return;
    if (this.#catchUp) this.#runner.tell(resetChanges("unknown-cursor", cursor));
    else this.#runner.startFrom(cursor);
  }

  /**
   * Handle changes. Before the confirmation they may be ahead of a replay that is still to come:
   * the handler is told, but their cursor is not taken over.
   * @param {ChangeSet} changes
   */
  tell(changes) {
    this.#runner.tell(this.ticket.isConfirmed ? changes : { ...changes, cursor: null });
  }

  /** Retry a failed run now: the reason of its failure may be gone. */
  retry() {
    this.#runner.retry();
  }

  /** End all waits: the user looks at the page. */
  hurry() {
    this.#runner.hurry();
  }

  /**
   * Take a fresh ticket; true if a denial had ended the subscription, and it begins again.
   * @param {string} ticket
   */
  renew(ticket) {
    if (!this.ticket.renew(ticket)) return false;
    this.#runner.restart();
    return true;
  }

  /**
   * End the subscription by the server's decision.
   * @param {string} reason
   */
  end(reason) {
    this.#runner.stop();
    this.#owner.denied(this);
    console.warn(`live: ${this.#topic} may not be watched: ${reason}`);
    try {
      this.#onDenied?.(reason);
    } catch (error) {
      // A bug of the page, no doubt about the connection: the frame's other topics go on.
      console.error("live: onDenied failed", error);
    }
  }
}

// ---- subscriptions/topic.js ---------------------------------------------------------------------

/** @typedef {{topic: string, cursor?: string, ticket?: string}} TopicRequest as the wire has it */

/** The reason for the end of subscriptions whose access ended. */
const REVOKED = "revoked";

/**
 * One topic as the server knows it: one subscription on the wire, for all that the page has.
 *
 * At most one request is unanswered at a time. The server's answers carry no number: with two
 * requests, the answer to the first could be taken for the answer to the second, and a handler
 * would rely on a replay that has not begun.
 */
class Topic {
  #name;
  /** @type {Set<Subscription>} */ #subscriptions = new Set();
  /** Those whose request is not answered yet. @type {Set<Subscription> | null} */ #asking = null;
  /** True if the server sends this topic's changes. */
  #isHeld = false;

  /** @param {string} name */
  constructor(name) {
    this.#name = name;
  }

  get subscriptions() {
    return [...this.#subscriptions];
  }

  /** True if the server would go on sending although no subscription is left. */
  get isSurplus() {
    return this.#isHeld && this.isUnused;
  }

  /** True if no subscription is left and no answer is expected. */
  get isUnused() {
    return !this.#asking && this.#subscriptions.size === 0;
  }

  /** @param {Subscription} subscription */
  add(subscription) {
    this.#subscriptions.add(subscription);
  }

  /** @param {Subscription} subscription */
  remove(subscription) {
    this.#subscriptions.delete(subscription);
    this.#asking?.delete(subscription);
  }

  /**
   * Build the requests to send now; none while an answer is expected.
   *
   * Cursors are opaque, so the client does not know which is the oldest. It sends each one, and the
   * server replays from each.
   * @returns {TopicRequest[]}
   */
  ask() {
    const wanting = this.subscriptions.filter(({ ticket }) => !ticket.isConfirmed);
    if (this.#asking || wanting.length === 0) return [];
    this.#asking = new Set(wanting);
    /** @type {Map<string, TopicRequest>} */
    const requests = new Map();
    for (const subscription of wanting) {
      const { cursor, ticket } = subscription.ask();
      const request = { topic: this.#name, ...(cursor && { cursor }), ...(ticket && { ticket }) };
      requests.set(JSON.stringify(request), request);
    }
    return [...requests.values()];
  }

  /** @param {string | null} cursor */
  confirm(cursor) {
    if (!this.#asking) return;
    this.#isHeld = true;
    const answered = this.#asking;
    this.#asking = null;
    for (const subscription of answered) subscription.confirm(cursor);
  }

  /**
   * Handle a denial of the request. Subscriptions that were confirmed earlier go on, and those
   * whose ticket was renewed after the request are requested again.
   * @param {string} reason
   */
  deny(reason) {
    const asking = [...(this.#asking ?? [])];
    this.#asking = null;
    for (const each of asking) {
      if (!each.ticket.deny()) this.#end([each], reason);
    }
  }

  /** Handle the end of access. A request under way gets an answer of its own. */
  revoke() {
    this.#isHeld = false;
    const asking = this.#asking;
    this.#end(this.subscriptions.filter((each) => !asking?.has(each)), REVOKED);
  }

  /** Note that the connection is lost, and with it the requests and the server's subscription. */
  lose() {
    this.#asking = null;
    this.#isHeld = false;
    for (const subscription of this.#subscriptions) subscription.ticket.lose();
  }

  /**
   * @param {Iterable<Subscription>} ended
   * @param {string} reason
   */
  #end(ended, reason) {
    for (const subscription of [...ended]) {
      // The `onDenied` of an earlier one may have cancelled it.
      if (this.#subscriptions.delete(subscription)) subscription.end(reason);
    }
  }
}

// ---- subscriptions/subscriptions.js -------------------------------------------------------------

/**
 * @typedef {object} Wire
 * @property {FrameHandlers} handlers
 * @property {() => boolean} isOpen
 * @property {(frame: Frame) => void} send
 * @property {() => void} reopen
 */

/** All subscriptions of one connection, and the frames that are about them. */
class Subscriptions {
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

// ---- connection/client.js -----------------------------------------------------------------------

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
class Live extends EventTarget {
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

// ---- connection/connect.js ----------------------------------------------------------------------

/** By absolute URL. @type {Map<string, Live>} */
const lives = new Map();

/**
 * Connect to a server. The same URL gives the same object, so that a page has one socket.
 *
 * @param {string} url absolute, or relative to the page; http: becomes ws:
 * @param {Partial<Environment>} [options] for tests: WebSocket, clock, random; only the first
 *   call's count
 * @returns {Live}
 */
function connect(url, options) {
  const absolute = webSocketUrl(url);
  const live = lives.get(absolute) ?? new Live(absolute, options);
  lives.set(absolute, live);
  return live;
}

/** @param {string} url */
function webSocketUrl(url) {
  const absolute = new URL(url, globalThis.location?.href);
  absolute.protocol = absolute.protocol.replace("http", "ws");
  absolute.hash = ""; // WebSocket throws on a fragment
  if (absolute.search === "") absolute.search = ""; // drops a "?" with nothing behind it
  return absolute.href;
}

// ---- morph/form_state.js ------------------------------------------------------------------------

/**
 * A form control has a value in its markup and a state that the user sees and changes. Morphing
 * updates the markup. This module updates the state, except where the user is editing.
 *
 * @typedef {HTMLInputElement | HTMLTextAreaElement | HTMLSelectElement} Control
 *
 * @typedef {object} Focus the focused control and the user's edit in it
 * @property {Control} control
 * @property {boolean} isEdited true if it does not show its markup's value: unsaved work
 * @property {string[]} values
 * @property {{start: number, end: number | null} | null} caret
 */

/** Inputs that are clicked, not filled in. */
const CLICKED = ["checkbox", "radio", "button", "submit", "reset", "image"];

/**
 * Record the focused control and its edit, before the markup changes.
 *
 * A focused control is not necessarily edited: focus stays where the user clicked last. A control
 * that kept its value because of its focus could show an old value for hours.
 *
 * @param {Element} root
 * @returns {Focus | null}
 */
function noteFocus(root) {
  const control = document.activeElement;
  if (!isControl(control) || !root.contains(control) || CLICKED.includes(control.type)) return null;
  // A half-typed date has no value yet; the browser calls it bad input.
  const isEdited = !showsItsMarkup(control) || control.validity.badInput;
  return { control, isEdited, values: valuesOf(control), caret: caretOf(control) };
}

/**
 * Let all controls within an element show their markup's values. Controls in `data-live-keep`
 * stay as they are; the edited one gets the user's values and caret back.
 * @param {Element} root
 * @param {Focus | null} focus
 */
function syncControls(root, focus) {
  /** @type {NodeListOf<Control>} */
  const controls = root.querySelectorAll("input, textarea, select");
  for (const control of controls) {
    if (control.closest("[data-live-keep]")) continue;
    const edited = focus?.isEdited && control === focus.control ? focus.values : null;
    sync(control, edited);
    if (edited) syncWhenLeft(control);
  }
  if (focus) restoreCaret(focus);
}

/**
 * @param {Control} control
 * @param {string[] | null} edited the values that the user chose
 */
function sync(control, edited) {
  if (control instanceof HTMLSelectElement) syncSelect(control, edited);
  else if (CLICKED.includes(control.type)) syncChecked(/** @type {any} */ (control));
  else syncValue(control, edited?.[0] ?? control.defaultValue);
}

/** Controls whose edit was kept, and that still have the focus. */
const editedControls = new WeakSet();

/**
 * Sync the control when it loses the focus unsaved. An edit that the user reverts fires no `change`
 * event: the page saves nothing, receives nothing, and the control would keep the old value.
 * @param {Control} control
 */
function syncWhenLeft(control) {
  if (editedControls.has(control)) return;
  editedControls.add(control);
  let isSaved = false;
  const save = () => { isSaved = true; };
  control.addEventListener("change", save, { once: true });
  control.addEventListener("blur", () => {
    editedControls.delete(control);
    control.removeEventListener("change", save);
    if (!isSaved) sync(control, null);
  }, { once: true });
}

/**
 * @param {Element | null} element
 * @returns {element is Control}
 */
function isControl(element) {
  return element !== null && element.matches("input, textarea, select");
}

/** @param {Control} control */
function showsItsMarkup(control) {
  if (!(control instanceof HTMLSelectElement)) return control.value === control.defaultValue;
  const marked = markedOptions(control);
  return [...control.options].every((option) => option.selected === marked.includes(option));
}

/** @param {Control} control */
function valuesOf(control) {
  if (!(control instanceof HTMLSelectElement)) return [control.value];
  return [...control.selectedOptions].map(({ value }) => value);
}

/**
 * Return the options that the markup selects. A drop-down always shows one option: the first, if
 * the markup selects none.
 * @param {HTMLSelectElement} select
 */
function markedOptions(select) {
  const options = [...select.options];
  const marked = options.filter(({ defaultSelected }) => defaultSelected);
  if (select.multiple) return marked;
  if (marked.length || select.size > 1) return marked.slice(-1);
  return options.filter(({ disabled }) => !disabled).slice(0, 1);
}

/**
 * @param {HTMLSelectElement} select
 * @param {string[] | null} edited the values that the user chose
 */
function syncSelect(select, edited) {
  // By value: a new option in the menu shifts the others to other nodes.
  const chosen = edited && [...select.options].filter(({ value }) => edited.includes(value));
  const wanted = chosen?.length ? chosen : markedOptions(select);
  for (const option of select.options) {
    if (option.selected !== wanted.includes(option)) option.selected = wanted.includes(option);
  }
}

/** @param {HTMLInputElement} input */
function syncChecked(input) {
  if (input.checked !== input.defaultChecked) input.checked = input.defaultChecked;
}

/**
 * @param {HTMLInputElement | HTMLTextAreaElement} control
 * @param {string} value
 */
function syncValue(control, value) {
  // Only the user can choose a file: scripts can neither set nor read it.
  if (control.type !== "file" && control.value !== value) control.value = value;
}

/** @param {Control} control */
function caretOf(control) {
  if (control instanceof HTMLSelectElement || control.selectionStart === null) return null;
  return { start: control.selectionStart, end: control.selectionEnd };
}

/** @param {Focus} focus */
function restoreCaret({ control, caret }) {
  const present = caretOf(control);
  // The markup may have given it a type without a caret.
  if (control instanceof HTMLSelectElement || !caret || !present) return;
  if (present.start !== caret.start || present.end !== caret.end) {
    control.setSelectionRange(caret.start, caret.end);
  }
}

// ---- morph/reorder.js ---------------------------------------------------------------------------

/**
 * Put an element's children in order with few moves. The child with the focus is never moved: a
 * moved node loses its focus, and a moved iframe or animation starts again.
 *
 * @param {Element} parent
 * @param {ChildNode[]} wanted children of `parent`, or nodes that are new
 * @param {(node: ChildNode) => boolean} isKept called for children that are not wanted: a kept one
 *   stays behind the sibling that it follows now, any other is removed
 */
function reorder(parent, wanted, isKept) {
  const order = withKept([...parent.childNodes], wanted, isKept);
  const staying = new Set(order);
  for (const child of [...parent.childNodes]) {
    if (!staying.has(child)) child.remove();
  }
  const unmoved = chooseUnmoved(parent, order);
  /** @type {ChildNode | null} */
  let next = null;
  for (const node of [...order].reverse()) {
    if (!unmoved.has(node)) parent.insertBefore(node, next);
    next = node;
  }
}

/**
 * @param {ChildNode[]} present
 * @param {ChildNode[]} wanted
 * @param {(node: ChildNode) => boolean} isKept
 */
function withKept(present, wanted, isKept) {
  const order = [...wanted];
  const known = new Set(wanted);
  /** @type {ChildNode | null} */
  let previous = null;
  for (const node of present) {
    if (!known.has(node)) {
      if (!isKept(node)) continue;
      order.splice(previous ? order.indexOf(previous) + 1 : 0, 0, node);
    }
    previous = node;
  }
  return order;
}

/**
 * Choose the largest set of nodes that are in order already and include the one with the focus.
 * @param {Element} parent
 * @param {ChildNode[]} order
 * @returns {Set<ChildNode>}
 */
function chooseUnmoved(parent, order) {
  const positions = new Map([...parent.childNodes].map((node, index) => [node, index]));
  const focused = order.findIndex((node) => node.contains(document.activeElement));
  const pivot = focused < 0 ? undefined : positions.get(order[focused]);
  // Only nodes that stay on their side of the focused node can stay unmoved along with it.
  const candidates = order.filter((node, index) => {
    const position = positions.get(node);
    if (position === undefined) return false;
    return pivot === undefined || index === focused || position < pivot === index < focused;
  });
  return new Set(longestRise(candidates, (node) => /** @type {number} */ (positions.get(node))));
}

/**
 * Return the longest subsequence with rising ranks, by patience sorting.
 * @template T
 * @param {T[]} items
 * @param {(item: T) => number} rank
 * @returns {T[]}
 */
function longestRise(items, rank) {
  /** For each length, the run of that length with the lowest end. @type {{item: T, before: any}[]} */
  const runs = [];
  for (const item of items) {
    let low = 0;
    for (let high = runs.length; low < high; ) {
      const middle = (low + high) >> 1;
      if (rank(runs[middle].item) < rank(item)) low = middle + 1;
      else high = middle;
    }
    runs[low] = { item, before: runs[low - 1] };
  }
  const rise = [];
  for (let run = runs.at(-1); run; run = run.before) rise.push(run.item);
  return rise;
}

// ---- morph/morph.js -----------------------------------------------------------------------------

/**
 * Change an element's content to the new markup. Nodes that are in both stay, with their focus,
 * scrolling and listeners.
 *
 * Siblings match by id and tag, else by their order among siblings of the same kind. Subtrees
 * marked `data-live-keep` stay as they are, even where the new markup lacks them. The control in
 * which the user has unsaved work keeps its value.
 *
 * @param {Element} live in the page
 * @param {Element} fresh the same element as parsed from the new markup; left as it is
 * @returns {Element[]} the inserted elements, without their descendants
 */
function morphContent(live, fresh) {
  const focus = noteFocus(live);
  /** @type {Element[]} */
  const inserted = [];
  morphChildren(live, fresh, inserted);
  syncControls(live, focus);
  return inserted;
}

/**
 * @param {Element} live
 * @param {Element} fresh
 * @param {Element[]} inserted
 */
function morphChildren(live, fresh, inserted) {
  const candidates = byKey(live.childNodes);
  /** @type {ChildNode[]} */
  const wanted = [];
  for (const freshChild of fresh.childNodes) {
    const same = candidates.get(keyOf(freshChild))?.shift();
    if (same) morphNode(same, freshChild, inserted);
    // A copy: other regions read the same parsed document.
    const child = same ?? document.importNode(freshChild, true);
    if (!same && child instanceof Element) inserted.push(child);
    wanted.push(child);
  }
  reorder(live, wanted, isKept);
}

/**
 * @param {ChildNode} live
 * @param {ChildNode} fresh of the same key
 * @param {Element[]} inserted
 */
function morphNode(live, fresh, inserted) {
  if (isKept(live) || isBeingWritten(live) || live.isEqualNode(fresh)) return;
  if (!(live instanceof Element)) {
    live.nodeValue = fresh.nodeValue;
    return;
  }
  syncAttributes(live, /** @type {Element} */ (fresh));
  morphChildren(live, /** @type {Element} */ (fresh), inserted);
}

/**
 * @param {Element} live
 * @param {Element} fresh
 */
function syncAttributes(live, fresh) {
  for (const { name, value } of [...fresh.attributes]) {
    if (isOurs(live, name)) continue;
    const present = live.getAttributeNode(name);
    if (!present) {
      // Copied as a node: setAttribute() refuses names that the parser allows, as "@click".
      live.setAttributeNode(/** @type {Attr} */ (fresh.getAttributeNode(name)?.cloneNode()));
    } else if (present.value !== value) {
      present.value = value;
    }
  }
  for (const attribute of [...live.attributes]) {
    const { name } = attribute;
    if (fresh.hasAttribute(name) || isOurs(live, name)) continue;
    live.removeAttributeNode(attribute);
  }
}

/**
 * True for attributes that the user or this client sets, not the server.
 * @param {Element} live
 * @param {string} name
 */
function isOurs(live, name) {
  if (name === "open") return live.matches("details, dialog");
  return name === "data-live-stale" || name === "data-live-denied";
}

/**
 * True for text that the user edits in place: its nodes are the user's.
 * @param {Node} node
 */
function isBeingWritten(node) {
  return node === document.activeElement && node instanceof HTMLElement && node.isContentEditable;
}

/** @param {Node} node */
function isKept(node) {
  return node instanceof Element && node.hasAttribute("data-live-keep");
}

/**
 * Group the nodes by key, in their order.
 * @param {NodeListOf<ChildNode>} nodes
 */
function byKey(nodes) {
  /** @type {Map<string, ChildNode[]>} */
  const queues = new Map();
  for (const node of nodes) {
    const key = keyOf(node);
    const queue = queues.get(key) ?? [];
    queue.push(node);
    queues.set(key, queue);
  }
  return queues;
}

/**
 * Return the key by which siblings match. Without an id it includes a control's name, so that a
 * token field never becomes the field the user types in, and a region's topic. A kept element
 * matches only another kept one.
 * @param {Node} node
 */
function keyOf(node) {
  if (!(node instanceof Element)) return node.nodeName;
  if (node.id) return `${node.nodeName}#${node.id}`;
  const named = ["name", "type", "topic"].map((name) => node.getAttribute(name));
  return [node.nodeName, isKept(node), ...named].join(" ");
}

// ---- region/denied_retry.js ---------------------------------------------------------------------

/** The longest pause before a topic that stays denied is looked for again, in milliseconds. */
const MAX_PAUSE = 120_000;

/** The regions of a page look together: one fetch serves them all. */
const retryJitter = new Jitter(withDefaults({ random: () => Math.random() }));

/** Decides when a region looks whether the page still shows a denied topic: soon, then rarely. */
class DeniedRetry {
  #look;
  /** By topic. @type {Map<string, Backoff>} */ #pauses = new Map();

  /** @param {(topic: string) => void} look */
  constructor(look) {
    this.#look = look;
  }

  /**
   * Look for this topic after a pause, which is longer each time.
   * @param {string} topic
   */
  add(topic) {
    // The jitter draws the random part, so the pause is the whole ceiling.
    const pauses = this.#pauses.get(topic) ?? new Backoff({ cap: MAX_PAUSE, random: () => 1 });
    this.#pauses.set(topic, pauses);
    retryJitter.wait(pauses.next(), () => this.#look(topic));
  }

  /**
   * Begin with a short pause at the next denial: the topic was confirmed or told meanwhile.
   * @param {string} topic
   */
  forget(topic) {
    this.#pauses.delete(topic);
  }
}

// ---- region/head.js -----------------------------------------------------------------------------

/**
 * @typedef {{cursor: string | null, ticket: string | null}} HeadEntry a rendered topic's position
 *
 * @typedef {object} Head
 * @property {string} url
 * @property {Map<string, HeadEntry>} topics
 * @property {number | null} jitter milliseconds over which resets of all clients are spread
 */

/** Where the server listens unless the page names another URL. */
const DEFAULT_URL = "/ws/live/";

/**
 * Read a page's `#live-head`, which the server rendered: the cursors at which its markup is true.
 * @param {Document} document
 * @returns {Head}
 */
function readHead(document) {
  const script = document.getElementById("live-head");
  const { url = DEFAULT_URL, topics = [], jitter = null } = parseHead(script);
  const entries = new Map();
  for (const { topic, cursor = null, ticket = null } of topics) {
    // The first entry counts: its position was taken before all that was read for the topic.
    if (!entries.has(topic)) entries.set(topic, { cursor, ticket });
  }
  return { url, topics: entries, jitter };
}

/**
 * Return the head without positions, for content that was not rendered with it and must catch up.
 * @param {Head} head
 * @returns {Head}
 */
function withoutCursors(head) {
  const entries = [...head.topics].map(([topic, entry]) => [topic, { ...entry, cursor: null }]);
  return { ...head, topics: new Map(/** @type {[string, HeadEntry][]} */ (entries)) };
}

/** @param {Element | null} script */
function parseHead(script) {
  try {
    return JSON.parse(script?.textContent || "{}");
  } catch (error) {
    // Without cursors the regions fetch once: that costs, but is never wrong.
    console.error("live: #live-head is not JSON", error);
    return {};
  }
}

// ---- region/page.js -----------------------------------------------------------------------------

/**
 * @typedef {object} Fetched
 * @property {string | null} gone the reason why this user can no longer have the page
 * @property {Document} document
 * @property {Head} head
 */

/** Statuses that say "not for you" rather than "not now". */
const GONE_STATUSES = [401, 403, 404, 410];

/** A fetch that hangs must not hold up those that wait for it, in milliseconds. */
const FETCH_TIMEOUT = 20_000;

/** A page that a reload made is not reloaded again while it is younger than this (ms). */
const RELOAD_PAUSE = 10_000;

/** The page that the browser shows: how it is fetched again, and reloaded. */
class Page {
  /**
   * Fetch the page.
   * @param {string} regions the names of the regions that need it, for the server's information
   * @returns {Promise<Fetched>}
   */
  async fetch(regions) {
    const url = currentUrl();
    const response = await fetch(url, {
      cache: "no-store",
      credentials: "same-origin",
      mode: "same-origin",
      // Not followed: a redirect to a login page of another origin would look like a network error.
      redirect: "manual",
      headers: { "Live-Region": headerSafe(regions) },
      signal: AbortSignal.timeout(FETCH_TIMEOUT),
    });
    const document = new DOMParser().parseFromString(await response.text(), "text/html");
    // A script navigated meanwhile, by pushState: this is another page's markup.
    if (currentUrl() !== url) return this.fetch(regions);
    const gone = goneReason(response);
    if (!gone && !response.ok) throw new Error(`${url} answered ${response.status}`);
    return { gone, document, head: readHead(document) };
  }

  /** Reload the page, so that the browser shows the error. */
  reload() {
    const [navigation] = performance.getEntriesByType("navigation");
    const wasReloaded =
      /** @type {PerformanceNavigationTiming | undefined} */ (navigation)?.type === "reload";
    if (wasReloaded && performance.now() < RELOAD_PAUSE) {
      throw new Error("the page was reloaded a moment ago, and that did not help");
    }
    location.reload();
  }
}

const page = new Page();

/** @param {Response} response */
function goneReason({ type, status }) {
  if (type === "opaqueredirect") return "redirected";
  return GONE_STATUSES.includes(status) ? String(status) : null;
}

function currentUrl() {
  return location.href.replace(/#.*/, "");
}

/**
 * Escape the characters that a header cannot carry: its values are bytes, and an id is any text.
 * @param {string} text
 */
function headerSafe(text) {
  return text.replace(/[^\x20-\x7e]+/g, encodeURIComponent);
}

// ---- region/refetch.js --------------------------------------------------------------------------

/**
 * @typedef {object} Refetcher a region
 * @property {string} refetchName for the server's information
 * @property {(fetched: Fetched, told: ReadonlyMap<string, Told>) => void} applyFetched
 *
 * @typedef {object} Share one region's part of a round
 * @property {Map<string, Told>} told the region's changes, by topic
 * @property {Promise<void>} applied
 * @property {boolean} isAbandoned
 *
 * @typedef {object} Round one fetch of the page
 * @property {Map<Refetcher, Share>} shares
 * @property {Promise<Fetched>} fetched
 */

/**
 * The refetches of this page, one at a time, for all regions together.
 *
 * The way of a change: a region is told, joins the round whose fetch has not begun, and applies
 * what that fetch brings. So no region gets markup older than the change that it was told, and no
 * response overtakes another. All that a region is told before the fetch is applied at once.
 */
class Refetch {
  /** The round whose fetch has not begun. @type {Round | null} */ #next = null;
  /** The shares of the fetch that began last. @type {Map<Refetcher, Share>} */
  #current = new Map();
  /** Resolves when the last round's fetch has ended. @type {Promise<void>} */
  #ended = Promise.resolve();

  /**
   * Fetch the page as it is from now on, and apply it to a region.
   * @param {Refetcher} region
   * @param {string} topic
   * @param {Told} told
   * @returns {Promise<void>} settles when the region has applied it, or could not
   */
  join(region, topic, told) {
    const round = (this.#next ??= this.#makeRound());
    const share = round.shares.get(region) ?? this.#share(round, region);
    // A topic is told once a round: its handler is called again only after `applied`.
    share.told.set(topic, told);
    return share.applied;
  }

  /**
   * Drop a region's shares of all rounds: they fail, and nothing is applied to the region.
   * @param {Refetcher} region
   */
  abandon(region) {
    for (const shares of [this.#current, this.#next?.shares]) {
      const share = shares?.get(region);
      if (share) share.isAbandoned = true;
      shares?.delete(region);
    }
  }

  /** @returns {Round} */
  #makeRound() {
    const shares = new Map();
    const fetched = this.#fetchAfter(this.#ended, shares);
    const end = () => {};
    this.#ended = fetched.then(end, end); // the regions handle a failure
    return { shares, fetched };
  }

  /**
   * @param {Round} round
   * @param {Refetcher} region
   */
  #share(round, region) {
    /** @type {Share} */
    const share = { told: new Map(), applied: Promise.resolve(), isAbandoned: false };
    share.applied = round.fetched.then((fetched) => {
      if (share.isAbandoned) throw new Error("access ended while the page was fetched");
      region.applyFetched(fetched, share.told);
    });
    round.shares.set(region, share);
    return share;
  }

  /**
   * @param {Promise<void>} previous
   * @param {Map<Refetcher, Share>} shares
   */
  async #fetchAfter(previous, shares) {
    await previous;
    // The regions apply the previous response first; changes told meanwhile join this round.
    await nextTask();
    this.#current = shares;
    this.#next = null;
    const names = [...shares.keys()].map(({ refetchName }) => refetchName);
    const fetched = await page.fetch([...new Set(names)].join(", "));
    if (!fetched.gone) renewTickets(fetched.head);
    return fetched;
  }
}

const refetch = new Refetch();

/**
 * Let all subscriptions of the page use the fetched tickets, whichever region needed the fetch.
 * @param {Head} head
 */
function renewTickets({ url, topics }) {
  const tickets = [...topics].map(([topic, { ticket }]) => [topic, ticket]);
  if (tickets.length) connect(url).renewTickets(Object.fromEntries(tickets));
}

/** Wait for a task of its own, not for a timer: hidden tabs delay those up to a minute. */
function nextTask() {
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      port1.close();
      resolve(undefined);
    };
    port2.postMessage(null);
  });
}

// ---- region/region_topics.js --------------------------------------------------------------------

/**
 * @typedef {object} RegionListener
 * @property {(topic: string, told: Told) => Promise<void>} told
 * @property {(topic: string, denial: Denial) => void} denied
 *
 * @typedef {object} Denial
 * @property {boolean} isRevoked access ended; else it was not given
 * @property {boolean} wasConfirmed it was given on an earlier connection
 */

/** @type {HeadEntry} */
const UNKNOWN_ENTRY = { cursor: null, ticket: null };

/** The topics that one region watches, each from the cursor that its markup was rendered at. */
class RegionTopics {
  #listener;
  /** By topic. @type {Map<string, Subscription>} */ #subscriptions = new Map();
  /** The positions when the region left the document. @type {Map<string, HeadEntry>} */
  #left = new Map();
  /** Denied, and not asked for again yet. @type {Map<string, Subscription>} */
  #denied = new Map();

  /** @param {RegionListener} listener */
  constructor(listener) {
    this.#listener = listener;
  }

  /** True if the server denied some topic that the region names. */
  get areDenied() {
    return this.#denied.size > 0;
  }

  /** @param {string} topic */
  isDenied(topic) {
    return this.#denied.has(topic);
  }

  /**
   * Watch these topics and no others.
   * @param {string[]} topics
   * @param {Head} head of the markup that names them
   * @param {number | null} jitter milliseconds over which all refetches are spread
   */
  watch(topics, head, jitter) {
    for (const [topic, subscription] of this.#subscriptions) {
      if (topics.includes(topic)) continue;
      subscription.cancel();
      this.#subscriptions.delete(topic);
    }
    // A denied topic that the page no longer names is settled. One that it still names is asked
    // for again: the server has rendered it for this user after the denial.
    this.#forgetDenied();
    for (const topic of topics) this.#watchOne(topic, head, jitter);
    this.#left.clear();
  }

  /** Watch nothing, but remember the cursors: the content may be put back as it is. */
  leave() {
    for (const [topic, subscription] of this.#subscriptions) {
      const { cursor, ticket } = subscription;
      this.#left.set(topic, { cursor, ticket: ticket.text });
      subscription.cancel();
    }
    this.#subscriptions.clear();
    this.#forgetDenied();
  }

  #forgetDenied() {
    for (const denied of this.#denied.values()) denied.cancel();
    this.#denied.clear();
  }

  /**
   * @param {string} topic
   * @param {Head} head
   * @param {number | null} jitter
   */
  #watchOne(topic, { url, topics, jitter: resetJitter }, jitter) {
    const present = this.#subscriptions.get(topic);
    if (present) {
      present.jitter = jitter;
      return;
    }
    const { cursor, ticket } = this.#left.get(topic) ?? topics.get(topic) ?? UNKNOWN_ENTRY;
    /** @param {string} reason */
    const onDenied = (reason) => this.#deny(topic, subscription, reason);
    const subscription = connect(url).subscribe(
      topic,
      { cursor, ticket, catchUp: true, together: true, jitter, resetJitter, onDenied },
      (told) => this.#listener.told(topic, told),
    );
    this.#subscriptions.set(topic, subscription);
  }

  /**
   * @param {string} topic
   * @param {Subscription} subscription
   * @param {string} reason
   */
  #deny(topic, subscription, reason) {
    if (this.#subscriptions.get(topic) !== subscription) return;
    this.#subscriptions.delete(topic);
    this.#denied.set(topic, subscription);
    // The region asks again when it has looked; until then it does not expect to be told.
    subscription.ticket.retire();
    const { wasConfirmed } = subscription.ticket;
    this.#listener.denied(topic, { isRevoked: reason === REVOKED, wasConfirmed });
  }
}

// ---- region/region.js ---------------------------------------------------------------------------

// Node can import this module, to test what needs no DOM.
const Base = /** @type {typeof HTMLElement} */ (globalThis.HTMLElement ?? class {});

/**
 * The head of the markup that a region is inserting. Regions inside that markup connect meanwhile:
 * their positions are those of that head, not those of the page as it was loaded.
 * @type {Head | null}
 */
let appliedHead = null;

/**
 * `<live-region topic="list:5">`: content that is fetched again when one of its topics changes.
 *
 * Events, all bubbling: `live:applied` when the content is up to date again, with
 * `{changes, reset, topics}`; `live:inserted` at each inserted element; `live:gone`, cancelable,
 * when the user can no longer have the page: then the page is reloaded. Attributes for CSS:
 * `data-live-stale` while a failed refetch waits for its retry, `data-live-denied` while the server
 * denies one of its topics.
 */
class LiveRegion extends Base {
  static observedAttributes = ["topic", "jitter"];

  #topics = new RegionTopics({
    told: (topic, told) => this.#told(topic, told),
    denied: (topic, denial) => this.#denied(topic, denial),
  });
  #refetcher = {
    refetchName: "",
    /** @type {(fetched: Fetched, told: ReadonlyMap<string, Told>) => void} */
    applyFetched: (fetched, told) => this.#apply(fetched, told),
  };
  #deniedRetry = new DeniedRetry((topic) => this.#check(topic));
  /** True until the first connectedCallback has run. */
  #isNew = true;

  connectedCallback() {
    this.#watch(this.#head());
    this.#isNew = false;
  }

  disconnectedCallback() {
    // A move takes an element out and puts it back in one turn: it stays subscribed then.
    queueMicrotask(() => this.isConnected || this.#topics.leave());
  }

  attributeChangedCallback() {
    if (this.isConnected && !this.#isNew) this.#watch(this.#head());
  }

  /** The positions of topics that the region names now and did not name before. */
  #head() {
    if (appliedHead) return appliedHead;
    const head = readHead(document);
    // The content was not rendered for a topic that a script has set later.
    return this.#isNew ? head : withoutCursors(head);
  }

  /** @param {Head} head */
  #watch(head) {
    const topics = (this.getAttribute("topic") ?? "").split(/\s+/).filter(Boolean);
    const jitter = Number.parseFloat(this.getAttribute("jitter") ?? "");
    this.#topics.watch(topics, head, jitter >= 0 ? jitter : null);
    this.toggleAttribute("data-live-denied", this.#topics.areDenied);
  }

  /**
   * @param {string} topic
   * @param {Told} told
   */
  async #told(topic, told) {
    this.#deniedRetry.forget(topic);
    await this.#refetch(topic, told);
  }

  /**
   * @param {string} topic
   * @param {Told} told
   */
  async #refetch(topic, told) {
    this.#refetcher.refetchName = this.id || this.getAttribute("topic") || "";
    try {
      await refetch.join(this.#refetcher, topic, told);
    } catch (error) {
      this.setAttribute("data-live-stale", "");
      throw error;
    }
  }

  /**
   * @param {Fetched} fetched
   * @param {ReadonlyMap<string, Told>} told
   * @returns {void}
   */
  #apply(fetched, told) {
    if (!this.isConnected) return;
    if (fetched.gone) return this.#goneBecause(fetched.gone);
    const fresh = findAlike(this, fetched.document);
    // An outer region's content includes this one: the outer region knows whether it still exists.
    const outer = this.parentElement?.closest("live-region");
    if (!fresh && outer instanceof LiveRegion) return outer.#apply(fetched, told);
    if (!fresh) return this.#goneBecause("missing");
    const inserted = this.#become(fresh, fetched.head);
    this.removeAttribute("data-live-stale");
    for (const element of inserted) this.#fire("live:inserted", element);
    this.#fire("live:applied", this, detailOf(told));
  }

  /**
   * @param {Element} fresh
   * @param {Head} head
   */
  #become(fresh, head) {
    appliedHead = head;
    try {
      const inserted = morphContent(this, fresh);
      for (const name of LiveRegion.observedAttributes) {
        const value = fresh.getAttribute(name);
        if (value === null) this.removeAttribute(name);
        else if (value !== this.getAttribute(name)) this.setAttribute(name, value);
      }
      this.#watch(head);
      return inserted;
    } finally {
      appliedHead = null;
    }
  }

  /**
   * Handle a denial: look, after a pause, whether the page still shows the topic. If it does, the
   * region asks for it again with the ticket that the page brings.
   * @param {string} topic
   * @param {Denial} denial
   */
  #denied(topic, { isRevoked, wasConfirmed }) {
    this.toggleAttribute("data-live-denied", true);
    // Markup fetched before access ended does not say what the user may see now.
    if (isRevoked) refetch.abandon(this.#refetcher);
    // Confirmed, then denied on the next connection: the ticket is old, so a short pause will do.
    // Access that is given and taken again and again keeps its growing pauses.
    else if (wasConfirmed) this.#deniedRetry.forget(topic);
    this.#deniedRetry.add(topic);
  }

  /** @param {string} topic */
  #check(topic) {
    if (!this.isConnected || !this.#topics.isDenied(topic)) return;
    const told = toTold(resetChanges("access"));
    this.#refetch(topic, told).catch(() => this.#deniedRetry.add(topic));
  }

  /** @param {string} reason */
  #goneBecause(reason) {
    if (this.#fire("live:gone", this, { reason })) page.reload();
  }

  /**
   * @param {string} type
   * @param {Element} target
   * @param {object} [detail]
   */
  #fire(type, target, detail) {
    const cancelable = type === "live:gone";
    return target.dispatchEvent(new CustomEvent(type, { bubbles: true, cancelable, detail }));
  }
}

/** @param {ReadonlyMap<string, Told>} told by topic */
function detailOf(told) {
  const { changes, reset } = toTold([...told.values()].map(readChanges).reduce(mergeChanges));
  return { changes, reset, topics: [...told.keys()] };
}

/**
 * Find the same region in another document: by its id, or without one by its place among the
 * regions of the same topic.
 *
 * @param {Element} region in this document
 * @param {Document} other
 * @returns {Element | undefined}
 */
function findAlike(region, other) {
  const topic = region.getAttribute("topic");
  /** @param {Element} each */
  const isAlike = (each) =>
    each.id === region.id && (region.id !== "" || each.getAttribute("topic") === topic);
  /** @type {(where: Document) => Element[]} */
  const alike = (where) => [...where.querySelectorAll("live-region")].filter(isAlike);
  return alike(other)[alike(document).indexOf(region)];
}

// ---- live.js ------------------------------------------------------------------------------------

/**
 * The browser's side of django-livequery.
 *
 *     import { connect } from "realtime/live.js";
 *     const live = connect("/ws/live/");
 *     live.subscribe("list:5", { cursor }, async ({ changes, reset }) => { … });
 *
 * A page that only has `<live-region>` elements needs no code: each connects, when it is inserted,
 * to the server that `#live-head` names.
 */

// Node has no custom elements. A page that loads this file by two URLs has defined it already.
if (globalThis.customElements && !customElements.get("live-region")) {
  customElements.define("live-region", LiveRegion);
}

export { connect, LiveRegion };
