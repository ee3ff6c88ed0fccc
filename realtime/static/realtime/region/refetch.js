import { page } from "./page.js";

/**
 * @typedef {import("../subscriptions/changes.js").ChangeSet} ChangeSet
 * @typedef {import("./page.js").Fetched} Fetched
 *
 * @typedef {object} Round
 * @property {Promise<Fetched>} answer
 * @property {Promise<void>} applied
 * @property {Map<string, ChangeSet>} told by topic
 */

/**
 * One region's refetches: all that it is told before a fetch of the page begins makes one round,
 * whichever topics it came by, and is applied once.
 */
export class Refetch {
  #apply;
  /** @type {Round | null} */ #latest = null;
  /** What was asked for in an earlier age is not applied any more. */
  #age = 0;

  /** @param {(fetched: Fetched, told: ReadonlyMap<string, ChangeSet>) => void} apply */
  constructor(apply) {
    this.#apply = apply;
  }

  /**
   * Fetch the page as it is after now.
   * @param {string} name of the region
   * @param {string} topic
   * @param {ChangeSet} news
   * @returns {Promise<void>} settles when it is applied, or could not be
   */
  join(name, topic, news) {
    const answer = page.fresh(name);
    const round = this.#latest?.answer === answer ? this.#latest : this.#begin(answer);
    // A topic comes once a round: its runner waits for the round to be applied.
    round.told.set(topic, news);
    return round.applied;
  }

  /** Apply nothing that was asked for up to now; it counts as failed. */
  abandon() {
    this.#age++;
    this.#latest = null;
  }

  /** @param {Promise<Fetched>} answer */
  #begin(answer) {
    /** @type {Map<string, ChangeSet>} */
    const told = new Map();
    const age = this.#age;
    const applied = answer.then((fetched) => {
      if (age !== this.#age) throw new Error("access ended while the page was fetched");
      this.#apply(fetched, told);
    });
    this.#latest = { answer, applied, told };
    return this.#latest;
  }
}
