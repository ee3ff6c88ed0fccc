/**
 * @typedef {object} Follower
 * @property {() => void} wake the page may have slept, or its network may have changed
 * @property {() => void} sleep the browser is about to stop the page's scripts
 *
 * @typedef {object} Surroundings
 * @property {EventTarget} [window]
 * @property {EventTarget & {visibilityState: string}} [document]
 */

/**
 * Follow how the browser stops and wakes a page: it wakes when it is looked at again, when the
 * browser is online again, and when it is thawed or returns from the back/forward cache.
 *
 * Timers stand still meanwhile, so what they would have noticed must be asked now.
 *
 * @param {Follower} follower
 * @param {Surroundings} [page]
 */
export function followPageLifecycle({ wake, sleep }, { window, document } = globalThis) {
  document?.addEventListener("visibilitychange", () => {
    if (document.visibilityState === "visible") wake();
  });
  document?.addEventListener("resume", wake);
  document?.addEventListener("freeze", sleep);
  window?.addEventListener("online", wake);
  // The first load also shows the page, but nothing has slept yet; and who leaves for good needs
  // no help. An open socket would keep the page out of the cache.
  window?.addEventListener("pageshow", (event) => isCached(event) && wake());
  window?.addEventListener("pagehide", (event) => isCached(event) && sleep());
}

/** @param {Event} event */
function isCached(event) {
  return /** @type {PageTransitionEvent} */ (event).persisted;
}
