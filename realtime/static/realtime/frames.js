/**
 * @typedef {{topic: string, cursor?: string, ticket?: string}} WireSubscription
 */

/** Servers refuse frames beyond some size, 64 KiB being usual: split before, in characters. */
const LONGEST_FRAME = 48_000;

/**
 * Divide requests into frames: one for all of them, unless it would be too long.
 * @param {WireSubscription[]} requests
 * @returns {WireSubscription[][]}
 */
export function inFrames(requests) {
  /** @type {WireSubscription[][]} */
  const frames = [];
  let room = 0;
  for (const request of requests) {
    const length = JSON.stringify(request).length + 1;
    if (length > room) {
      frames.push([]);
      room = LONGEST_FRAME;
    }
    frames[frames.length - 1].push(request);
    room -= length;
  }
  return frames;
}
