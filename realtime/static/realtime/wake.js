/**
 * Call back when the page may have slept or its network may have changed: it is looked at again,
 * the browser is online again, or the page returns from the back/forward cache.
 *
 * Timers stand still meanwhile, so what they would have noticed must be asked now.
 *
 * @param {() => void} woken
 * @param {{window?: EventTarget, document?: EventTarget & {visibilityState: string}}} [page]
 */
export function onWake(woken, { window, document } = globalThis) {
  document?.addEventListener("visibilitychange", () => {
    if (document.visibilityState === "visible") woken();
  });
  window?.addEventListener("online", woken);
  window?.addEventListener("pageshow", (event) => {
    // The first load also shows the page, but nothing has slept yet.
    if (/** @type {PageTransitionEvent} */ (event).persisted) woken();
  });
}
