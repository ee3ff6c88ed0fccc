/** @import { Environment } from "./environment.js" */
import { Live } /*;*/ from "./client.js"

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
export function connect(url, options) {
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
