import { VERBS } /*;*/ from "../connection/protocol.js"

/**
 * The changes that a handler has not been called with yet, and how they merge. Pure functions.
 *
 * A message says only which rows changed, so any number of them merges into one. A handler that is
 * slow or fails costs bounded memory and misses nothing.
 *
 * @typedef {"entered" | "updated" | "left"} Verb
 *
 * @typedef {object} ChangeSet
 * @property {string | null} reset the reason to reload everything; absorbs the rows
 * @property {ReadonlyMap<string, ReadonlyMap<string, Verb>>} rows label to pk to verb
 * @property {string | null} cursor the client's position once this has been applied; null leaves
 *   the position as it is
 *
 * @typedef {Record<string, {entered: string[], updated: string[], left: string[]}>} Changes
 *
 * @typedef {object} Told the argument of a handler
 * @property {Changes} changes
 * @property {string | null} reset
 * @property {string | null} cursor
 */

/** Above so many rows, reloading everything is cheaper than naming them. */
const MAX_ROWS = 1_000;

/** @type {Verb[]} */
const ALL_VERBS = Object.values(VERBS);

/**
 * Build the change set that says to reload everything.
 * @param {string} reset the reason
 * @param {string | null} [cursor]
 * @returns {ChangeSet}
 */
export function resetChanges(reset, cursor = null) {
  return { reset, rows: new Map(), cursor };
}

/**
 * Read a topic's entry of a `changed` frame, or the argument of a handler.
 * @param {{changes?: Record<string, Partial<Record<Verb, string[]>>> | null,
 *   reset?: string | null, cursor?: string | null}} entry
 * @returns {ChangeSet}
 */
export function readChanges({ changes, reset = null, cursor = null }) {
  if (reset !== null) return resetChanges(reset, cursor);
  const rows = new Map();
  for (const [label, lists] of Object.entries(changes ?? {})) {
    /** @type {Map<string, Verb>} */
    const verbs = new Map();
    for (const verb of ALL_VERBS) {
      for (const pk of lists[verb] ?? []) addVerb(verbs, pk, verb);
    }
    if (verbs.size) rows.set(label, verbs);
  }
  return bounded({ reset: null, rows, cursor });
}

/**
 * Merge a change set with a later one. The cursor is the last known: all before it is in here.
 * @param {ChangeSet} older
 * @param {ChangeSet} newer
 * @returns {ChangeSet}
 */
export function mergeChanges(older, newer) {
  const reset = newer.reset ?? older.reset;
  const cursor = newer.cursor ?? older.cursor;
  if (reset !== null) return resetChanges(reset, cursor);
  const rows = new Map(older.rows);
  for (const [label, verbs] of newer.rows) {
    const merged = new Map(rows.get(label));
    for (const [pk, verb] of verbs) addVerb(merged, pk, verb);
    rows.set(label, merged);
  }
  return bounded({ reset: null, rows, cursor });
}

/**
 * True if there is nothing to apply but the cursor.
 * @param {ChangeSet} changes
 */
export function isEmpty({ reset, rows }) {
  return reset === null && rows.size === 0;
}

/**
 * Build the argument of a handler; absent lists are empty.
 * @param {ChangeSet} changes
 * @returns {Told}
 */
export function toTold({ reset, rows, cursor }) {
  const changes = Object.fromEntries([...rows].map(([label, verbs]) => [label, byVerb(verbs)]));
  return { changes, reset, cursor };
}

/** @param {ReadonlyMap<string, Verb>} verbs */
function byVerb(verbs) {
  /** @param {Verb} wanted */
  const pks = (wanted) => [...verbs].filter(([, verb]) => verb === wanted).map(([pk]) => pk);
  return { entered: pks(VERBS.ENTERED), updated: pks(VERBS.UPDATED), left: pks(VERBS.LEFT) };
}

/**
 * Add a row's verb. Two different verbs for one row merge to updated: the row must be reloaded.
 * @param {Map<string, Verb>} verbs
 * @param {string} pk
 * @param {Verb} verb
 */
function addVerb(verbs, pk, verb) {
  const known = verbs.get(pk);
  verbs.set(pk, known && known !== verb ? VERBS.UPDATED : verb);
}

/**
 * @param {ChangeSet} changes
 * @returns {ChangeSet}
 */
function bounded(changes) {
  let size = 0;
  for (const verbs of changes.rows.values()) size += verbs.size;
  return size > MAX_ROWS ? resetChanges("overflow", changes.cursor) : changes;
}
