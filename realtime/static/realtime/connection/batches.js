/** Servers refuse frames above a size, usually 64 KiB: batches stay below it, in bytes. */
const MAX_BATCH_BYTES = 48_000;

/**
 * Divide the items of a frame into batches: one, unless it would be too large.
 * @template T
 * @param {T[]} items
 * @returns {T[][]}
 */
export function inBatches(items) {
  /** @type {T[][]} */
  const batches = [];
  let room = 0;
  for (const item of items) {
    const length = new TextEncoder().encode(JSON.stringify(item)).length + 1;
    if (length > room) {
      batches.push([]);
      room = MAX_BATCH_BYTES;
    }
    batches[batches.length - 1].push(item);
    room -= length;
  }
  return batches;
}
