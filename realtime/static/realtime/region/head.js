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
export function readHead(document) {
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
export function withoutCursors(head) {
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
