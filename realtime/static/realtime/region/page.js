/** @import { Head } from "./head.js" */
import { readHead } /*;*/ from "./head.js"

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
export class Page {
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

export const page = new Page();

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
