/** Servers refuse frames beyond some size, 64 KiB being usual: split before, in bytes. */
const LONGEST_FRAME = 48_000;

/**
 * Divide what is to be sent into frames: one for all, unless it would be too long.
 * @template T
 * @param {T[]} items
 * @returns {T[][]}
 */
export function inBatches(items) {
  /** @type {T[][]} */
  const frames = [];
  let room = 0;
  for (const item of items) {
    const length = new TextEncoder().encode(JSON.stringify(item)).length + 1;
    if (length > room) {
      frames.push([]);
      room = LONGEST_FRAME;
    }
    frames[frames.length - 1].push(item);
    room -= length;
  }
  return frames;
}
