/**
 * Find the same region in another document: that of the same id, or the one in the same place
 * among those of the same topic.
 *
 * @param {Element} region in this document
 * @param {Document} other
 * @returns {Element | undefined}
 */
export function findAlike(region, other) {
  const topic = region.getAttribute("topic");
  /** @param {Element} each */
  const isAlike = (each) =>
    each.id === region.id && (region.id !== "" || each.getAttribute("topic") === topic);
  /** @type {(where: Document) => Element[]} */
  const alike = (where) => [...where.querySelectorAll("live-region")].filter(isAlike);
  return alike(other)[alike(document).indexOf(region)];
}
