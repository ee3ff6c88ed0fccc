import { connect } from "../connection/connect.js";
import { readHead } from "./head.js";

/**
 * @typedef {object} Fetched
 * @property {string | null} gone why this user cannot have the page any more
 * @property {Document} document
 * @property {import("./head.js").Head} head
 *
 * @typedef {{names: Set<string>, answer: Promise<Fetched>}} Round
 */

/** AckTimeouts that say "not for you" rather than "not now". */
const GONE = [401, 403, 404, 410];

/** A fetch that hangs must not hold up all that follow, in milliseconds. */
const FETCH_TIMEOUT = 20_000;

/** A page that came from a reload and is younger than this is not reloaded again (ms). */
const RELOAD_PAUSE = 10_000;

/**
 * Fetches this page anew, one fetch at a time, for all regions together.
 *
 * Whoever asks gets a response whose fetch began after it asked; so nobody is ever given markup
 * that is older than the message which made it ask, and no response overtakes another.
 */
export class Page {
  /** The fetch that has not begun yet; who asks now shares it. @type {Round | null} */
  #next = null;
  /** Settles when all fetches begun so far have. @type {Promise<unknown>} */
  #before = Promise.resolve();

  /**
   * Get the page as it is now or later.
   * @param {string} name of the region that asks, for the server's information
   */
  fresh(name) {
    this.#next ??= this.#enqueue();
    this.#next.names.add(name);
    return this.#next.answer;
  }

  /** Load the page as the browser does: whatever is wrong shows itself. */
  reload() {
    const [navigation] = performance.getEntriesByType("navigation");
    const wasReloaded =
      /** @type {PerformanceNavigationTiming | undefined} */ (navigation)?.type === "reload";
    if (wasReloaded && performance.now() < RELOAD_PAUSE) {
      throw new Error("the page was reloaded a moment ago, and that did not help");
    }
    location.reload();
  }

  #enqueue() {
    const names = new Set();
    const answer = this.#fetchAfter(this.#before, names);
    this.#before = answer.catch(() => {});
    return { names, answer };
  }

  /**
   * @param {Promise<unknown>} before
   * @param {Set<string>} names
   */
  async #fetchAfter(before, names) {
    await before;
    // The regions apply the previous response first; what they owe then joins this fetch.
    await nextTask();
    this.#next = null;
    const fetched = await load([...names].join(", "));
    if (!fetched.gone) renewTickets(fetched.head);
    return fetched;
  }
}

/** The page that is shown. */
export const page = new Page();

/**
 * All on this page ask with these tickets from now on, whoever wanted the fetch.
 * @param {import("./head.js").Head} head
 */
function renewTickets({ url, topics }) {
  const tickets = [...topics].map(([topic, { ticket }]) => [topic, ticket]);
  if (tickets.length) connect(url).renewTickets(Object.fromEntries(tickets));
}

/**
 * @param {string} names
 * @returns {Promise<Fetched>}
 */
async function load(names) {
  const url = here();
  const response = await fetch(url, {
    cache: "no-store",
    credentials: "same-origin",
    mode: "same-origin",
    // Not followed: a redirect to a login page on another origin would look like a network error.
    redirect: "manual",
    headers: { "Live-Region": headerSafe(names) },
    signal: AbortSignal.timeout(FETCH_TIMEOUT),
  });
  const document = new DOMParser().parseFromString(await response.text(), "text/html");
  // Navigated meanwhile without a load (pushState): this is another page's markup.
  if (here() !== url) return load(names);
  const gone = whyGone(response);
  if (!gone && !response.ok) throw new Error(`${url} answered ${response.status}`);
  return { gone, document, head: readHead(document) };
}

/** @param {Response} response */
function whyGone({ type, status }) {
  if (type === "opaqueredirect") return "redirected";
  return GONE.includes(status) ? String(status) : null;
}

function here() {
  return location.href.replace(/#.*/, "");
}

/**
 * Header values are bytes; an id may be anything.
 * @param {string} text
 */
function headerSafe(text) {
  return text.replace(/[^\x20-\x7e]+/g, encodeURIComponent);
}

/** A task of its own, not a timer: those are slowed down to a minute in hidden tabs. */
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
