/**
 * @typedef {{cursor: string | null, ticket: string | null}} Entry where a rendered topic stands
 *
 * @typedef {object} Head
 * @property {string} url
 * @property {Map<string, Entry>} topics
 * @property {number | null} jitter over how many milliseconds to spread what reaches everybody
 */

/** Where the server listens unless the page says otherwise. */
const DEFAULT_URL = "/ws/live/";

/**
 * Read what the server wrote into a page's `#live-head`: from which cursors its markup is true.
 * @param {Document} document
 * @returns {Head}
 */
export function readHead(document) {
  const script = document.getElementById("live-head");
  const { url = DEFAULT_URL, topics = [], jitter = null } = parse(script);
  const entries = new Map();
  for (const { topic, cursor = null, ticket = null } of topics) {
    // A topic watched twice was first watched before all that was read for it.
    if (!entries.has(topic)) entries.set(topic, { cursor, ticket });
  }
  return { url, topics: entries, jitter };
}

/**
 * The same for content that was not rendered with it: it must be caught up with.
 * @param {Head} head
 * @returns {Head}
 */
export function withoutCursors(head) {
  const entries = [...head.topics].map(([topic, entry]) => [topic, { ...entry, cursor: null }]);
  return { ...head, topics: new Map(/** @type {[string, Entry][]} */ (entries)) };
}

/** @param {Element | null} script */
function parse(script) {
  try {
    return JSON.parse(script?.textContent || "{}");
  } catch (error) {
    // Without cursors the regions catch up by themselves: costly, but never wrong.
    console.error("live: #live-head is not JSON", error);
    return {};
  }
}
