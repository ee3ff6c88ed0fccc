import { noteFocus, syncControls } /*;*/ from "./form_state.js"
import { reorder } /*;*/ from "./reorder.js"

/**
 * Change an element's content to the new markup. Nodes that are in both stay, with their focus,
 * scrolling and listeners.
 *
 * Siblings match by id and tag, else by their order among siblings of the same kind. Subtrees
 * marked `data-live-keep` stay as they are, even where the new markup lacks them. The control in
 * which the user has unsaved work keeps its value.
 *
 * @param {Element} live in the page
 * @param {Element} fresh the same element as parsed from the new markup; left as it is
 * @returns {Element[]} the inserted elements, without their descendants
 */
export function morphContent(live, fresh) {
  const focus = noteFocus(live);
  /** @type {Element[]} */
  const inserted = [];
  morphChildren(live, fresh, inserted);
  syncControls(live, focus);
  return inserted;
}

/**
 * @param {Element} live
 * @param {Element} fresh
 * @param {Element[]} inserted
 */
function morphChildren(live, fresh, inserted) {
  const candidates = byKey(live.childNodes);
  /** @type {ChildNode[]} */
  const wanted = [];
  for (const freshChild of fresh.childNodes) {
    const same = candidates.get(keyOf(freshChild))?.shift();
    if (same) morphNode(same, freshChild, inserted);
    // A copy: other regions read the same parsed document.
    const child = same ?? document.importNode(freshChild, true);
    if (!same && child instanceof Element) inserted.push(child);
    wanted.push(child);
  }
  reorder(live, wanted, isKept);
}

/**
 * @param {ChildNode} live
 * @param {ChildNode} fresh of the same key
 * @param {Element[]} inserted
 */
function morphNode(live, fresh, inserted) {
  if (isKept(live) || isBeingWritten(live) || live.isEqualNode(fresh)) return;
  if (!(live instanceof Element)) {
    live.nodeValue = fresh.nodeValue;
    return;
  }
  syncAttributes(live, /** @type {Element} */ (fresh));
  morphChildren(live, /** @type {Element} */ (fresh), inserted);
}

/**
 * @param {Element} live
 * @param {Element} fresh
 */
function syncAttributes(live, fresh) {
  for (const { name, value } of [...fresh.attributes]) {
    if (isOurs(live, name)) continue;
    const present = live.getAttributeNode(name);
    if (!present) {
      // Copied as a node: setAttribute() refuses names that the parser allows, as "@click".
      live.setAttributeNode(/** @type {Attr} */ (fresh.getAttributeNode(name)?.cloneNode()));
    } else if (present.value !== value) {
      present.value = value;
    }
  }
  for (const attribute of [...live.attributes]) {
    const { name } = attribute;
    if (fresh.hasAttribute(name) || isOurs(live, name)) continue;
    live.removeAttributeNode(attribute);
  }
}

/**
 * True for attributes that the user or this client sets, not the server.
 * @param {Element} live
 * @param {string} name
 */
function isOurs(live, name) {
  if (name === "open") return live.matches("details, dialog");
  return name === "data-live-stale" || name === "data-live-denied";
}

/**
 * True for text that the user edits in place: its nodes are the user's.
 * @param {Node} node
 */
function isBeingWritten(node) {
  return node === document.activeElement && node instanceof HTMLElement && node.isContentEditable;
}

/** @param {Node} node */
function isKept(node) {
  return node instanceof Element && node.hasAttribute("data-live-keep");
}

/**
 * Group the nodes by key, in their order.
 * @param {NodeListOf<ChildNode>} nodes
 */
function byKey(nodes) {
  /** @type {Map<string, ChildNode[]>} */
  const queues = new Map();
  for (const node of nodes) {
    const key = keyOf(node);
    const queue = queues.get(key) ?? [];
    queue.push(node);
    queues.set(key, queue);
  }
  return queues;
}

/**
 * Return the key by which siblings match. Without an id it includes a control's name, so that a
 * token field never becomes the field the user types in, and a region's topic. A kept element
 * matches only another kept one.
 * @param {Node} node
 */
function keyOf(node) {
  if (!(node instanceof Element)) return node.nodeName;
  if (node.id) return `${node.nodeName}#${node.id}`;
  const named = ["name", "type", "topic"].map((name) => node.getAttribute(name));
  return [node.nodeName, isKept(node), ...named].join(" ");
}
