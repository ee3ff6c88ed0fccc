/**
 * The browser's side of django-livequery.
 *
 *     import { connect } from "realtime/live.js";
 *     const live = connect("/ws/live/");
 *     live.subscribe("list:5", { cursor }, async ({ changes, reset }) => { … });
 *
 * A page that only has `<live-region>` elements needs no code: each connects, when it is inserted,
 * to the server that `#live-head` names.
 */
import { connect } /*;*/ from "./connection/connect.js"
import { LiveRegion } /*;*/ from "./region/region.js"

export { connect, LiveRegion };

// Node has no custom elements. A page that loads this file by two URLs has defined it already.
if (globalThis.customElements && !customElements.get("live-region")) {
  customElements.define("live-region", LiveRegion);
}
