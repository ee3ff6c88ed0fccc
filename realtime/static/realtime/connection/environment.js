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
export function withDefaults(given = {}) {
  return {
    clock: given.clock ?? browserClock,
    random: given.random ?? Math.random,
    WebSocket: given.WebSocket ?? globalThis.WebSocket,
  };
}
