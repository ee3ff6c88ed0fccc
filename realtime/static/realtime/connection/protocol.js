/**
 * The constants of the wire: version 1 of the WebSocket protocol, spelled as the server does.
 *
 * No other module writes a frame type, a verb or a close code by hand, so that one test can compare
 * this file with the server's types.
 */

export const PROTOCOL = 1;

/** The types of the client's frames. */
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

/** The types of the server's frames. Those without a handler are ignored. */
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

/** What happened to a row, as seen from a topic. */
export const VERBS = Object.freeze({
  ENTERED: "entered",
  UPDATED: "updated",
  LEFT: "left",
});

/** Why the server closes a connection. Codes below 4000 are the WebSocket standard's. */
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
