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
export function followPageLifecycle({ wake, sleep }, { window, document } = globalThis) {
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
