/**
 * The words of the wire: version 1 of the WebSocket protocol, as the server spells them.
 *
 * Nothing else in the client writes a frame type, a verb or a close code by hand, so that one
 * test can hold this file against the server's own types.
 */

export const PROTOCOL = 1;

/** What the client may send. */
export const CLIENT_FRAMES = Object.freeze({
  SUBSCRIBE: "subscribe",
  UNSUBSCRIBE: "unsubscribe",
  WATCH: "watch",
  UNWATCH: "unwatch",
  QUERY: "query",
  UNQUERY: "unquery",
  PING: "ping",
  PONG: "pong",
});

/** What the server may send. A type that is not listed here is ignored. */
export const SERVER_FRAMES = Object.freeze({
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

/** What may have happened to a row, as seen from a topic. */
export const VERBS = Object.freeze({
  ENTERED: "entered",
  UPDATED: "updated",
  LEFT: "left",
});

/** Why the server ends a connection. Those below 4000 are the WebSocket standard's. */
export const CLOSE = Object.freeze({
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
