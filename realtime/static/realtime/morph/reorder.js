/**
 * Put an element's children in order with few moves. The child with the focus is never moved: a
 * moved node loses its focus, and a moved iframe or animation starts again.
 *
 * @param {Element} parent
 * @param {ChildNode[]} wanted children of `parent`, or nodes that are new
 * @param {(node: ChildNode) => boolean} isKept called for children that are not wanted: a kept one
 *   stays behind the sibling that it follows now, any other is removed
 */
export function reorder(parent, wanted, isKept) {
  const order = withKept([...parent.childNodes], wanted, isKept);
  const staying = new Set(order);
  for (const child of [...parent.childNodes]) {
    if (!staying.has(child)) child.remove();
  }
  const unmoved = chooseUnmoved(parent, order);
  /** @type {ChildNode | null} */
  let next = null;
  for (const node of [...order].reverse()) {
    if (!unmoved.has(node)) parent.insertBefore(node, next);
    next = node;
  }
}

/**
 * @param {ChildNode[]} present
 * @param {ChildNode[]} wanted
 * @param {(node: ChildNode) => boolean} isKept
 */
function withKept(present, wanted, isKept) {
  const order = [...wanted];
  const known = new Set(wanted);
  /** @type {ChildNode | null} */
  let previous = null;
  for (const node of present) {
    if (!known.has(node)) {
      if (!isKept(node)) continue;
      order.splice(previous ? order.indexOf(previous) + 1 : 0, 0, node);
    }
    previous = node;
  }
  return order;
}

/**
 * Choose the largest set of nodes that are in order already and include the one with the focus.
 * @param {Element} parent
 * @param {ChildNode[]} order
 * @returns {Set<ChildNode>}
 */
function chooseUnmoved(parent, order) {
  const positions = new Map([...parent.childNodes].map((node, index) => [node, index]));
  const focused = order.findIndex((node) => node.contains(document.activeElement));
  const pivot = focused < 0 ? undefined : positions.get(order[focused]);
  // Only nodes that stay on their side of the focused node can stay unmoved along with it.
  const candidates = order.filter((node, index) => {
    const position = positions.get(node);
    if (position === undefined) return false;
    return pivot === undefined || index === focused || position < pivot === index < focused;
  });
  return new Set(longestRise(candidates, (node) => /** @type {number} */ (positions.get(node))));
}

/**
 * Return the longest subsequence with rising ranks, by patience sorting.
 * @template T
 * @param {T[]} items
 * @param {(item: T) => number} rank
 * @returns {T[]}
 */
function longestRise(items, rank) {
  /** For each length, the run of that length with the lowest end. @type {{item: T, before: any}[]} */
  const runs = [];
  for (const item of items) {
    let low = 0;
    for (let high = runs.length; low < high; ) {
      const middle = (low + high) >> 1;
      if (rank(runs[middle].item) < rank(item)) low = middle + 1;
      else high = middle;
    }
    runs[low] = { item, before: runs[low - 1] };
  }
  const rise = [];
  for (let run = runs.at(-1); run; run = run.before) rise.push(run.item);
  return rise;
}
