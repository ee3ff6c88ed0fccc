/** Random numbers by a seed: each client has a sequence of its own. */

/**
 * Return a function like Math.random, with the same sequence for the same seed (mulberry32).
 * @param {string} seed
 * @returns {() => number}
 */
export function seeded(seed) {
  let state = [...seed].reduce((hash, letter) => Math.imul(hash ^ letter.charCodeAt(0), 0x01000193), 0x811c9dc5);
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/**
 * @template T
 * @param {() => number} random
 * @param {T[]} items
 * @returns {T}
 */
export function choose(random, items) {
  return items[Math.floor(random() * items.length)];
}
